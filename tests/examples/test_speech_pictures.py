import numpy as np
import pytest
import speech_pictures

pytest.importorskip("matplotlib")


def test_spectrogram_and_words_share_the_time():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 70))
    scores[1, 42] = 2.0
    figure = speech_pictures.plot_words(rng.random((140, 9)), scores, ["one", "two", "3"], "title")
    above, below = figure.axes
    assert above.get_xlim() == below.get_xlim() == (0, 1.4)
    assert [label.get_text() for label in below.get_yticklabels()] == ["one", "two", "3"]
    shares = below.images[0].get_array()
    np.testing.assert_allclose(shares, scores / scores.max(axis=1, keepdims=True))
    assert below.lines[1].get_xdata()[0] == pytest.approx(42.5 * 0.02) and below.lines[1].get_ydata()[0] == 1
