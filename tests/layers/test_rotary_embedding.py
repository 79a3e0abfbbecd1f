import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import numpy, random
from tests.reference import positions as reference


@pytest.mark.parametrize("layout", ["interleaved", "halves"])
def test_rotates_each_position_as_in_equation_34(layout):
    x = random(2, 5, 3, 8)
    expected = reference.rotary(x, range(4, 9), halves=layout == "halves", max_wavelength=100.0)
    layer = layers.RotaryEmbedding(max_wavelength=100.0, layout=layout)
    np.testing.assert_allclose(numpy(layer(x, start_index=4)), expected, atol=1e-5)


def test_scores_depend_on_distances_only():
    q, k, v = (random(2, 5, 3, 8, seed=i) for i in range(3))
    rotary, attention = layers.RotaryEmbedding(), layers.ScaledDotProductAttention()
    outputs = [numpy(attention(rotary(q, start_index=i), v, rotary(k, start_index=i))) for i in (0, 11)]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    shifted = numpy(attention(rotary(q, start_index=2), v, rotary(k)))
    assert np.abs(shifted - outputs[0]).max() > 1e-2


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"even number.*rotary_dim=None, inputs.shape=\(2, 5, 3, 7\)"):
        layers.RotaryEmbedding()(random(2, 5, 3, 7))
    with pytest.raises(ValueError, match=r"\[B, T, N, H\].*\(2, 5, 8\)"):
        layers.RotaryEmbedding()(random(2, 5, 8))
    with pytest.raises(ValueError, match="layout='pairs'"):
        layers.RotaryEmbedding(layout="pairs")
    with pytest.raises(ValueError, match="max_wavelength=0"):
        layers.RotaryEmbedding(max_wavelength=0)
