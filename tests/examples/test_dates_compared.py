import json

import dates_compared
import numpy as np
import pytest
from dates_split import Sample
from runs import OtherRunError


def result(network, seed, exact=0.5, steps=7, by_length=None, **held_out):
    return {
        "network": network,
        "seed": seed,
        "steps": steps,
        "batch": 64,
        "parameters": 1234,
        "exact": {"years": exact, "formats": exact + 0.1},
        "false dates": {"words": exact / 10},
        "by length": {"5": [1, 2], "30": [3, 4]} if by_length is None else by_length,
        **held_out,
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
        [result("a", 0, held_out=3), result("b", 0, held_out=4)],
        [result("a", 0), result("b", 0, held_out=4)],
        [result("a", 0), result("b", 0, by_length={"5": [1, 3], "30": [3, 5]})],
        [result("a", 0, by_length={}), result("b", 0, held_out=3)],
        [result("a", 0), result("b", 0) | {"false dates": {"phrases": 0.5}}],
    ],
)
def test_runs_that_do_not_share_their_texts_and_settings_are_an_error(results):
    with pytest.raises(OtherRunError, match="same seeds, steps, batches, --held-out"):
        dates_compared.grouped(results)


@pytest.mark.parametrize(
    "results",
    [
        [result("a", 0), result("b", 0)],
        [result("a", 0, held_out=3), result("b", 0, by_length={"9": [0, 6]})],
        [result("a", 0, by_length={}), result("b", 0, by_length={})],
    ],
)
def test_runs_without_a_recorded_number_of_texts_are_compared_by_their_texts(results):
    assert [*dates_compared.grouped(results)] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"network": "a", "se', "results.json is damaged"),
        ("\udc80", "results.json is damaged"),
        ('{"settings": {}, "exact": {}}', "is not of transformer_dates.py: results.json lacks network, seed"),
        ("[1]", "is not of transformer_dates.py: results.json lacks network, seed"),
    ],
)
def test_a_folder_of_another_example_or_with_damaged_results_is_one_line(content, message, tmp_path, capsys):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "results.json").write_text(content, errors="surrogateescape")
    assert dates_compared.main([str(folder), "--output", str(tmp_path / "out")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert str(folder) in line and message in line


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
