"""Beam search with the length penalty of the Transformer."""

import keras
from keras import ops, tree

from keras_attention.decoding.loop import (
    blank,
    call_step,
    has_nan,
    is_end,
    or_full,
    prepared,
    require_inputs,
    require_limits,
    run,
    take_rows,
    write,
)
from keras_attention.ops.require import require_bool, require_int, require_number
from keras_attention.types import Nest, Step, Tensor

NEVER = float("-inf")  # the score of an empty slot of the beam


def length_penalty(length: float | Tensor, alpha: float = 0.6) -> Tensor:
    r"""Length penalty of beam search, by which a sequence's log-probability is divided.

    $$ lp(L) = \left( \frac{5 + L}{6} \right)^{\alpha} $$

    as in "Google's Neural Machine Translation System", eq. 14
    ([Wu et al., 2016](https://arxiv.org/abs/1609.08144)).

    Args:
        length: Number of generated tokens, the end token included; a number or a tensor.
        alpha: Float of at least 0; 0 means no penalty.

    Returns:
        Float32 tensor of the shape of `length`.

    Raises:
        ValueError: If `alpha` is out of range.

    Example:

    >>> round(float(length_penalty(25)), 6)
    2.626528
    """
    require_number(alpha, "alpha", least=0)
    return ops.power((5.0 + ops.cast(length, "float32")) / 6.0, alpha)


def beam_search(
    step: Step,
    cache: Nest,
    start_tokens: Tensor,
    max_length: int,
    end_token: int | None,
    beam_size: int = 4,
    alpha: float = 0.6,
    *,
    stop_early: bool = True,
    pad_token: int = 0,
    limits: int | Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Beam search for the sequence with the highest length-penalized log-probability.

    $$ \arg\max_y \frac{\log p(y \mid x)}{lp(|y|)}, \quad lp(L) = \left( \frac{5 + L}{6} \right)^{\alpha} $$

    L includes the end token. As in section 6.1 of "Attention Is All You Need"
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762); beam 4, alpha 0.6) and its
    published code, with K the beam size:

        alive:    [B, K, L], the best open sequences; at first only one, or duplicates would fill the beam
        expand:   [B, K, V] = log p(alive) + log_softmax(logits) -> the best 2 K
        alive:    the best K of those that do not end
        finished: [B, K, L], the best K so far of those that end, by log p / lp
        stop:     a finished score beats the upper bound of the alive ones, log p / lp(max_length)

    Runs entirely inside the graph, as `greedy` does. The cache is tiled to B * K and
    reordered with the beam, except for what no step changes.

    Differs from the published code: if no sequence of a row ends within `max_length`, its
    open sequences are returned with *penalized* scores (the published code omits the
    penalty); a row whose search is over no longer changes, so that a result never depends
    on the rest of the batch; a beam of one ends only with its best token, which makes it greedy; empty slots
    of the beam have score minus infinity.

    A sequence whose logits contain a NaN, as after divergence, leaves the beam. If none is
    left and none has ended, tokens are `pad_token` and scores minus infinity; other rows of
    the batch are not affected.

    Args:
        step: See `greedy`; it is called with B * K tokens.
        cache: Any nest of tensors whose first axis is B (not B * K); `()` for none.
        start_tokens: Integers [B], read at position 0 and not part of the output.
        max_length: Positive int L, the maximum output length, end token included.
        end_token: Int; a sequence ends with it. `None`: all sequences have length L.
        beam_size: Positive int K; 1 with `alpha=0` is `greedy`.
        alpha: Float of at least 0, the strength of the length penalty.
        stop_early: If `True`, a row stops when its best result is final, as published;
            if `False`, when all K are.
        pad_token: Int that fills the positions after the end.
        limits: Integers [B] or a scalar: the most tokens of each row, end token included, which may be tensors, such as
            an input of a served function. Clipped to [0, L]. `None`: L.

    Returns:
        `(tokens, scores)`: int32 [B, K, L], the end token included and `pad_token` after
        it, and float32 [B, K], best first.

    Raises:
        ValueError: If an argument is out of range, or `step` does not return a pair
            (logits, cache) of the expected shapes.

    Example: greedy decoding picks 1 (0.6), which leads to 0.6 * 0.5 at most; the best is 2, 3.

    >>> import keras
    >>> table = keras.ops.log([[0, 0.6, 0.4, 0], [0.5, 0, 0, 0.5], [0, 0.1, 0, 0.9], [1, 0, 0, 0.0]])
    >>> def step(tokens, cache, index):
    ...     return keras.ops.take(table, tokens, axis=0), cache
    >>> tokens, scores = beam_search(step, (), [0], max_length=3, end_token=3, beam_size=2, alpha=0.0)
    >>> keras.ops.convert_to_numpy(tokens).tolist()
    [[[2, 3, 0], [1, 3, 0]]]
    >>> keras.ops.convert_to_numpy(keras.ops.exp(scores)).astype("float64").round(2).tolist()
    [[0.36, 0.3]]
    """
    cache, start_tokens = require_inputs(step, cache, start_tokens, max_length, end_token, pad_token)
    K = require_int(beam_size, "beam_size")
    require_bool(stop_early, "stop_early")
    limits = require_limits(limits, start_tokens, max_length)
    longest = ops.reshape(length_penalty(max_length if limits is None else limits, alpha), (-1, 1))

    def active(index, tokens, cache, alive, alive_scores, finished, finished_scores, over):
        return ops.logical_and(index < max_length, ops.logical_not(ops.all(over)))

    advance = _advancing(prepared(step), cache, end_token, K, alpha, stop_early, limits, longest)
    state = _initial_state(start_tokens, cache, max_length, pad_token, K)
    state = run(active, advance, (*state, or_full(is_end(start_tokens, None), limits, 0)))
    return _result(*state[3:7], longest, pad_token)


def _advancing(step, cache, end_token, K, alpha, stop_early, limits, longest):
    """A function from the loop's variables to those after one more step: all open sequences grow by a token."""
    reorder = _reordering(cache, K)

    def advance(index, tokens, cache, alive, alive_scores, finished, finished_scores, over):
        logits, written = call_step(step, tokens, cache, index, end_token)
        scores, beams, tokens = _expand(logits, alive_scores, K)
        candidates = write(take_rows(alive, beams, K), index, ops.reshape(tokens, (-1,)))
        ends = is_end(tokens, end_token)
        ended = _ended_scores(scores / length_penalty(index + 1, alpha), ends, over, K)
        finished, finished_scores = _best(finished, finished_scores, candidates, ended, K)

        before = alive, alive_scores
        alive_scores, best = ops.top_k(ops.where(ends, NEVER, scores), K)
        alive = take_rows(candidates, best, scores.shape[-1])
        alive, alive_scores = _unless_full(limits, index, before, (alive, alive_scores))
        beams, tokens = (ops.take_along_axis(x, best, axis=1) for x in (beams, tokens))
        cache = reorder(cache, written, beams)

        # Alive scores only fall and the penalty only grows (alpha >= 0): no open sequence can end above this.
        certain = finished_scores[:, 0 if stop_early else -1] > alive_scores[:, 0] / longest[:, 0]
        over = or_full(ops.logical_or(over, certain), limits, index + 1)
        return index + 1, ops.reshape(tokens, (-1,)), cache, alive, alive_scores, finished, finished_scores, over

    return advance


