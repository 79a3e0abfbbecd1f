"""Monotonic attention: it moves forward along the memory, and stops at each key with some probability."""

import numpy as np
from keras import ops

from keras_attention.ops.checks import check_shape
from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.recurrence import recur
from keras_attention.ops.require import require_choice
from keras_attention.types import Tensor

MODES = ("recursive", "parallel", "hard")


def monotonic_alignment(choose: Tensor, previous: Tensor, mode: str = "parallel") -> Tensor:
    r"""Monotonic attention: the alignment of a query, from the alignment of the query before it.

    $$ \alpha_{t,s} = p_{t,s} \, q_{t,s}, \quad q_{t,s} = (1 - p_{t,s-1}) \, q_{t,s-1} + \alpha_{t-1,s} $$

    as in "Online and Linear-Time Attention by Enforcing Monotonic Alignments", section 2
    ([Raffel et al., 2017](https://arxiv.org/abs/1704.00784)): from its last key, attention moves right, and stops at
    key s with probability p. Past the last key it attends to nothing: the sum is at most 1.

    Args:
        choose: [B, S], the probabilities p of stopping; with `"hard"`, 0 or 1.
        previous: [B, S], the alignment of the query before; of the first, 1 at key 0.
        mode: `"recursive"`: as written above, exact, key after key. `"parallel"`: the same by cumulative sums and
            products, as published; inexact after a p of nearly 1. `"hard"`: the first key, from that
            of `previous` on, whose p is 1; for decoding.

    Returns:
        [B, S], float32, or float64 if an input is.

    Raises:
        ValueError: If `mode` is none of these, or the shapes do not fit.

    Example:

    >>> import numpy as np
    >>> [float(x) for x in monotonic_alignment(np.array([[0.5, 0.5, 1.0]]), np.array([[1.0, 0.0, 0.0]]))[0]]
    [0.5, 0.25, 0.25]
    """
    require_choice(mode, "mode", MODES)
    choose, previous = at_least_float32(choose, previous)
    for name, x in (("choose", choose), ("previous", previous)):
        if len(x.shape) != 2:
            raise ValueError(f"`{name}` must be [B, S]. Received: {name}.shape={tuple(x.shape)}")
    check_shape(previous, "previous", tuple(choose.shape))
    if mode == "recursive":
        return choose * _arrivals(choose, previous)
    if mode == "parallel":
        tiny = float(np.finfo("float32").tiny)
        passed = ops.exp(ops.cumsum(ops.log(ops.clip(_shift(1.0 - choose, 1.0), tiny, 1.0)), axis=1))
        return choose * passed * ops.cumsum(previous / ops.clip(passed, 1e-10, 1.0), axis=1)
    stops = choose * ops.cumsum(previous, axis=1)
    return stops * ops.cumprod(_shift(1.0 - stops, 1.0), axis=1)


def _arrivals(choose, previous):
    """q: the probability that attention gets as far as each key, [B, S]."""

    def step(q, x):
        q = x["pass"] * q + x["start"]
        return q, q

    zero = ops.sum(ops.zeros_like(previous), axis=1)
    return recur(step, zero, zero, {"pass": _shift(1.0 - choose, 0.0), "start": previous})[0]


def _shift(x, first):
    """Shifts [B, S] to the right by one, with `first` in front."""
    return ops.concatenate([ops.zeros_like(x[:, :1]) + first, x[:, :-1]], axis=1)
