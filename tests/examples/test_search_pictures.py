import itertools

import numpy as np
import pytest
import search_pictures
from search_pictures import Panel, drawable, flow, plot_words, widths

WORDS = ["The", "lamp", "costs", "$5", "or", "$6", "and", "年", "is", "a", "year"]


def boxes(figure):
    [axes] = figure.axes
    return np.array([patch.get_facecolor()[:3] for patch in axes.patches])


def texts(figure):
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_largest_number_is_the_darkest_and_below_zero_is_white():
    values = np.array([0.1, -2.0, 0.3, 0.0, 0.6, 0.2, 0.5, 0.4, 0.05, 0.01, 0.02])
    figure = plot_words(WORDS, [Panel("up", values, "Blues"), Panel("down", values[::-1], "Oranges")], "title", "where")
    up, down = np.split(boxes(figure).sum(axis=1), 2)
    order = np.argsort(-np.clip(values, 0, None), kind="stable")
    assert np.argmin(up) == 4 and np.argmin(down) == 6
    assert (np.diff(up[order[:9]]) > 0).all() and (up[[1, 3]] == 3).all()
    drawn = [word.replace("年", "□") for word in WORDS]
    assert texts(figure) == ["title", "where", "up", *drawn, "down", *drawn]


def test_nothing_attended_to_is_all_white():
    assert (boxes(plot_words(["a", "b"], [Panel("none", np.zeros(2), "Blues")], "", "")) == 1).all()


def test_words_flow_in_lines_within_the_margins(monkeypatch):
    monkeypatch.setattr(search_pictures, "WIDTH", 100)
    monkeypatch.setattr(search_pictures, "MARGIN", 10)
    positions, lines = flow([30, 40, 20, 200, 5, 1])
    assert lines == 4
    assert [line for _, line, _ in positions] == [0, 0, 1, 2, 3]
    gap = 1 + search_pictures.PAD
    assert [x for x, *_ in positions] == [10, 10 + 30 + gap, 10, 10, 10]


def test_the_words_are_inside_the_picture_and_apart():
    words = ["lamp,", "W" * 12, "i", "(key_mask)"] * 9
    figure = plot_words(words, [Panel("", np.ones(36), "Blues")] * 2, "A question " * 20, "A section " * 20)
    width, height = figure.get_size_inches() * figure.dpi
    spans = [text.get_window_extent() for text in figure.axes[0].texts]
    assert min(s.x0 for s in spans) > 0 and max(s.x1 for s in spans) < width
    assert min(s.y0 for s in spans) > 0 and max(s.y1 for s in spans) < height
    after = [(a, b) for a, b in itertools.pairwise(spans[3:39]) if abs(a.y0 - b.y0) < 5 and b.x0 > a.x0]
    assert len(after) > 20 and all(b.x0 > a.x1 for a, b in after)
    assert texts(figure)[0].endswith(" …")


@pytest.mark.filterwarnings("error")
def test_widths_and_missing_characters():
    assert drawable(["年 ab", "·–→"]) == ["□ ab", "·–→"]
    one, two, space = widths(["lamp", "lamplamp", " "])
    assert two == pytest.approx(2 * one, rel=0.05) and 0 < space < one
