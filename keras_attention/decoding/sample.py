"""Random sampling with temperature, top-k and top-p."""

import keras
from keras import ops

from keras_attention.decoding.loop import generate, require_inputs, require_limits
from keras_attention.ops.require import is_number, require_int, require_number, require_seed
from keras_attention.ops.runtime.random_numbers import uniform
from keras_attention.types import Nest, Step, Tensor


def sample(
    step: Step,
    cache: Nest,
    start_tokens: Tensor,
    max_length: int,
    end_token: int | None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | Tensor | keras.random.SeedGenerator | None = None,
    *,
    pad_token: int = 0,
    limits: int | Tensor | None = None,
) -> Tensor:
    r"""Samples every token from the model's distribution, with temperature, top-k and top-p (nucleus).

    $$ y_i \sim q, \quad q(v) \propto p(v \mid y_{<i}, x)^{1 / \tau} \; [v \in \mathcal{V}_i] $$

    $\tau$ is the temperature. `top_k` keeps the k most probable tokens
    ([Fan et al., 2018](https://arxiv.org/abs/1805.04833)); after renormalization, `top_p` keeps the
    smallest set of most probable tokens with a total probability of at least p
    ([Holtzman et al., 2020](https://arxiv.org/abs/1904.09751)).

        noise:   [B, L] uniform, sampled once, before the loop
        weights: [B, V] = exp(logits / temperature), truncated
        tokens:  [B] = first v whose cumulative weight exceeds noise * total

    Runs entirely inside the graph, as `greedy` does, and stops as soon as every sequence
    has ended. A sequence whose logits contain a NaN ends there, without another
    token; the others are not affected. Truncation sorts: `top_k` sorts k tokens, `top_p` alone all V.

    Args:
        step: See `greedy`.
        cache: See `greedy`.
        start_tokens: Integers [B], read at position 0 and not part of the output.
        max_length: Positive int L, the maximum output length, end token included.
        end_token: Int; a sequence stops after writing it. `None`: all sequences have length L.
        temperature: Positive float; below 1 sharpens the distribution, above 1 flattens it.
        top_k: Positive int, or `None` for all tokens. More than V means all.
        top_p: Float in (0, 1], or `None` for all tokens.
        seed: Int from 0 to 2**32 - 1, or an integer tensor, such as an input of a served function (the same sample at
            every call): a scalar, or [B], one seed a row, by which alone it is sampled;
            `keras.random.SeedGenerator` (a new sample at every call; for a SavedModel, keep its
            state as an attribute of the saved object); or `None` for Keras's global generator.
        pad_token: Int that fills the positions after the end.
        limits: Integers [B] or a scalar: the most tokens of each row, end token included, which may be tensors, such as
            an input of a served function. Clipped to [0, L]. `None`: L.

    Returns:
        Int32 [B, L]: the end token included, `pad_token` after it.

    Raises:
        ValueError: If an argument is out of range, or `step` does not return a pair
            (logits, cache) of the expected shapes.

    Example: `top_k=1` is greedy decoding.

    >>> import keras
    >>> def step(tokens, cache, index):
    ...     return keras.ops.one_hot(tokens + 1, 5), cache
    >>> tokens = sample(step, (), [0, 1], max_length=4, end_token=3, top_k=1, seed=0)
    >>> keras.ops.convert_to_numpy(tokens).tolist()
    [[1, 2, 3, 0], [2, 3, 0, 0]]
    """
    cache, start_tokens = require_inputs(step, cache, start_tokens, max_length, end_token, pad_token)
    _require_options(temperature, top_k, top_p, seed)
    limits = require_limits(limits, start_tokens, max_length)
    # All random numbers are sampled here: a generator's state cannot change inside a loop that JAX traces.
    noise = uniform((ops.shape(start_tokens)[0], max_length), seed)

    def choose(logits, index):
        return draw(logits, ops.take(noise, index, axis=1), temperature, top_k, None if top_p == 1 else top_p)

    return generate(choose, step, cache, start_tokens, max_length, end_token, pad_token, limits)


def draw(logits, noise, temperature=1.0, top_k=None, top_p=None):
    """Tokens [B] from logits [B, V] and noise [B], uniform in [0, 1)."""
    weights, tokens = _weights(logits, temperature, top_k, top_p)
    ranks = _invert(weights, noise)
    return ranks if tokens is None else ops.take_along_axis(tokens, ops.expand_dims(ranks, 1), axis=1)[:, 0]


def _require_options(temperature, top_k, top_p, seed):
    require_number(temperature, "temperature", above=0)
    require_seed(seed, generator=True)
    require_int(top_k, "top_k", optional=True)
    if top_p is not None and not (is_number(top_p) and 0 < top_p <= 1):
        raise ValueError(f"`top_p` must be a float in (0, 1], or None. Received: top_p={top_p!r}")


def _weights(logits, temperature, top_k, top_p):
    """The candidates: weights [B, k], proportional to the probabilities, and tokens [B, k] (`None`: 0 .. V - 1)."""
    # Shifted before the division, so that a very small temperature does not overflow.
    logits = (logits - ops.max(logits, axis=-1, keepdims=True)) / temperature
    if top_k is None and top_p is None:
        return ops.exp(logits), None
    logits, tokens = ops.top_k(logits, min(top_k or logits.shape[-1], logits.shape[-1]))
    weights = ops.exp(logits)
    if top_p is not None:
        before = ops.cumsum(weights, axis=-1) - weights
        weights = ops.where(before < top_p * ops.sum(weights, axis=-1, keepdims=True), weights, 0.0)
    return weights, tokens


def _invert(weights, noise):
    """Inverse transform sampling: the first index whose cumulative weight exceeds `noise` [B] times the total."""
    mass = ops.cumsum(weights, axis=-1)
    threshold = ops.expand_dims(noise, 1) * ops.max(mass, axis=-1, keepdims=True)
    # A parallel sum need not be monotone in its last bit; a token of weight 0 must not be sampled for that.
    exceeds = ops.logical_and(mass > threshold, weights > 0)
    first = ops.argmax(ops.cast(exceeds, "int32"), axis=-1)
    return ops.where(ops.any(exceeds, axis=-1), first, ops.argmax(weights, axis=-1))
