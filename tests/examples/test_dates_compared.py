import json

import dates_compared
import numpy as np
import pytest
from dates_split import Sample
from runs import OtherRunError


def result(network, seed, exact=0.5, steps=7, by_length=None):
    return {
        "network": network,
        "seed": seed,
        "steps": steps,
        "batch": 64,
        "parameters": 1234,
        "exact": {"years": exact, "formats": exact + 0.1},
        "false dates": {"words": exact / 10},
        "by length": by_length or {"5": [1, 2], "30": [3, 4]},
    }


def test_exact_matches_are_counted_by_kind_and_by_length():
    texts = [("years", "3 juni 2019", True), ("years", "1.1.2000", False), ("formats", "3 june 2019", False)]
    results = [(kind, Sample(text, "2019-06-03", None), "", exact) for kind, text, exact in texts]
    counted = dates_compared.counted([*results, ("formats", Sample("12345678", "", None), "", True)])
    assert counted == {"exact": {"years": 0.5, "formats": 0.5}, "by length": {8: [1, 2], 11: [1, 2]}}


def test_lengths_are_counted_in_ranges():
    lengths = {"9": [1, 4], "10": [2, 2], "12": [0, 2], "48": [5, 5]}
    rates = dates_compared.by_length(result("a", 0, by_length=lengths))
    assert len(rates) == len(dates_compared.EDGES) - 1
    assert [rates[0], rates[1], rates[-1]] == [0.25, 0.5, 1.0]
    assert np.isnan(rates[2:-1]).all()


def test_runs_are_grouped_by_network_in_the_order_of_their_seeds():
    networks = dates_compared.grouped([result("a", 1), result("b", 0), result("a", 0), result("b", 1)])
    assert {name: [of["seed"] for of in runs] for name, runs in networks.items()} == {"a": [0, 1], "b": [0, 1]}
    assert dates_compared.overall(networks["a"][0]) == pytest.approx(0.55)


@pytest.mark.parametrize(
    "results",
    [
        [result("a", 0), result("b", 1)],
        [result("a", 0), result("a", 1), result("b", 0)],
        [result("a", 0), result("b", 0, steps=8)],
        [result("a", 0), result("a", 1, steps=8)],
    ],
)
def test_runs_that_do_not_share_seeds_and_steps_are_an_error(results):
    with pytest.raises(OtherRunError, match="same seeds, steps and batches"):
        dates_compared.grouped(results)


def test_several_runs_of_a_network_and_a_seed_are_an_error():
    with pytest.raises(OtherRunError, match=r"runs of b must have different seeds\. Received: \[0, 0\]"):
        dates_compared.grouped([result("a", 0), result("a", 1), result("b", 0), result("b", 0)])


def test_the_figure_has_a_line_for_each_network():
    networks = {"a": [result("a", 0), result("a", 1, by_length={"5": [2, 2], "30": [1, 4]})], "b": [result("b", 0)]}
    [axes] = dates_compared.plot_lengths(networks, "title").axes
    heights = [container.lines[0].get_ydata() for container in axes.containers]
    assert heights[0][0] == 75 and heights[0][-1] == 50
    assert heights[1][0] == 50 and heights[1][-1] == 75
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_the_table_of_runs(tmp_path, capsys):
    folders = []
    for name, exact in (("Transformer", 0.5), ("RNNencdec", 0.3)):
        for seed in (0, 1):
            folder = tmp_path / f"{name}-{seed}"
            folder.mkdir()
            (folder / "results.json").write_text(json.dumps(result(name, seed, exact)))
            folders.append(str(folder))
    assert dates_compared.main([*folders, "--output", str(tmp_path / "out")]) == 0
    output = capsys.readouterr().out
    assert "years     Transformer 50.0 % ± 0.0; RNNencdec 30.0 % ± 0.0" in output
    assert "-20.0 % ± 0.0" in output
    assert "words               Transformer 5.0 % ± 0.0; RNNencdec 3.0 % ± 0.0" in output
    assert (tmp_path / "out" / "exact_by_length.png").is_file()


def test_a_folder_without_a_run_is_one_line(tmp_path, capsys):
    assert dates_compared.main([str(tmp_path), "--output", str(tmp_path / "out")]) == 1
    assert "results.json: No such file" in capsys.readouterr().err
