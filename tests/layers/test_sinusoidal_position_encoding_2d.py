import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from tests.layers.helpers import numpy, random
from tests.reference import positions as reference

TABLES = {"paper": reference.sinusoidal, "reference": reference.sinusoidal_reference}


@pytest.mark.parametrize("start", [(0, 0), (3, 2)])
@pytest.mark.parametrize("variant", TABLES)
def test_adds_the_row_and_the_column_of_each_position(variant, start):
    x = random(2, 3, 5, 8)
    table = TABLES[variant](9, 4)
    for index in (start, tuple(ops.convert_to_tensor(i, "int32") for i in start)):
        ours = numpy(layers.SinusoidalPositionEncoding2D(variant)(x, start_index=index))
        for row, column in np.ndindex(3, 5):
            position = np.concatenate([table[start[0] + row], table[start[1] + column]])
            np.testing.assert_allclose(ours[:, row, column], x[:, row, column] + position, atol=1e-5)


def test_bad_arguments():
    for arguments, message in (({"variant": "t2t"}, "variant='t2t'"), ({"max_wavelength": 0}, "max_wavelength=0")):
        with pytest.raises(ValueError, match=message):
            layers.SinusoidalPositionEncoding2D(**arguments)
    for shape in ((2, 5, 8), (2, 3, 5, 7)):
        with pytest.raises(ValueError, match=r"\[B, Y, X, D\] with a known and even D"):
            layers.SinusoidalPositionEncoding2D()(random(*shape))
