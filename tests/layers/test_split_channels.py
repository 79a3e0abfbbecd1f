"""SplitChannels: columns of the grid become channels again."""

import numpy as np
import pytest

from keras_attention.layers import ImageGrid, SplitChannels
from tests.layers.helpers import numpy, random


def test_is_the_inverse_of_the_grid():
    x = random(2, 3, 4, 5, 6)
    np.testing.assert_array_equal(numpy(SplitChannels(5)(ImageGrid()(x))), x)


@pytest.mark.parametrize("shape", [(2, 3, 19, 6), (2, 3, 20)])
def test_columns_must_be_whole_pixels(shape):
    with pytest.raises(ValueError, match=r"`inputs` must be \[B, Y, X C, V\] with C = 5. Received: inputs.shape="):
        SplitChannels(5)(random(*shape))
