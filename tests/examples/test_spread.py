import pytest
import spread


def test_the_deviation_is_that_of_a_sample():
    assert spread.deviation([0.9, 0.94]) == pytest.approx(0.04 / 2**0.5)
    assert spread.deviation([0.9]) == 0


def test_the_figure_has_a_dot_for_each_network():
    found = {"none": [0.9, 0.92, 0.91], "SE": [0.93, 0.9, 0.95]}
    [axes] = spread.plot_spread(found, "title", "accuracy").axes
    dots = [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [pytest.approx([100 * v for v in values]) for values in found.values()]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", "SE"]
    assert axes.get_legend() is None


def test_the_accuracy_of_random_guessing_is_a_line():
    [axes] = spread.plot_spread({"one": [0.5]}, "title", "accuracy", random_guess=0.25).axes
    [line] = [line for line in axes.lines if line.get_label() == "random guessing"]
    assert list(line.get_ydata()) == [25, 25]
