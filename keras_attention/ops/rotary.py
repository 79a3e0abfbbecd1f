"""Rotary position embedding: rotations of pairs of channels, and their rates for longer contexts.

Letters: B batch, T length, N heads, H head size, R rotated channels of a head.
"""

import math
from typing import Any

import numpy as np
from keras import ops

from keras_attention.ops.precision import at_least_float32
from keras_attention.ops.require import require_choice, require_int, require_number
from keras_attention.types import Tensor

LAYOUTS = ("interleaved", "halves")
# The keys of `scaling` beside "kind" and "factor", by kind.
SCALINGS = {
    "linear": (),
    "ntk": (),
    "llama3": ("low_frequency_factor", "high_frequency_factor", "original_length"),
}


def rotate(
    x: Tensor,
    positions: Tensor,
    layout: str = "interleaved",
    max_wavelength: float = 10000.0,
    rotary_dim: int | None = None,
    scaling: dict[str, Any] | None = None,
) -> Tensor:
    r"""Rotary position embedding (RoPE): rotates pairs of channels by their position
    ([Su et al., 2021](https://arxiv.org/abs/2104.09864), eq. 34).

    $$ (a, b)_i \to (a \cos p\theta_i - b \sin p\theta_i, \; a \sin p\theta_i + b \cos p\theta_i),
       \quad \theta_i = 10000^{-2i/R} $$

    The dot product of a rotated query and a rotated key depends on their distance only. Computed in float32 (float64 of
    an `x` in float64), returned in the dtype of `x`.

    Args:
        x: [B, T, N, H].
        positions: [T] or [B, T], integer or floating.
        layout: `"interleaved"`, pair i is channels (2i, 2i+1), as in the
            paper; or `"halves"`, channels (i, i + R/2), as many published
            checkpoints have it.
        max_wavelength: Positive float.
        rotary_dim: Positive even int R, at most H: only the first R channels
            of a head are rotated. `None` means H.
        scaling: See `rotary_rates`.

    Returns:
        Tensor shaped like `x`.

    Raises:
        ValueError: If `x` is not [B, T, N, H], R is odd, or an argument is out of its range.

    Example:

    >>> x = ops.ones((2, 5, 4, 8))
    >>> tuple(rotate(x, ops.arange(5)).shape)
    (2, 5, 4, 8)
    """
    require_choice(layout, "layout", LAYOUTS)
    if len(x.shape) != 4:
        raise ValueError(f"`x` must be [B, T, N, H]. Received: x.shape={tuple(x.shape)}")
    R = rotated_channels(x.shape[-1], rotary_dim, f"x.shape={tuple(x.shape)}")
    [y] = at_least_float32(x)
    rates = ops.cast(rotary_rates(R, max_wavelength, scaling), y.dtype)
    angles = ops.expand_dims(ops.cast(positions, y.dtype), (-2, -1)) * rates  # [T, 1, R/2] or [B, T, 1, R/2]
    cos, sin = ops.cos(angles), ops.sin(angles)
    if layout == "halves":
        a, b = y[..., : R // 2], y[..., R // 2 : R]
        rotated = ops.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
    else:
        a, b = y[..., 0:R:2], y[..., 1:R:2]
        rotated = ops.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
        rotated = ops.reshape(rotated, (*ops.shape(x)[:-1], R))
    rotated = rotated if x.shape[-1] == R else ops.concatenate([rotated, y[..., R:]], axis=-1)
    return ops.cast(rotated, x.dtype)


def rotated_channels(H, rotary_dim, received):
    """R, of a head of H channels; raises an error that ends with what was `received`."""
    require_int(rotary_dim, "rotary_dim", optional=True)
    R = H if rotary_dim is None else rotary_dim
    if H is None or R % 2 or R > H:
        raise ValueError(
            "The rotated channels (`rotary_dim`, or all of the last axis) must be an even number, as channels turn in "
            f"pairs, and at most the size of the last axis. Received: rotary_dim={rotary_dim}, {received}"
        )
    return R


def rotary_rates(rotary_dim: int, max_wavelength: float = 10000.0, scaling: dict[str, Any] | None = None) -> np.ndarray:
    r"""Radians per position of each pair of channels, [R / 2].

    $$ \theta_i = \lambda^{-2i/R}, \quad \lambda = \mathrm{max\_wavelength} $$

    For contexts that are `factor` f times as long as in training, `scaling` changes them, as published:

        {"kind": "linear", "factor"}   theta_i / f (position interpolation, Chen et al., 2023, arXiv:2306.15595)
        {"kind": "ntk", "factor"}      lambda becomes lambda f^(R / (R - 2)): the slowest pair turns f times slower,
                                       the fastest as before
        {"kind": "llama3", "factor", "low_frequency_factor", "high_frequency_factor", "original_length"}
                                       theta_i / f for pairs that turn less than `low_frequency_factor` times in the
                                       original length, theta_i for those that turn more than `high_frequency_factor`
                                       times, interpolated between (Llama 3.1)

    Args:
        rotary_dim: Positive even int R.
        max_wavelength: Positive float.
        scaling: One of the dicts above, or `None`.

    Returns:
        Array in float64.

    Raises:
        ValueError: If an argument is out of its range, or a key of `scaling` is missing or unknown.

    Example:

    >>> rotary_rates(4, max_wavelength=100.0).tolist()
    [1.0, 0.1]
    >>> rotary_rates(4, max_wavelength=100.0, scaling={"kind": "linear", "factor": 2.0}).tolist()
    [0.5, 0.05]
    """
    R = rotated_channels(require_int(rotary_dim, "rotary_dim"), None, f"rotary_dim={rotary_dim}")
    base = float(require_number(max_wavelength, "max_wavelength", above=0))
    scaling = require_scaling(scaling) or {"kind": "linear", "factor": 1.0}
    kind, factor = scaling["kind"], scaling["factor"]
    if kind == "ntk":
        base, factor = base * factor ** (R / max(R - 2, 1)), 1.0
    rates = base ** -(2 * np.arange(R // 2) / R)
    if kind != "llama3":
        return rates / factor
    low, high = scaling["low_frequency_factor"], scaling["high_frequency_factor"]
    turns = scaling["original_length"] * rates / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return rates * (kept + (1 - kept) / factor)


def require_scaling(scaling):
    """`scaling` if it is one of those of `rotary_rates`, else an error."""
    if scaling is None:
        return None
    kind = scaling.get("kind") if isinstance(scaling, dict) else None
    if kind not in SCALINGS:
        raise ValueError(f'`scaling` must be `None` or a dict with a "kind" of {tuple(SCALINGS)}. Received: {scaling=}')
    keys = {"kind", "factor", *SCALINGS[kind]}
    if set(scaling) != keys:
        raise ValueError(f"`scaling` of this kind must have the keys {sorted(keys)}. Received: {scaling=}")
    for key in sorted(keys - {"kind"}):
        require_number(scaling[key], f"scaling[{key!r}]", above=0)
    if kind == "llama3" and not scaling["low_frequency_factor"] < scaling["high_frequency_factor"]:
        raise ValueError(
            "`scaling['low_frequency_factor']` must be less than `scaling['high_frequency_factor']`. Received: "
            f"scaling={scaling}"
        )
    return dict(scaling)
