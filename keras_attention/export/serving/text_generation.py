"""Signature of decoder-only models over tokens: `generate`."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_attention.decoding import beam_search, greedy, sample
from keras_attention.export.serving.tokens import ids_reader, require_callables, written
from keras_attention.ops.require import require_bool, require_int
from keras_attention.types import Signatures, Tensor


def text_generation(
    model: Any,
    end_token: int | None,
    max_length: int,
    *,
    sampling: dict[str, Any] | None = None,
    beam_size: int | None = None,
    alpha: float = 0.6,
    tokenize: Callable[[Tensor], Tensor] | None = None,
    detokenize: Callable[[Tensor], Tensor] | None = None,
    limits: bool = False,
) -> Signatures:
    """Signature of `models.gpt` and `models.llama`, with the decoding loop in the graph.

        generate: prompt [B, P], prompt_lengths [B] -> tokens [B, L]
                  with `sampling`, also seed [B]    -> tokens [B, L]
                  with `beam_size`                  -> tokens [B, K, L], scores [B, K], best first

    With `tokenize` the prompt is `text`, strings [B], instead of ids; with `detokenize` the output is `text`, strings
    [B] or [B, K], instead of tokens: what follows the prompt.

    A row is continued as if alone, whatever the lengths of the others: prompts are moved to the right, and what is
    before them is masked. An empty prompt is one of token 0. An id outside of the vocabulary is an error of the
    request, and so are prompts that leave no learned positions for L tokens.

    Args:
        model: Model with `start(prompt, max_length, mask)` and `step(tokens, cache, index)`.
        end_token: Int; a text ends with it. `None`: all have length L.
        max_length: Positive int L, the most tokens that follow a prompt, end token included.
        sampling: Dict of arguments of `decoding.sample`: `temperature`, `top_k`, `top_p`. The input `seed`, int32 [B],
            is one seed a row: the same at every call. `None`: no sampling.
        beam_size: Positive int K, or `None` for greedy decoding.
        alpha: See `decoding.beam_search`.
        tokenize: Callable from strings [B] to ids, dense [B, P] with padding 0 at the end, or ragged.
        detokenize: Callable from int32 ids [B, L], 0 from the end token on, to strings [B].
        limits: Whether `generate` takes `max_length`, int32 [B]: the most tokens of each row, at most L.

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If the model has not these methods, both `sampling` and `beam_size` are given, or an argument is out
            of range.

    Example:

    >>> import tempfile
    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import export_saved_model, serving
    >>> model = models.gpt(20, num_layers=1, model_dim=8, num_heads=2, intermediate_dim=12, max_length=16)
    >>> signatures = serving.text_generation(model, end_token=2, max_length=5)
    >>> path = export_saved_model(model, tempfile.mkdtemp(), signatures=signatures)
    >>> generate = tf.saved_model.load(str(path)).signatures["generate"]
    >>> tuple(generate(prompt=tf.constant([[7, 9, 4]]), prompt_lengths=tf.constant([3]))["tokens"].shape)
    (1, 5)
    """
    import tensorflow as tf

    _require(model, end_token, max_length, sampling, beam_size, limits)
    require_callables(tokenize=tokenize, detokenize=detokenize)
    read, specs = ids_reader("prompt", getattr(model, "vocabularies", {}).get("tokens"), tokenize)
    if limits:
        specs["max_length"] = tf.TensorSpec([None], "int32")
    if sampling is not None:
        specs["seed"] = tf.TensorSpec([None], "int32")

    def generate(**inputs):
        ids, lengths = read(inputs)
        with tf.control_dependencies(_checks(ids, max_length, getattr(model, "max_length", None))):
            prompt, mask = _moved_to_the_end(ids, lengths)
        given = model.step, model.start(prompt, max_length, mask), prompt[:, -1], max_length, end_token
        limits = inputs.get("max_length")
        if beam_size is not None:
            tokens, scores = beam_search(*given, beam_size, alpha, limits=limits)
            return {**written(tokens, end_token, detokenize), "scores": scores}
        if sampling is not None:
            return written(sample(*given, **sampling, seed=inputs["seed"], limits=limits), end_token, detokenize)
        return written(greedy(*given, limits=limits), end_token, detokenize)

    return {"generate": (generate, specs)}


def _moved_to_the_end(ids, lengths):
    """Ids [B, P], padded at the end, as those padded at the beginning, and their mask; without a column, one of 0."""
    import tensorflow as tf

    ids = tf.pad(ids, [[0, 0], [tf.cast(tf.shape(ids)[1] == 0, "int32"), 0]])
    P = ops.shape(ids)[1]
    position = ops.expand_dims(ops.arange(P, dtype="int32"), 0) - (P - ops.expand_dims(lengths, 1))
    return ops.where(position >= 0, ops.take_along_axis(ids, ops.maximum(position, 0), axis=1), 0), position >= 0


def _checks(ids, max_length, positions):
    import tensorflow as tf

    if positions is None:
        return []
    longest = positions + 1 - max_length
    return [tf.debugging.assert_less_equal(tf.shape(ids)[1], longest, f"`prompt` must have at most {longest} tokens")]


def _require(model, end_token, max_length, sampling, beam_size, limits):
    missing = [name for name in ("start", "step") if not callable(getattr(model, name, None))]
    if missing:
        raise ValueError(
            f"`model` must have the methods start, step. Received: {type(model).__name__} without {missing}"
        )
    require_int(end_token, "end_token", optional=True, least=0)
    require_int(max_length, "max_length")
    require_int(beam_size, "beam_size", optional=True)
    require_bool(limits, "limits")
    if sampling is not None and (beam_size is not None or not isinstance(sampling, dict)):
        raise ValueError(
            "`sampling` must be a dict of arguments of `decoding.sample`, without `beam_size`; or `None`. "
            f"Received: sampling={sampling!r}, beam_size={beam_size}"
        )
