import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random


@pytest.mark.parametrize("start", [(0, 0), (4, 2)])
@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_adds_the_row_and_the_column_of_each_position(variant, start):
    x = random(2, 3, 5, 8)
    layer = noisy(layers.LearnedPositionEncoding2D(7, 9, variant), x)
    rows, columns = numpy(layer.rows), numpy(layer.columns)
    assert rows.shape[0] == 7 and columns.shape[0] == 9
    for index in (start, tuple(ops.convert_to_tensor(i, "int32") for i in start)):
        ours = numpy(layer(x, start_index=index))
        for r, c in np.ndindex(3, 5):
            row, column = rows[start[0] + r], columns[start[1] + c]
            position = np.concatenate([row, column]) if variant == "paper" else row + column
            np.testing.assert_allclose(ours[:, r, c], x[:, r, c] + 8**0.5 * position, atol=1e-5)


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_initial_vectors_have_unit_variance(variant):
    """After scaling, as in `TokenEmbedding`; the two tables are initialized independently."""
    layer = layers.LearnedPositionEncoding2D(200, 200, variant)
    layer.build((None, None, None, 64))
    for table in (layer.rows, layer.columns):
        assert abs(numpy(table).std() - 64**-0.5) < 2e-3
    assert np.abs(numpy(layer.rows) - numpy(layer.columns)).max() > 0.01
    assert layer.count_params() == 400 * (32 if variant == "paper" else 64)


def test_positions_beyond_the_tables():
    layer = layers.LearnedPositionEncoding2D(4, 6)
    small = (2, 2, 2, 8)
    for shape, start in (((2, 5, 6, 8), (0, 0)), ((2, 4, 7, 8), (0, 0)), (small, (3, 0)), (small, (0, -1))):
        with pytest.raises(ValueError, match="inside of the tables.*max_rows=4, max_columns=6"):
            layer(random(*shape), start_index=start)
    x = random(2, 2, 3, 8)
    noisy(layer, x)
    rows, columns = numpy(layer.rows), numpy(layer.columns)
    ours = numpy(layer(x, start_index=tuple(ops.convert_to_tensor(i, "int32") for i in (3, 4))))
    expected = np.concatenate([np.repeat(rows[[3, 3], None], 3, 1), np.repeat(columns[None, [4, 5, 5]], 2, 0)], -1)
    np.testing.assert_allclose(ours, x + 8**0.5 * expected, atol=1e-5)


def test_bad_arguments():
    for arguments, message in (((0, 3), "max_rows=0"), ((3, 1.5), "max_columns=1.5"), ((3, 3, "t2t"), "variant='t2t'")):
        with pytest.raises(ValueError, match=message):
            layers.LearnedPositionEncoding2D(*arguments)
    with pytest.raises(ValueError, match="even D"):
        layers.LearnedPositionEncoding2D(9, 9)(random(2, 3, 5, 7))
    assert layers.LearnedPositionEncoding2D(9, 9, "reference")(random(2, 3, 5, 7)).shape == (2, 3, 5, 7)
