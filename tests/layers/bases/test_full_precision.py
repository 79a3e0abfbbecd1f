"""An additive bias is never cast to half precision before it is added to the logits."""

import keras
import numpy as np
import pytest

from keras_attention.layers import (
    ALiBi,
    MultiHeadAttention,
    RelativePositionBias,
    ScaledDotProductAttention,
    TransformerDecoderBlock,
    TransformerEncoderBlock,
)
from tests.backend import numpy

B, T, D, N = 2, 5, 12, 3
X = np.random.default_rng(0).standard_normal((B, T, D)).astype("float32")
LAYERS = {
    "multi-head": lambda **k: MultiHeadAttention(N, 4, **k),
    "scaled-dot-product": lambda **k: ScaledDotProductAttention(**k),
    "encoder": lambda **k: TransformerEncoderBlock(N, 7, **k),
    "decoder": lambda **k: TransformerDecoderBlock(N, 7, **k),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_large_negative_bias_is_exact_under_mixed_precision(name):
    """In float16, -1e9 would become -inf, which hides, and differences of 1 would vanish."""
    arguments = (X[:, :, None].reshape(B, T, N, 4),) * 2 if name == "scaled-dot-product" else (X, X)
    arguments = arguments[:1] if name == "encoder" else arguments
    bias = np.full((1, 1, T, T), -1e9, "float32")
    bias[..., 2:] = -2049 * np.arange(3, dtype="float32")  # float16 rounds -2049 and -4098
    bias[0, 0, 1] = -1e9
    outputs = []
    for dtype in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(1)
        layer = LAYERS[name](dtype=dtype)
        outputs.append(layer(*arguments, attention_bias=bias))
        assert keras.backend.standardize_dtype(outputs[-1].dtype) == layer.compute_dtype
    exact, half = (numpy(keras.ops.cast(x, "float32")) for x in outputs)
    assert np.isfinite(half).all()
    np.testing.assert_allclose(half, exact, atol=2e-2)
    without = numpy(keras.ops.cast(layer(*arguments), "float32"))
    assert abs(half - without).max() > 0.1, "the bias counts"


@pytest.mark.parametrize("kind", [ALiBi, RelativePositionBias])
def test_bias_layers_return_float32_under_mixed_precision(kind):
    keras.utils.set_random_seed(1)
    exact, half = kind(N, dtype="float32"), kind(N, dtype="mixed_bfloat16")
    x = np.zeros((1, 300, 1), "float32")
    expected = numpy(exact(x))
    for old, new in zip(exact.weights, half.weights or (half(x), half.weights)[1], strict=True):
        new.assign(old)
    actual = half(x)
    assert keras.backend.standardize_dtype(actual.dtype) == "float32" == half(keras.Input((300, 1))).dtype
    np.testing.assert_array_equal(numpy(actual), expected)
