"""Tokens that a decoder must not choose."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from keras_attention.decoding.loop import prepared
from keras_attention.ops.require import require_int
from keras_attention.types import Step


def suppress(step: Step, tokens: Sequence[int] = (), first_tokens: Sequence[int] = ()) -> Step:
    r"""A step whose logits of some tokens are minus infinity, for any decoder: they are never chosen.

    $$ p(v \mid y_{<i}, x) = 0 \quad \text{for all suppressed } v $$

        logits: [B, V] = those of `step`, minus infinity at `tokens`, at position 0 at `first_tokens`, too

    Such as Whisper's signs that are not spoken, and an end at the beginning.

    Args:
        step: Callable `(tokens, cache, index) -> (logits [B, V], cache)`, as of `greedy`.
        tokens: Ints from 0 to V - 1.
        first_tokens: Ints that are suppressed at position 0 only.

    Returns:
        A step, to be passed to a decoder in place of `step`.

    Raises:
        ValueError: If a token is not an int of at least 0; by the step, if one is not below V, or none is left.

    Example: a model that counts must leave out 2.

    >>> import keras
    >>> from keras_attention import decoding
    >>> def step(tokens, cache, index):
    ...     return keras.ops.one_hot(tokens + 1, 5), cache
    >>> counted = decoding.greedy(suppress(step, tokens=[2]), (), [0], max_length=2, end_token=None)
    >>> keras.ops.convert_to_numpy(counted).tolist()
    [[1, 0]]
    """
    return _Suppressing(step, _checked(tokens, "tokens"), _checked(first_tokens, "first_tokens")).step


class _Suppressing:
    """Has `step` and `prepare_step` like a model, so that decoders prepare the step that it changes."""

    def __init__(self, step, tokens, first_tokens):
        self._step = step
        self._tokens = tokens
        self._first_tokens = first_tokens

    def step(self, tokens, cache, index):
        return self._masked(self._step)(tokens, cache, index)

    def prepare_step(self):
        return self._masked(prepared(self._step))

    def _masked(self, step):
        def masked(tokens, cache, index):
            logits, cache = step(tokens, cache, index)
            always, first = self._masks(logits.shape[-1])
            suppressed = ops.logical_or(always, ops.logical_and(first, ops.equal(index, 0)))
            return ops.where(suppressed, ops.cast(float("-inf"), logits.dtype), logits), cache

        return masked

    def _masks(self, V):
        """Booleans [1, V]: suppressed always, and at position 0."""
        given = (self._tokens, self._first_tokens)
        if max((0, *given[0], *given[1])) >= V or len({*given[0], *given[1]}) == V:
            raise ValueError(
                f"`tokens` and `first_tokens` must be some, not all, of the V={V} tokens. "
                f"Received: tokens={given[0]}, first_tokens={given[1]}"
            )
        return [np.isin(np.arange(V), tokens).reshape(1, V) for tokens in given]


def _checked(tokens, name):
    return [require_int(int(token) if isinstance(token, np.integer) else token, name, least=0) for token in tokens]
