import numpy as np
import pytest

from keras_attention.ops.shapes.extents import Extent
from tests.backend import numpy

B, T, Y, X, C = 2, 4, 3, 5, 6
CLIP = np.random.default_rng(0).standard_normal((B, T, Y, X, C)).astype("float32")
FOLDED = {
    "spacetime": ((B, T * Y * X, C), lambda b, n: [CLIP[b].reshape(-1, C)]),
    "space": ((B * T, Y * X, C), lambda b, n: list(CLIP[b].reshape(T, -1, C))),
    "time": ((B * Y * X, T, C), lambda b, n: list(CLIP[b].reshape(T, -1, C).swapaxes(0, 1))),
    2: ((B * 2, 2 * Y * X, C), lambda b, n: list(CLIP[b].reshape(2, -1, C))),
}


@pytest.mark.parametrize("kind", FOLDED)
def test_fold_and_unfold(kind):
    shape, parts = FOLDED[kind]
    extent = Extent(kind)
    folded = numpy(extent.fold(CLIP))
    assert folded.shape == shape
    np.testing.assert_array_equal(folded, np.stack([part for b in range(B) for part in parts(b, T)]))
    np.testing.assert_array_equal(numpy(extent.unfold(folded, (B, T, Y, X))), CLIP)
    mask = CLIP[..., 0] > 0
    np.testing.assert_array_equal(numpy(extent.fold(mask, trailing=0)), folded[..., 0] > 0)


@pytest.mark.parametrize(
    ("kind", "dims"),
    [
        ("spacetime", (B, 1, T * Y * X, T)),
        ("space", (B, T, 1, Y * X, 1)),
        ("time", (B, Y, X, 1, T, T)),
        (2, (B, 2, 1, 2 * Y * X, 2)),
    ],
)
def test_dimensions_of_scores(kind, dims):
    queries, keys = (B, T, Y, X), (B, T, Y, X) if kind == "time" else (B, T, 1, 1)
    assert Extent(kind).scores_dims(queries, keys) == dims
    unknown = Extent(kind).scores_dims((None, *queries[1:]), (None, *keys[1:]))
    assert unknown == (None, *dims[1:])
