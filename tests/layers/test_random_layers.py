"""Random layers on random inputs, called in any way, against the loops of the papers: values, scores and gradients.

A `random_*` function returns (arrays by name, names of those with gradients, the layer's call, the loops).
"""

import functools

import numpy as np
import pytest

from keras_attention.layers import BahdanauAttention, LocalAttention1D, LuongAttention, MultiHeadAttention
from tests.layers.helpers import noisy, weights_of
from tests.layers.memory import fill
from tests.random_runs import XLA, any_way, check_all, check_gradients, run, size, some
from tests.reference import memory_attention
from tests.reference.local_attention import mask_1d
from tests.reference.multi_head_attention import multi_head


def random_multi_head(rng):
    B, T, S, D = size(rng, 3), size(rng, 6), size(rng, 6), 4
    K, groups, H = (int(rng.integers(1, 4)) for _ in range(3))
    N, window = K * groups, None if rng.random() < 0.7 else int(rng.integers(1, 5))
    init = {"num_key_value_heads": K, "value_dim": int(rng.integers(1, 4)), "sliding_window": window}
    init |= {"use_bias": _yes(rng, 0.5), "output_shape": None if rng.random() < 0.5 else 3}
    arrays = _normal(rng, query=(B, T, D), value=(B, S, D + 1), key=(B, S, D + 2))
    layer = noisy(MultiHeadAttention(N, H, **init), *(np.zeros((1, 1, x.shape[-1])) for x in arrays.values()))
    call = {"use_causal_mask": _yes(rng, 0.5), "query_offset": int(rng.integers(-2, 4)) if rng.random() < 0.5 else 0}
    trained = list(arrays)
    if rng.random() < 0.6:
        shape = [(T, S), (B, T, S), (B, N, T, S)][rng.integers(3)]
        arrays["attention_mask"] = some(rng, [1 if rng.random() < 0.3 else d for d in shape])
    if rng.random() < 0.5:
        bias = rng.standard_normal([1 if rng.random() < 0.3 else d for d in (B, N, T, S)])
        arrays["attention_bias"] = np.where(rng.random(bias.shape) < rng.choice([0, 0.4]), -np.inf, bias).astype("f4")
    arrays |= _padding(rng, B, query_mask=T, value_mask=S)

    def loops(query, value, key, attention_mask=True, attention_bias=0.0, query_mask=None, value_mask=None):
        mask = np.asarray(attention_mask)
        bias = np.broadcast_to(attention_bias, (B, N, T, S))
        sees = np.broadcast_to(mask[:, None] if mask.ndim == 3 else mask, (B, N, T, S)) & (bias > -np.inf)
        sees = sees & (True if query_mask is None else query_mask[:, None, :, None])
        sees = sees & (True if value_mask is None else value_mask[:, None, None])
        distance = np.arange(T)[:, None] + call["query_offset"] - np.arange(S)
        sees = sees & ((distance >= 0) | (not call["use_causal_mask"])) & (window is None or abs(distance) < window)
        return multi_head(query, value, key, weights_of(layer), sees, bias)

    return arrays, trained, functools.partial(layer, **call), loops


def random_local(rng):
    B, T, N = size(rng, 3), size(rng, 11), int(rng.integers(1, 4))
    blocks = int(rng.integers(1, 5)), int(rng.integers(0, 5))
    causal, dilation = _yes(rng, 0.6), int(rng.integers(1, 3))
    layer = LocalAttention1D(N, int(rng.integers(1, 4)), *blocks, causal, dilation=dilation)
    arrays = _normal(rng, inputs=(B, T, 5))
    noisy(layer, np.zeros((1, 1, 5)))
    arrays |= _padding(rng, B, mask=T)

    def loops(inputs, mask=None):
        sees = np.broadcast_to(mask_1d(T, *blocks, causal, dilation), (B, N, T, T))
        if mask is not None:
            sees = sees & mask[:, None, :, None] & mask[:, None, None]
        return multi_head(inputs, inputs, inputs, weights_of(layer), sees)

    return arrays, ["inputs"], layer, loops


