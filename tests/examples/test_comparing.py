import types

import comparing
import numpy as np
import pytest
from runs import OtherRunError


def test_the_interval_is_that_of_students_t():
    # The quantile of t with two degrees of freedom in closed form: 0.95 * sqrt(2 / (1 - 0.95 ** 2)).
    quantile = 0.95 * (2 / (1 - 0.95**2)) ** 0.5
    values = [0.90, 0.92, 0.97]
    assert comparing.interval(values) == pytest.approx(quantile * np.std(values, ddof=1) / 3**0.5)
    assert np.isnan(comparing.interval([0.9]))


def test_a_mean_of_one_network_has_no_interval():
    assert comparing.mean_text([0.5]) == "50.0 %"
    assert comparing.mean_text([0.5, 0.5], 2, "+") == "+50.00 % ± 0.00"


def test_differences_are_between_networks_of_the_same_seed(capsys):
    rates = {"none": [0.5, 0.7], "SE": [0.6, 0.8]}
    comparing.print_rates(rates, {"none": 1234, "SE": 2345}, "none")
    *_, header, none, gated = capsys.readouterr().out.splitlines()
    assert header.split("  ")[-1] == "difference from none" and len(header) == len(gated)
    assert "1,234" in none and "±" in none and "+" not in none
    assert gated.endswith("+10.0 % ± 0.0")
    comparing.print_rates({"SE": [0.6]}, {"SE": 2345}, "a baseline with a long name")
    assert "mean  difference from a baseline with a long name" in capsys.readouterr().out
    comparing.print_rates({"SE": [0.6]}, {"SE": 2345}, "none")
    assert capsys.readouterr().out.splitlines()[-1].split() == ["SE", "2,345", "60.0", "%"]


def test_every_kind_is_trained_with_every_seed_in_a_folder_of_its_own(tmp_path, capsys):
    options = types.SimpleNamespace(output=tmp_path, seeds=2, steps=3, batch=5)
    folders = []

    def learn(model, name, seed, folder):
        folders.append(folder.relative_to(tmp_path).as_posix())
        return 2 * seed

    def build(options, name, seed):
        return types.SimpleNamespace(trainable_variables=[np.zeros((3, 2)), np.zeros(1)], of=(name, seed))

    done = list(comparing.trained(options, ("C2D", "C2D, one frame"), build, learn))
    assert [model.of for _, _, model in done] == [(name, seed) for name, seed, _ in done]
    assert folders == ["C2D/seed-0", "C2D-one-frame/seed-0", "C2D/seed-1", "C2D-one-frame/seed-1"]
    printed = capsys.readouterr().out
    assert printed.count("resumed after update 2 of an earlier run") == 2
    assert printed.count(": 7 trained weights, 3 updates of 5") == 4


def test_a_network_of_more_updates_is_an_error(tmp_path):
    options = types.SimpleNamespace(output=tmp_path, seeds=1, steps=3, batch=5)
    build, learn = lambda *_: types.SimpleNamespace(trainable_variables=[]), lambda *_: 4
    with pytest.raises(OtherRunError, match="--steps must be at least the 4 updates done, or see --fresh"):
        list(comparing.trained(options, ("C2D",), build, learn))


def test_the_figure_has_a_dot_for_each_network():
    found = {"none": [0.9, 0.92, 0.91], "SE": [0.93, 0.9, 0.95]}
    [axes] = comparing.plot_rates(found, "title", "accuracy").axes
    dots = [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "o"]
    assert dots == [pytest.approx([100 * v for v in values]) for values in found.values()]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["none", "SE"]
    assert axes.get_legend() is None
    assert len(axes.containers) == 2 and "squares: mean over seeds" in axes.get_ylabel()


def test_of_one_seed_there_is_no_mean_to_plot():
    [axes] = comparing.plot_rates({"none": [0.9], "SE": [0.93]}, "title", "accuracy").axes
    assert len(axes.containers) == 0 and axes.get_ylabel() == "accuracy, %"
    assert [line.get_ydata().tolist() for line in axes.lines] == [[pytest.approx(90)], [pytest.approx(93)]]


def test_rates_to_compare_with_are_lines():
    [axes] = comparing.plot_rates({"one": [0.5]}, "title", "accuracy", {"random guessing": 0.25, "best": 0.75}).axes
    heights = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert (heights["random guessing"], heights["best"]) == ([25, 25], [75, 75])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["random guessing", "best"]