def _reordering(cache, K):
    """A function that moves the rows of a step's cache with the beam.

    The K rows of a batch entry are equal in a leaf that every step has returned as it got it, as those of the source
    are: such a leaf is not moved. PyTorch's tensors may have been written in place.
    """
    equal = [keras.backend.backend() != "torch"] * len(tree.flatten(cache))

    def reorder(before, after, beams):
        leaves = tree.flatten(after)
        for i, (old, new) in enumerate(zip(tree.flatten(before), leaves, strict=True)):
            equal[i] = equal[i] and new is old
            leaves[i] = new if equal[i] else take_rows(new, beams, K)
        return tree.pack_sequence_as(after, leaves)

    return reorder


def _initial_state(start_tokens, cache, max_length, pad_token, K):
    """The loop's variables before the first step: index, tokens, cache, alive and finished, each with its scores."""
    tokens, cache = tree.map_structure(lambda x: ops.repeat(x, K, axis=0), (start_tokens, cache))
    empty = blank(tokens, max_length, pad_token)
    nothing = ops.where(ops.expand_dims(is_end(start_tokens, None), 1), 0.0, ops.full((1, K), NEVER))
    first_only = ops.where(ops.arange(K) == 0, 0.0, nothing)
    return ops.convert_to_tensor(0, dtype="int32"), tokens, cache, empty, first_only, empty, nothing


def _unless_full(limits, index, old, new):
    """The alive sequences [B * K, L] and scores [B, K] of this step; the old ones for rows that are at their limit."""
    if limits is None:
        return new
    full, K = ops.expand_dims(limits <= index, 1), new[1].shape[1]
    return ops.where(ops.repeat(full, K, axis=0), old[0], new[0]), ops.where(full, old[1], new[1])


def _ended_scores(scores, ends, over, K):
    """The scores [B, 2 K] of candidates that end in this step; minus infinity for others and for rows that are over."""
    counts = ops.logical_and(ends, ops.expand_dims(ops.logical_not(over), 1))
    if K == 1:  # greedy search: the second-best token may continue a sequence, but not end it
        counts = ops.logical_and(counts, ops.arange(scores.shape[-1]) == 0)
    return ops.where(counts, scores, NEVER)


def _expand(logits, alive_scores, K):
    """The best 2 K continuations: their log-probabilities, beams and tokens, each [B, 2 K], best first."""
    V = logits.shape[-1]
    log_probs = ops.log_softmax(logits, axis=-1)
    log_probs = ops.where(ops.expand_dims(has_nan(log_probs), 1), NEVER, log_probs)
    log_probs = ops.reshape(log_probs, (-1, K, V)) + ops.expand_dims(alive_scores, 2)
    # Twice the beam: at most K of them end, so K open ones remain.
    scores, chosen = ops.top_k(ops.reshape(log_probs, (-1, K * V)), min(2, V) * K)
    chosen = ops.cast(chosen, "int32")
    return scores, chosen // V, chosen % V


def _best(old, old_scores, new, new_scores, K):
    """The best K of `old` [B * K, L] and `new` [B * N, L] by their scores [B, K] and [B, N]."""
    N, L = new_scores.shape[-1], old.shape[-1]
    both = ops.concatenate([ops.reshape(old, (-1, K, L)), ops.reshape(new, (-1, N, L))], axis=1)
    scores, best = ops.top_k(ops.concatenate([old_scores, new_scores], axis=1), K)
    return take_rows(ops.reshape(both, (-1, L)), best, K + N), scores


def _result(alive, alive_scores, finished, finished_scores, longest, pad_token):
    K, L = alive_scores.shape[-1], alive.shape[-1]
    any_finished = finished_scores[:, :1] > NEVER
    scores = ops.where(any_finished, finished_scores, alive_scores / longest)
    either = (ops.reshape(x, (-1, K, L)) for x in (finished, alive))
    tokens = ops.where(ops.expand_dims(any_finished, 2), *either)
    return ops.where(ops.expand_dims(scores, 2) > NEVER, tokens, pad_token), scores