def random_bahdanau(rng):
    layer = BahdanauAttention(int(rng.integers(1, 5)), normalize=_yes(rng, 0.5), score_bias=_yes(rng, 0.5))

    def energies(query, key, weights):
        vector = weights["vector"]
        if layer.normalize:
            vector = vector * weights["scale"] / np.linalg.norm(vector)
        projected = query @ weights["query/kernel"] + weights.get("bias", 0.0)
        return memory_attention.additive(projected, key @ weights["key/kernel"], vector)

    return _of_a_memory(rng, layer, energies)


def random_luong(rng):
    score = str(rng.choice(["general", "concat"]))
    window = {"window": "local_m", "half_width": int(rng.integers(1, 4))} if rng.random() < 0.4 else {}
    layer = LuongAttention(score, **({"units": 3} if score == "concat" else {}), scale=_yes(rng, 0.5), **window)

    def energies(query, key, weights):
        projected = key @ weights["key/kernel"]
        if score == "general":
            return weights.get("scale", 1.0) * memory_attention.multiplicative(query, projected)
        query = query @ weights["query/kernel"]
        return weights.get("scale", 1.0) * memory_attention.additive(query, projected, weights["vector"])

    return _of_a_memory(rng, layer, energies, window.get("half_width"))


def _of_a_memory(rng, layer, energies, half_width=None):
    B, T, S = size(rng, 3), size(rng, 6), size(rng, 6)
    arrays = _normal(rng, query=(B, T, 4), value=(B, S, 5), key=(B, S, 3))
    weights = fill(layer, *(np.zeros((1, 1, x.shape[-1])) for x in arrays.values()))
    trained = list(arrays)
    if rng.random() < 0.6:
        shape = [(T, S), (B, T, S)][rng.integers(2)]
        arrays["attention_mask"] = some(rng, [1 if rng.random() < 0.35 else d for d in shape])
    if half_width is None:  # with it, padding on the left moves the positions
        arrays |= _padding(rng, B, query_mask=T, value_mask=S)

    def loops(query, value, key, attention_mask=None, query_mask=None, value_mask=None):
        center = None if half_width is None else np.broadcast_to(np.arange(T, dtype=float), (B, T))
        masks = {"mask": attention_mask, "query_mask": query_mask, "key_mask": value_mask}
        scores = memory_attention.soft(energies(query, key, weights), **masks, center=center, half_width=half_width)
        return memory_attention.context(scores, value), scores

    return arrays, trained, layer, loops


KINDS = {"multi-head": random_multi_head, "local": random_local, "bahdanau": random_bahdanau, "luong": random_luong}


def check(rng, kind):
    arrays, trained, layer, loops = KINDS[kind](rng)
    more = {"return_attention_scores": True} if rng.random() < 0.3 else {}
    with np.errstate(invalid="ignore"):  # a flag that another library has left
        expected = loops(**arrays)
    cotangent = rng.standard_normal(expected[0].shape)
    way, known = any_way(rng), {name: (arrays[name].ndim - 1,) for name in trained}
    if way == XLA and kind in ("multi-head", "luong"):  # XLA has no gradient of a choice made when the graph runs
        known = {name: range(arrays[name].ndim) for name in trained}
    results, gradients = run(lambda **x: layer(**x, **more), arrays, trained, cotangent, way, known)
    for one, other in zip(results, expected, strict=False):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    check_gradients(rng, loops, arrays, gradients, cotangent, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_random_layers_equal_the_loops_of_the_papers(kind):
    check_all(check, 1, kind)


def _normal(rng, **shapes):
    return {name: rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()}


def _padding(rng, B, **lengths):
    return {name: some(rng, (B, length)) for name, length in lengths.items() if rng.random() < 0.35}


def _yes(rng, probability):
    return bool(rng.random() < probability)
