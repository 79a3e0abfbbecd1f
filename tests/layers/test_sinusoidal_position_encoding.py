import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import numpy, random
from tests.reference import positions as reference


@pytest.mark.parametrize(
    ("variant", "table"), [("paper", reference.sinusoidal), ("reference", reference.sinusoidal_reference)]
)
def test_adds_the_row_of_each_position(variant, table):
    x = random(2, 5, 12)
    layer = layers.SinusoidalPositionEncoding(variant, max_wavelength=100.0)
    for start in (0, 4):
        expected = x + table(9, 12, 100.0)[start : start + 5]
        np.testing.assert_allclose(numpy(layer(x, start_index=start)), expected, atol=1e-5)


def test_bad_arguments():
    with pytest.raises(ValueError, match="variant='sines'"):
        layers.SinusoidalPositionEncoding("sines")
    with pytest.raises(ValueError, match="max_wavelength=-1"):
        layers.SinusoidalPositionEncoding(max_wavelength=-1)
    with pytest.raises(ValueError, match=r"\[B, T, D\].*\(2, 5\)"):
        layers.SinusoidalPositionEncoding()(random(2, 5))
