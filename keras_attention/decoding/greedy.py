"""Greedy decoding."""

from keras import ops

from keras_attention.decoding.loop import generate, require_inputs, require_limits
from keras_attention.types import Nest, Step, Tensor


def greedy(
    step: Step,
    cache: Nest,
    start_tokens: Tensor,
    max_length: int,
    end_token: int | None,
    *,
    pad_token: int = 0,
    limits: int | Tensor | None = None,
) -> Tensor:
    r"""Greedy decoding: the most probable token at every position.

    $$ y_i = \arg\max_v p(v \mid y_{<i}, x) $$

        tokens: [B, L] = argmax over V of the logits [B, V], position by position

    Runs entirely inside the graph (`tf.function`, XLA, JAX `jit`, a SavedModel) and
    stops as soon as every sequence has ended. Each position costs one `step`.

    Args:
        step: Callable `(tokens [B] int32, cache, index [] int32) -> (logits [B, V], cache)`:
            reads the token at position `index`, counted from 0, and returns the logits
            of the next one. It returns the cache with the structure, shapes and dtypes
            it was given. A sequence whose logits contain a NaN ends there, without
            another token; the others are not affected. To continue a prompt of n tokens, pass
            `lambda tokens, cache, index: step(tokens, cache, index + n)`. For the method `step` of a model that has a
            `prepare_step()`, what that returns is called instead: the same, with what does not change from token
            to token computed before the loop.
        cache: Any nest of tensors whose first axis is B; `()` for none.
        start_tokens: Integers [B] of at least 0, read at position 0 and not part of the output.
        max_length: Positive int L, the maximum output length, end token included.
        end_token: Int; a sequence stops after writing it. `None`: all sequences have length L.
        pad_token: Int that fills the positions after the end.
        limits: Integers [B] or a scalar: the most tokens of each row, end token included, which may be tensors, such as
            an input of a served function. Clipped to [0, L]. `None`: L.

    Returns:
        Int32 [B, L]: the end token included, `pad_token` after it.

    Raises:
        ValueError: If an argument is out of range, or `step` does not return a pair
            (logits, cache) of the expected shapes.

    Example: a model that counts up to the end token 3.

    >>> import keras
    >>> def step(tokens, cache, index):
    ...     return keras.ops.one_hot(tokens + 1, 5), cache
    >>> keras.ops.convert_to_numpy(greedy(step, (), [0, 1], max_length=4, end_token=3)).tolist()
    [[1, 2, 3, 0], [2, 3, 0, 0]]
    """
    cache, start_tokens = require_inputs(step, cache, start_tokens, max_length, end_token, pad_token)
    limits = require_limits(limits, start_tokens, max_length)
    return generate(_argmax, step, cache, start_tokens, max_length, end_token, pad_token, limits)


def _argmax(logits, index):
    return ops.argmax(logits, axis=-1)
