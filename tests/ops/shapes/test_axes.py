import itertools

import numpy as np
import pytest
from keras import ops

from keras_attention.ops import attend
from keras_attention.ops.attention import attend_axes
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


@pytest.mark.parametrize("rank, axes", every_choice(), ids=str)
def test_slices_are_attended_separately(rank, axes):
    """Attention over some axes equals attention over slices along the others, each a batch entry."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((B, *MIDDLE[:rank], N, H)).astype("float32")
    bias = rng.standard_normal(axes_ops.scores_dims(N, axes, x.shape[:-2], x.shape[:-2])).astype("float32")
    tensor, added = ops.convert_to_tensor(x), ops.convert_to_tensor(bias)
    context, scores = attend_axes(tensor, tensor, tensor, axes, bias=added, return_scores=True)
    assert scores.shape == bias.shape
    chosen = ops.convert_to_tensor([1, -1])
    same, rows = attend_axes(tensor, tensor, tensor, axes, bias=added, return_scores=True, chosen=chosen)
    flat = numpy(scores).reshape(*rows.shape[: -1 - len(axes)], -1, *rows.shape[len(rows.shape) - len(axes) :])
    np.testing.assert_allclose(numpy(rows), np.take(flat, [1, -1], axis=flat.ndim - 1 - len(axes)), atol=1e-6)
    np.testing.assert_allclose(numpy(same), numpy(context), atol=1e-5)
    free = [a for a in range(rank + 1) if a not in axes]
    order = (*free, *axes, rank + 1, rank + 2)
    length = int(np.prod([x.shape[a] for a in axes]))
    slices = x.transpose(order).reshape(-1, length, N, H)
    expected = numpy(attend(slices, slices, slices, bias=bias.reshape(-1, N, length, length), block_size=0))
    np.testing.assert_allclose(numpy(context).transpose(order).reshape(expected.shape), expected, atol=1e-5)
