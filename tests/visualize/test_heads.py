import io
from itertools import pairwise

import numpy as np
import pytest

from keras_attention.visualize import plot_heads

RNG = np.random.default_rng(0)
# Layers of different shapes; one with a batch of 1.
SCORES = {
    "model/block_0/attention": RNG.dirichlet(np.ones(7), (2, 5)),
    "model/block_1/attention": RNG.dirichlet(np.ones(7), (1, 3, 5)),
}


def maps(figure):
    return [image.get_array() for image in figure.axes[0].images]


def texts(labels):
    return [label.get_text() for label in labels]


def test_a_row_per_layer_and_a_column_per_head():
    figure = plot_heads(SCORES, title="all heads")
    figure.savefig(io.BytesIO(), format="png")
    [axes] = figure.axes
    first, second = SCORES.values()
    for image, expected in zip(axes.images, [*first, *second[0]], strict=True):
        np.testing.assert_allclose(image.get_array(), expected, rtol=1e-6)
        assert image.get_clim() == (0, image.get_array().max())
    assert (texts(axes.get_xticklabels()), texts(axes.get_yticklabels())) == (
        ["head 0", "head 1", "head 2"],
        ["block_0", "block_1"],
    )
    # A map lies around the ticks of its layer and head, with the first query above.
    for image, (row, column) in zip(axes.images, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]):
        left, right, bottom, top = image.get_extent()
        assert (left + right) / 2 == pytest.approx(axes.get_xticks()[column]) and left < right
        assert (top + bottom) / 2 == pytest.approx(axes.get_yticks()[row]) and top < bottom
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    boxes = [image.get_extent() for image in axes.images]
    assert boxes[0][1] < boxes[1][0] and boxes[0][2] < boxes[2][3]


def test_padding_is_left_out():
    query_mask, key_mask = np.arange(5) < 3, (np.arange(7) > 1).astype("int32")
    found = maps(plot_heads(list(SCORES.values()), query_mask=query_mask, key_mask=key_mask))
    np.testing.assert_allclose(found[1], SCORES["model/block_0/attention"][1, :3, 2:], rtol=1e-6)
    assert {array.shape for array in found} == {(3, 5)}


def test_many_heads_are_legible():
    scores = {f"encoder/transformer_{i}/attention_{i}": RNG.random((16, 6, 6)) for i in range(12)}
    figure = plot_heads(scores)
    figure.savefig(io.BytesIO(), format="png", dpi=100)
    assert figure.get_size_inches()[0] <= 7
    [axes] = figure.axes
    assert texts(axes.get_xticklabels()) == [str(head) for head in range(16)]
    columns, rows = (
        [t.get_window_extent() for t in ticks] for ticks in (axes.get_xticklabels(), axes.get_yticklabels())
    )
    assert all(left.x1 < right.x0 for left, right in pairwise(columns))
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(rows)) and min(row.x0 for row in rows) >= 0
    assert max(column.y1 for column in columns) <= 100 * figure.get_size_inches()[1]


@pytest.mark.parametrize("scores", [[], [np.ones((2, 2, 3, 3))], {"a": np.ones((3, 3))}, [np.ones((2, 0, 3))]])
def test_other_than_one_sample_raises_an_error(scores):
    with pytest.raises(ValueError, match=r"`scores` must be those of one sample.*Received: shapes"):
        plot_heads(scores)


def test_a_mask_that_does_not_fit_a_layer_raises_an_error():
    with pytest.raises(ValueError, match=r"`key_mask` must be boolean or integer, of shape \(7,\)"):
        plot_heads(SCORES, key_mask=np.ones(5, bool))
