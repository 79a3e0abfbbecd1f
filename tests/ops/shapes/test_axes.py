import itertools

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.shapes import axes as axes_ops

B, N, H = 2, 4, 6
MIDDLE = (3, 5, 7)


def numpy(x):
    return np.asarray(ops.convert_to_numpy(x))


def every_choice():
    for rank in (1, 2, 3):
        for count in range(1, rank + 1):
            yield from ((rank, axes) for axes in itertools.permutations(range(1, rank + 1), count))


@pytest.mark.parametrize("rank, axes", every_choice(), ids=str)
def test_unfold_is_the_inverse_of_fold(rank, axes):
    x = np.random.default_rng(0).standard_normal((B, *MIDDLE[:rank], N, H)).astype("float32")
    folded = axes_ops.fold_axes(x, axes, trailing=2)
    length = int(np.prod([x.shape[a] for a in axes]))
    assert tuple(folded.shape) == (B * int(np.prod(MIDDLE[:rank])) // length, length, N, H)
    np.testing.assert_array_equal(numpy(axes_ops.unfold_axes(folded, axes, x.shape[:-2])), x)
