"""Random calls of the ops over queries and keys other than `attend`, each with the loops of its paper.

A call is (arrays by name, names of those to differentiate, axes of static size, the op, the loops).
"""

import numpy as np

from keras_attention import ops
from keras_attention.ops import block_local
from keras_attention.ops.block_local.masks import Blocks
from tests.backend import BACKEND
from tests.random_runs import size, some
from tests.reference import local_attention, memory_attention, non_local
from tests.reference.attend import attend

GAUSSIANS = {"none": {"gaussian": False}, "after": {}, "before": {"renormalize": True}}
SIZES = {"query": (2,), "key": (2,), "value": (2,), "vector": (0,), "coverage_vector": (0,)}


def random_additive(rng):
    """`additive_attend` with or without a window, `additive_logits` with or without coverage."""
    arrays, rest = _pairs(rng)
    U = arrays["query"].shape[-1]
    arrays["vector"] = rng.standard_normal(U).astype(arrays["query"].dtype)
    if rng.random() < 0.25:
        return _additive_logits(rng, arrays, rest)
    window = _window(rng, arrays) if rng.random() < 0.4 else {}
    return _attending(arrays, rest, window, ops.additive_attend, memory_attention.additive, ("vector",))


def random_local(rng):
    """`windowed_attend`: the dot product around a center."""
    arrays, rest = _pairs(rng)
    window = _window(rng, arrays)
    return _attending(arrays, rest, window, ops.windowed_attend, memory_attention.multiplicative, ())


def random_non_local(rng):
    """`non_local` with each of its pairwise functions."""
    arrays, rest = _pairs(rng)
    arrays.pop("mask", None)
    pairwise = str(rng.choice(["embedded_gaussian", "dot_product", "concatenation"]))
    if pairwise == "concatenation":
        arrays["vector"] = rng.standard_normal(2 * arrays["query"].shape[-1]).astype(arrays["query"].dtype)
    trained = [name for name in ("query", "key", "value", "vector") if name in arrays]

    def op(**tensors):
        return ops.non_local(pairwise=pairwise, **tensors, **rest)

    def loops(query, key, value, vector=None, query_mask=None, key_mask=None):
        y, weights = np.zeros((*query.shape[:2], value.shape[-1])), np.zeros((*query.shape[:2], key.shape[1]))
        for b in range(len(query)):
            sees = lambda i, j, b=b: (  # noqa: E731
                (query_mask is None or query_mask[b, i]) and (key_mask is None or key_mask[b, j])
            )
            y[b], weights[b] = non_local.operation(query[b], key[b], value[b], pairwise, vector, sees=sees)
        return y, weights

    return arrays, trained, SIZES, op, loops


def random_block_local(rng):
    """Attention of a sequence or an image in blocks."""
    B, N, H, V = size(rng, 3), int(rng.integers(1, 3)), int(rng.integers(1, 4)), int(rng.integers(1, 4))
    image = rng.random() < 0.5
    Y, X = (size(rng, 6), size(rng, 6)) if image else (size(rng, 19), 1)

    def pair(least, most):
        return tuple(int(rng.integers(least, most)) if image or i == 0 else least for i in range(2))

    blocks = Blocks(pair(1, 4), pair(0, 4), pair(1, 3), bool(rng.random() < 0.6))
    dtype = _dtype(rng)
    arrays = {
        name: rng.standard_normal((B, Y, X, N, features)).astype(dtype)
        for name, features in (("query", H), ("key", H), ("value", V))
    }
    if rng.random() < 0.5:
        arrays["mask"] = some(rng, (B, Y, X))
    scores = bool(rng.random() < 0.2)

    def op(**tensors):
        return block_local.attend(**tensors, blocks=blocks, return_scores=scores)

    def loops(query, key, value, mask=None):
        seen = local_attention.mask_2d(Y, X, blocks.query, blocks.memory, blocks.causal, blocks.dilation)
        flat = [x.reshape(B, Y * X, N, x.shape[-1]) for x in (query, key, value)]
        padding = None if mask is None else mask.reshape(B, Y * X)
        seen = seen.reshape(Y * X, Y * X)
        context, probs = attend(*flat, mask=seen, query_mask=padding, key_mask=padding)
        return context.reshape(B, Y, X, N, V), probs.reshape(B, N, Y, X, Y, X)

    return arrays, ["query", "key", "value"], dict.fromkeys(("query", "key", "value"), (3, 4)), op, loops


