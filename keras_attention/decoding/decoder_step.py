"""A decoder's step from a recurrent layer with attention."""

from collections.abc import Callable

import keras
from keras import ops
from numpy.typing import ArrayLike

from keras_attention.types import Step, Tensor


def decoder_step(
    rnn: keras.Layer,
    embedding: ArrayLike | Callable[[Tensor], Tensor],
    output_layer: Callable[[Tensor], Tensor] | None = None,
) -> Step:
    r"""Creates the `step` function of the decoders from a `layers.AttentionRNN`, an embedding and an output layer.

        output: [B, F] = rnn.step(embedding(tokens), cache["memory"], cache["state"])
        logits: [B, V] = output_layer(output)
        cache = {"memory": rnn.project_memory(memory, lengths=lengths), "state": rnn.start(projected, initial_state)}

    `projected` is the projected memory. Training needs no decoder: call `rnn` on all inputs.

    Of the parts of a `tfa.seq2seq` decoder: `GreedyEmbeddingSampler` is `decoding.greedy`, `SampleEmbeddingSampler` is
    `decoding.sample`, and `BeamSearchDecoder` is `decoding.beam_search` or, with identical results,
    `migrate.beam_search`. No `tile_batch`: the beam search tiles the cache.

    Args:
        rnn: A built `layers.AttentionRNN`.
        embedding: An array [V, E], or a callable from integers [B] to [B, E], such as `keras.layers.Embedding`.
        output_layer: A callable from the output [B, F] to logits [B, V], such as `keras.layers.Dense`; `None` if the
            output is the logits.

    Returns:
        The callable `step`: `(tokens [B], cache, index) -> (logits [B, V], cache)`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_attention import decoding, layers
    >>> rnn = layers.AttentionRNN(keras.layers.GRUCell(6), layers.BahdanauAttention(4))
    >>> rnn.build((None, None, 3), (None, None, 9))
    >>> step = decoding.decoder_step(rnn, np.ones((11, 3), "float32"), keras.layers.Dense(11))
    >>> memory = rnn.project_memory(np.ones((2, 7, 9)), lengths=np.array([7, 4]))
    >>> cache = {"memory": memory, "state": rnn.start(memory)}
    >>> tuple(decoding.greedy(step, cache, np.array([1, 1]), max_length=5, end_token=2).shape)
    (2, 5)
    """
    embed = embedding if callable(embedding) else lambda tokens: ops.take(embedding, tokens, axis=0)

    def step(tokens, cache, index):
        output, _, state = rnn.step(embed(tokens), cache["memory"], cache["state"])
        return output if output_layer is None else output_layer(output), {**cache, "state": state}

    return step
