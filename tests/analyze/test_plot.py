import io
import sys

import pytest

from keras_attention.analyze import Comparison, Cost, Row, plot_costs

ROWS = [
    *(Row("attention", n, Cost(n * n, 1, 1, 1, 4 * n)) for n in (4, 16, 64)),
    *(Row("recurrence", n, Cost(8 * n, 1, n, n, 4 * n)) for n in (4, 16, 64)),
]


def test_a_panel_for_each_cost_and_a_line_for_each_layer():
    figure = plot_costs(Comparison(ROWS))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["multiply-adds", "sequential steps", "longest path", "bytes of activations"]
    for axes in figure.axes:
        assert axes.get_xscale() == axes.get_yscale() == "log"
        assert {line.get_label() for line in axes.lines} >= {"attention", "recurrence"}
    assert figure.axes[0].lines[1].get_ydata().tolist() == [32, 128, 512]
    [(crossing, value)] = figure.axes[0].lines[2].get_xydata().tolist()
    assert crossing == pytest.approx(8) and value == pytest.approx(64)
    figure.savefig(file := io.BytesIO(), format="png", dpi=40)
    assert file.tell() > 1000


def test_times_have_a_panel_if_some_were_measured():
    figure = plot_costs(Comparison([*ROWS, Row("attention", 128, Cost(128 * 128, 1, 1, 1, 512), 0.5)]))
    assert figure.axes[-1].get_title() == "seconds, measured"


@pytest.mark.parametrize("comparison", [None, Comparison([])])
def test_errors(comparison):
    with pytest.raises(ValueError, match="`comparison` must be what `compare` returns"):
        plot_costs(comparison)


def test_missing_matplotlib_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="visualize"):
        plot_costs(Comparison(ROWS))