def random_monotonic(rng):
    """`monotonic_alignment` in its three modes; in the hard one the probabilities are 0 or 1."""
    B, S, dtype = size(rng, 3), size(rng, 9), _dtype(rng)
    mode = str(rng.choice(["recursive", "parallel", "hard"]))
    choose = rng.uniform(0.05, 0.95, (B, S))
    if mode == "hard":
        choose, previous = choose > 0.6, np.eye(max(S, 1))[rng.integers(0, max(S, 1), B)][:, :S]
    else:
        previous = rng.dirichlet(np.ones(max(S, 1)), B)[:, :S]
    arrays = {"choose": choose.astype(dtype), "previous": previous.astype(dtype)}

    def op(choose, previous, term=0.0):
        return ops.monotonic_alignment(choose, previous, mode) + term

    def loops(choose, previous, term=0.0):
        out = np.zeros((B, S)) + term
        for b in range(B):
            out[b] += memory_attention.monotonic(choose[b][None], previous[b])[0]
        return (out,)

    if mode == "hard":  # nothing is differentiable: an added term is
        arrays["term"] = np.zeros((B, S), dtype)
    return arrays, ["term"] if mode == "hard" else ["choose", "previous"], {}, op, loops


KINDS = {
    "additive": random_additive,
    "local": random_local,
    "non-local": random_non_local,
    "block-local": random_block_local,
    "monotonic": random_monotonic,
}


def _attending(arrays, rest, window, op, logits, parameters):
    trained = ["query", "key", "value", *parameters, *(["center"] if window else [])]
    kind, options = window.get("kind"), {**window.get("options", {}), **rest}

    def loops(query, key, value, mask=None, query_mask=None, key_mask=None, center=None, **parameters):
        given = {"mask": mask, "query_mask": query_mask, "key_mask": key_mask}
        if window:
            given = {**given, "center": center, "half_width": options["half_width"], "gaussian": kind}
        weights = memory_attention.soft(logits(query, key, **parameters), **given)
        return memory_attention.context(weights, value), weights

    return arrays, trained, SIZES, lambda **tensors: op(**tensors, **options), loops


def _additive_logits(rng, arrays, rest):
    arrays = {name: arrays[name] for name in ("query", "key", "vector")}
    if rng.random() < 0.5:
        arrays["coverage"] = rng.random(arrays["key"].shape[:2]).astype(arrays["key"].dtype)
        arrays["coverage_vector"] = rng.standard_normal(arrays["key"].shape[-1]).astype(arrays["key"].dtype)

    def loops(query, key, vector, coverage=None, coverage_vector=None):
        return (memory_attention.additive(query, key, vector, coverage, coverage_vector),)

    how = {name: rest[name] for name in ("block_size", "device")}
    return arrays, list(arrays), SIZES, lambda **x: ops.additive_logits(**x, **how), loops


def _pairs(rng):
    B, T, S = size(rng, 3), size(rng, 7), size(rng, 7)
    U, V, dtype = int(rng.integers(1, 5)), int(rng.integers(1, 5)), _dtype(rng)
    arrays = {
        "query": rng.standard_normal((B, T, U)).astype(dtype),
        "key": rng.standard_normal((B, S, U)).astype(dtype),
        "value": rng.standard_normal((B, S, V)).astype(dtype),
    }
    if rng.random() < 0.6:
        shape = [(T, S), (B, T, S)][rng.integers(2)]
        shape = tuple(1 if rng.random() < 0.35 else d for d in shape)
        arrays["mask"] = some(rng, shape).astype(rng.choice(["bool", "int32"]))
    for name, length in (("query_mask", T), ("key_mask", S)):
        if rng.random() < 0.35:
            arrays[name] = some(rng, (B, length))
    block_size = [0, None, int(rng.integers(1, 5)), 40][rng.choice(4, p=[0.2, 0.15, 0.55, 0.1])]
    how = {"block_size": block_size, "device": str(rng.choice(["cpu", "gpu"]))}
    return arrays, {**how, "return_scores": bool(rng.random() < 0.15)}


def _window(rng, arrays):
    B, T = arrays["query"].shape[:2]
    center = rng.uniform(-2.0, arrays["key"].shape[1] + 2.0, (B, T))
    arrays["center"] = center.astype(arrays["query"].dtype)
    kind = str(rng.choice(list(GAUSSIANS)))
    return {"kind": kind, "options": {"half_width": float(rng.uniform(0.3, 4.0)), **GAUSSIANS[kind]}}


def _dtype(rng):
    return "float64" if BACKEND == "tensorflow" and rng.random() < 0.15 else "float32"
