"""An alignment has a row for each target token and a column for each source token."""

import numpy as np
import pytest

from keras_attention import visualize

pytest.importorskip("matplotlib")
SCORES = np.random.default_rng(0).random((3, 5, 7))


def test_heads_are_averaged_and_padding_is_not_drawn():
    axes = visualize.plot_alignment(SCORES, "abcd", ["x", "y"], title="pair").axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), SCORES.mean(axis=0)[:2, :4], rtol=1e-6)
    assert [label.get_text() for label in axes.get_xticklabels()] == list("abcd")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("target", "source")


@pytest.mark.parametrize(
    ("scores", "source", "target", "message"),
    [
        (SCORES[None], "ab", "ab", r"`scores` must be \[T, S\].*\(1, 3, 5, 7\)"),
        (SCORES, "abcdefgh", "ab", "`source` must have 1 to 7 tokens. Received: 8"),
        (SCORES[0], "ab", "", "`target` must have 1 to 5 tokens. Received: 0"),
    ],
)
def test_bad_arguments_are_refused(scores, source, target, message):
    with pytest.raises(ValueError, match=message):
        visualize.plot_alignment(scores, source, target)
