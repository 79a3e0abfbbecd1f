"""Every benchmark offers what the runner needs, and its results can be shown and drawn."""

import ast
import importlib
import pathlib
import re

import pictures
import pytest
import side_by_side
import tables

run_all = importlib.import_module("all")
FOLDER = pathlib.Path(run_all.__file__).parent
BENCHMARKS = [side_by_side.load(FOLDER / f"{name}.py") for name in run_all.NAMES]
each = pytest.mark.parametrize("benchmark", BENCHMARKS, ids=run_all.NAMES)


def results_of(row, seed=0):
    """Made-up results of a row; runs differ between candidates."""
    return {name: {"seconds": [0.3 + n + seed, 0.1 + n, 0.2 + n], "growth": 7.0 + n} for n, name in enumerate(row[2])}


def test_every_benchmark_is_run():
    scripts = {path.stem for path in FOLDER.glob("*.py") if re.search("^ROWS = ", path.read_text(), re.M)}
    assert scripts == set(run_all.NAMES)


@each
def test_offers_the_same_names(benchmark):
    assert benchmark.__doc__.splitlines()[2].startswith(f"    python benchmarks/{benchmark.__name__}.py [--repeat ")
    assert benchmark.REPEAT >= 3 and callable(benchmark.step_of)
    labels = [row[0] for row in benchmark.ROWS]
    assert len(set(labels)) == len(labels)
    candidates = {name for row in benchmark.ROWS for name in row[2]}
    assert set(getattr(benchmark, "NEEDS", {})) <= candidates
    assert f"[--repeat {benchmark.REPEAT}]" in benchmark.__doc__, "the default is documented"
    source = ast.parse(pathlib.Path(benchmark.__file__).read_text())
    imported = [ast.unparse(node) for node in source.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not [line for line in imported if "keras" in line or "tensorflow" in line], "only in workers"


@each
@pytest.mark.parametrize("missing", [None, 0, -1])
def test_lines_fit_the_columns(benchmark, missing):
    """Whichever candidate is missing."""
    for row in benchmark.ROWS:
        results = results_of(row)
        name = None if missing is None else list(row[2])[missing]
        if name:
            results[name] = {"error": "out of memory"}
        lines = list(tables.lines(benchmark, row, results))
        assert [line[len(row[0])] for line in lines] == list(row[2])
        assert {len(line) for line in lines} == {len(benchmark.COLUMNS)}
        assert [("failed" in line) for line in lines] == [n == name for n in row[2]]


@each
def test_tables_and_pictures(benchmark):
    found = [(row, results_of(row, seed)) for seed, row in enumerate(benchmark.ROWS)]
    head, rule, *lines = tables.table(benchmark, found).splitlines()
    assert len(lines) >= len(benchmark.ROWS) / 3
    assert {line.count("|") for line in lines} == {head.count("|")} == {rule.count("|")}
    if hasattr(benchmark, "draw"):
        pytest.importorskip("matplotlib")
        partly = [(row, {**results, row[2][0]: {"error": "out of memory"}}) for row, results in found]
        for results in (found, partly):
            assert benchmark.draw(results).axes[-1].get_xlabel()


@pytest.mark.parametrize("name", ["sample_image", "decoding"])
def test_pictures_are_stable_files(name):
    pytest.importorskip("matplotlib")
    benchmark = BENCHMARKS[run_all.NAMES.index(name)]
    files = [pictures.png(benchmark.draw([(row, results_of(row)) for row in benchmark.ROWS])) for _ in range(2)]
    assert files[0].startswith(b"\x89PNG") and files[0] == files[1]


def test_ratios_are_of_adjacent_runs():
    results = {"ours": ([1.0, 4.0, 9.0], 5), "theirs": ([2.0, 2.0, 3.0], 5)}
    assert tables.ratio(results, "ours", "theirs") == "2.00"
    assert tables.ratio(results, "ours", "ours") == tables.ratio(results, "ours", "absent") == ""
    assert list(tables.seconds(results)) == [("1.00", "4.00", "5"), ("2.00", "2.00", "5")]
