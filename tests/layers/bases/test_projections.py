import keras
import numpy as np
import pytest

from keras_attention.layers.bases.projections import clone, into_heads, out_of_heads
from tests.layers.helpers import numpy, random


@pytest.mark.parametrize("middle", [(5,), (3, 5), (6, 3, 5)])
def test_projections_over_any_rank(middle):
    x = random(2, *middle, 12)
    into = into_heads(x.shape, 4, 3, True, "glorot_uniform", bias_initializer="ones")
    heads = numpy(into(x))
    np.testing.assert_allclose(heads, np.tensordot(x, numpy(into.kernel), 1) + 1, atol=1e-5)
    out = out_of_heads(heads.shape, (8, 9), True, "glorot_uniform", bias_initializer="ones")
    np.testing.assert_allclose(numpy(out(heads)), np.tensordot(heads, numpy(out.kernel), 2) + 1, atol=1e-5)


@pytest.mark.parametrize("middle", [(4,), (4, 5)])
def test_biases_of_heads_of_size_1_are_added_to_their_head(middle):
    """With as many positions as heads, Keras on TensorFlow adds a bias [N, 1] along the wrong axis."""
    x = random(2, *middle, 12)
    for size, dense in (
        (1, into_heads(x.shape, 4, 1, True, "glorot_uniform", bias_initializer="glorot_uniform")),
        (6, into_heads(x.shape, 4, 6, True, "glorot_uniform", bias_initializer="glorot_uniform")),
    ):
        expected = np.tensordot(x, numpy(dense.kernel), 1) + numpy(dense.bias)
        assert dense.bias.shape == (4, size) and np.ptp(numpy(dense.bias)) > 0.1
        np.testing.assert_allclose(numpy(dense(x)), expected, atol=1e-5)
        assert dense.compute_output_shape(x.shape)[-2:] == (4, size)
        assert dense(keras.Input(x.shape[1:])).ndim == x.ndim + 1
        dense.quantize("int8")
        np.testing.assert_allclose(numpy(dense(x)), expected, atol=0.1)
    heads = random(2, *middle, 3, 5)
    out = out_of_heads(heads.shape, (4, 1), True, "glorot_uniform", bias_initializer="glorot_uniform")
    expected = np.tensordot(heads, numpy(out.kernel), 2) + numpy(out.bias)
    np.testing.assert_allclose(numpy(out(heads)), expected, atol=1e-5)


def test_clones_of_an_initializer_have_their_own_seeds():
    initializer = keras.initializers.GlorotUniform()
    a, b = (numpy(clone(initializer)((3, 4))) for _ in range(2))
    assert np.abs(a - b).max() > 1e-3


def test_a_function_is_an_initializer_too():
    def halves(shape, dtype=None):
        return keras.ops.full(shape, 0.5, dtype)

    assert clone(halves) is halves
    assert (numpy(into_heads((2, 5, 12), 4, 3, False, halves).kernel) == 0.5).all()
