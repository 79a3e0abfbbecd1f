"""Random calls of `ops.attend`: sizes, masks and biases of any broadcastable shape, all options but dropout."""

import numpy as np

from tests.backend import BACKEND
from tests.random_runs import some

LOWEST = {"float32": np.finfo("float32").min, "float64": np.finfo("float64").min}


def random_call(rng):
    """Returns the arrays of a call by name, and its other options."""
    dtype = "float64" if BACKEND != "jax" and rng.random() < 0.15 else "float32"
    B, T, S = _size(rng, 3), _size(rng, 11), _size(rng, 11)
    K, groups, H, V = rng.integers(1, 4), rng.integers(1, 4), rng.integers(1, 5), rng.integers(1, 5)
    N = K * groups
    arrays = {
        "query": rng.standard_normal((B, T, N, H)).astype(dtype),
        "key": rng.standard_normal((B, S, K, H)).astype(dtype),
        "value": rng.standard_normal((B, S, K, V)).astype(dtype),
    }
    if rng.random() < 0.5:
        shape = [(T, S), (B, T, S), (B, N, T, S)][rng.integers(3)]
        arrays["mask"] = some(rng, _broadcast(rng, shape)).astype(rng.choice(["bool", "int32"]))
    for name, length in (("query_mask", T), ("key_mask", S)):
        if rng.random() < 0.3:
            arrays[name] = some(rng, (B, length))
    if rng.random() < 0.6:
        arrays["bias"] = _bias(rng, B, N, T, S, dtype)
    if rng.random() < 0.3:
        arrays["sinks"] = rng.standard_normal(N).astype(dtype)
    options = {
        "causal": bool(rng.random() < 0.5),
        "window": None if rng.random() < 0.6 else int(rng.integers(1, 8)),
        "scale": None if rng.random() < 0.7 else float(rng.normal()),
        "logit_cap": None if rng.random() < 0.7 else float(rng.uniform(0.3, 3.0)),
    }
    offset = int(rng.integers(-T - 2, S + 3)) if rng.random() < 0.6 else 0
    if rng.random() < 0.3:
        arrays["query_offset"] = np.array(offset, rng.choice(["int32", "int64"]))
    else:
        options["query_offset"] = offset
    options["block_size"] = [0, None, int(rng.integers(1, 6)), 40][rng.choice(4, p=[0.25, 0.1, 0.55, 0.1])]
    options["device"] = str(rng.choice(["cpu", "gpu"]))
    if not options["block_size"] and rng.random() < 0.3:
        options["return_scores"] = True
    return arrays, options


def _size(rng, most):
    """Often 1, now and then 0."""
    return int(rng.choice([0, 1, rng.integers(2, most + 1)], p=[0.04, 0.16, 0.8]))


def _broadcast(rng, shape):
    return tuple(1 if rng.random() < 0.3 else d for d in shape)


def _bias(rng, B, N, T, S, dtype):
    by_distance = rng.random() < 0.4
    shape = (B, N, max(T + S - 1, 0)) if by_distance else (B, N, T, S)
    shape = tuple(1 if rng.random() < 0.3 and not (by_distance and i == 2) else d for i, d in enumerate(shape))
    bias = rng.standard_normal(shape).astype(dtype)
    # Low enough that the other logits are lost to rounding in the float64 of the oracle as in float32.
    low = [-np.inf, LOWEST[dtype], -1e25, -3e30][rng.integers(4)]
    share = rng.choice([0.0, 0.4, 0.9, 1.0])
    return np.where(rng.random(shape) < share, np.array(low, dtype), bias)
