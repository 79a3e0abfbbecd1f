"""The beam search of `tfa.seq2seq.BeamSearchDecoder`, in which ended sequences stay in the beam."""

from keras import ops, tree

from keras_attention.decoding import length_penalty
from keras_attention.decoding.loop import (
    blank,
    call_step,
    has_nan,
    is_end,
    require_inputs,
    run,
    take_rows,
    write,
)
from keras_attention.ops.require import require_int, require_number
from keras_attention.types import Nest, Step, Tensor

NEVER = float("-inf")  # the score of an empty slot of the beam


def beam_search(
    step: Step,
    cache: Nest,
    start_tokens: Tensor,
    max_length: int,
    end_token: int,
    beam_width: int = 4,
    length_penalty_weight: float = 0.0,
    *,
    pad_token: int = 0,
) -> tuple[Tensor, Tensor]:
    r"""Beam search with the results of `tfa.seq2seq.BeamSearchDecoder`.

    New code should use `decoding.beam_search`, which explores more at the same cost: it stores ended sequences apart
    from the K open ones. Here both share the K slots of the beam: an ended sequence occupies a slot, and may be
    displaced by a better one. With `length_penalty_weight=0` and K = 1 both are greedy.

        scores: [B, K, V] = (log p(beam) + log_softmax(logits)) / lp; an ended sequence continues with its end token
        beam:   [B, K]    = the best K of all K V, ended or not
        stop:   all sequences of all rows have ended, or `max_length` is reached
        lp(L) = ((5 + L) / 6) ^ weight

    L excludes the end token in the step that generates it and includes it in later steps, as published: the score of
    an ended sequence changes after its last step.

    Differs from tensorflow-addons: the end token is followed by `pad_token`, not by end tokens; `cache` is tiled here
    (no `tile_batch`); tokens always match their scores (there, if a beam is reordered after all sequences of its
    row have ended, the tokens keep the older order); no coverage penalty; a sequence whose logits contain a NaN
    has a score of minus infinity from then on.

    Args:
        step: See `decoding.greedy`; it is called with B * K tokens.
        cache: Any nest of tensors whose first axis is B (not B * K); `()` for none.
        start_tokens: Integers [B], read at position 0 and not part of the output.
        max_length: Positive int L, tensorflow-addons' `maximum_iterations`.
        end_token: Int; a sequence ends with it.
        beam_width: Positive int K.
        length_penalty_weight: Float of at least 0.
        pad_token: Int that fills the positions after the end.

    Returns:
        `(tokens, scores)`: int32 [B, K, L] and float32 [B, K], best first. tensorflow-addons' `predicted_ids` are
        [B, steps, K].

    Raises:
        ValueError: If an argument is out of range, or `step` returns logits or a cache of another shape.

    Example: 1, 3 has probability 0.6 * 0.5 and ends, but 1, 0, which leads to less, takes its slot.

    >>> import keras
    >>> from keras_attention import migrate
    >>> table = keras.ops.log([[0, 0.6, 0.4, 0], [0.5, 0, 0, 0.5], [0, 0.1, 0, 0.9], [1, 0, 0, 0.0]])
    >>> def step(tokens, cache, index):
    ...     return keras.ops.take(table, tokens, axis=0), cache
    >>> tokens, scores = migrate.beam_search(step, (), [0], max_length=3, end_token=3, beam_width=2)
    >>> keras.ops.convert_to_numpy(tokens).tolist()
    [[[2, 3, 0], [1, 0, 1]]]
    """
    cache, start_tokens = require_inputs(step, cache, start_tokens, max_length, end_token, pad_token)
    K = require_int(beam_width, "beam_width")
    require_int(end_token, "end_token", least=0)
    weight = require_number(length_penalty_weight, "length_penalty_weight", least=0)

    def active(index, tokens, cache, sequences, log_probs, scores, lengths, ended):
        return ops.logical_and(index < max_length, ops.logical_not(ops.all(ended)))

    def advance(index, tokens, cache, sequences, log_probs, scores, lengths, ended):
        logits, cache = call_step(step, tokens, cache, index, end_token)
        totals = log_probs[:, :, None] + _continuations(logits, ended, end_token)
        grown = ops.logical_and(ops.logical_not(ended)[:, :, None], ops.arange(logits.shape[-1]) != end_token)
        penalties = length_penalty(lengths[:, :, None] + ops.cast(grown, "int32"), weight)
        scores, parents, tokens = _best(totals / penalties, K)

        log_probs, ended, lengths = _follow(totals, ended, lengths, parents, tokens)
        sequences = take_rows(sequences, parents, K)
        written = ops.where(ended, pad_token, tokens)
        sequences = write(sequences, index, ops.reshape(written, (-1,)))
        lengths = lengths + ops.cast(ops.logical_not(ended), "int32")
        cache = tree.map_structure(lambda x: take_rows(x, parents, K), cache)
        ended = ops.logical_or(ended, is_end(tokens, end_token))
        return index + 1, ops.reshape(tokens, (-1,)), cache, sequences, log_probs, scores, lengths, ended

    _, _, _, sequences, _, scores, _, _ = run(active, advance, _start(start_tokens, cache, K, max_length, pad_token))
    return ops.reshape(sequences, (-1, K, max_length)), scores


def _start(tokens, cache, K, max_length, pad_token):
    """The state before the first step. Only the first slot holds a sequence; the others count as ended."""
    rows = ops.zeros_like(tokens)[:, None] + ops.zeros((1, K), dtype="int32")
    first = ops.arange(K, dtype="int32") + rows == 0
    log_probs = ops.where(first, 0.0, NEVER)
    tokens, cache = tree.map_structure(lambda x: ops.repeat(x, K, axis=0), (tokens, cache))
    sequences = blank(tokens, max_length, pad_token)
    index = ops.convert_to_tensor(0, dtype="int32")
    return index, tokens, cache, sequences, log_probs, log_probs, rows, ops.logical_not(first)


def _continuations(logits, ended, end_token):
    """Log-probabilities [B, K, V] of the next tokens; ended sequences can only repeat the end token, at log 1."""
    V = logits.shape[-1]
    log_probs = ops.log_softmax(logits, axis=-1)
    log_probs = ops.where(has_nan(log_probs)[:, None], NEVER, log_probs)
    log_probs = ops.reshape(log_probs, (-1, ended.shape[-1], V))
    only_the_end = ops.where(ops.arange(V) == end_token, 0.0, NEVER)
    return ops.where(ended[:, :, None], only_the_end, log_probs)


def _best(scores, K):
    """The best K of scores [B, K, V]: their scores, beams and tokens, each [B, K], best first."""
    V = scores.shape[-1]
    scores, chosen = ops.top_k(ops.reshape(scores, (-1, K * V)), K)
    chosen = ops.cast(chosen, "int32")
    return scores, chosen // V, chosen % V


def _follow(totals, ended, lengths, parents, tokens):
    """Log-probabilities, `ended` and lengths of the chosen sequences, gathered from their parents; each [B, K]."""
    K, V = totals.shape[-2:]
    log_probs = ops.take_along_axis(ops.reshape(totals, (-1, K * V)), parents * V + tokens, axis=1)
    return log_probs, *(ops.take_along_axis(x, parents, axis=1) for x in (ended, lengths))
