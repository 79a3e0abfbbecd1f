"""One command measures what is missing and writes the page; on benchmarks that cost nothing."""

import importlib
import json
import sys

import pytest
import recording
import side_by_side
import tables

run_all = importlib.import_module("all")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to cores and reads /proc")

TOY = '''"""A benchmark of nothing."""

import pathlib

import side_by_side
import tables

ROWS = [(("one",), {"size": 1}, ("ours", "peer")), (("two",), {"size": 2}, ("ours", "fragile"))]
COLUMNS = ("row", "candidate", *tables.SECONDS)
REPEAT = 2
NEEDS = {"peer": "no_such_package"}
show = tables.seconds


def step_of(candidate, size):
    print("what a library prints is no answer")
    here = pathlib.Path(__file__).parent
    with open(here / "built", "a") as built:
        built.write(f"{candidate} {size}\\\\n")
    if candidate == "fragile" and not (here / "mended").exists():
        raise ValueError("too fragile")
    return lambda: sum(range(size))
'''
PAGE = "# Page\n\nBefore.\n\n<!-- table: toy -->\nold figures\n<!-- end of table: toy -->\n\nAfter.\n"


def interrupted(*_):
    raise KeyboardInterrupt


class Folder:
    """A folder with one benchmark and a page, in which `all.py` runs."""

    def __init__(self, path):
        self.path, self.page, self.results = path, path / "page.md", path / "results.jsonl"
        (path / "toy.py").write_text(TOY.replace("\\\\n", "\\n"))
        self.page.write_text(PAGE)

    def run(self, *arguments):
        files = ("--results", str(self.results), "--page", str(self.page), "--cores", "0")
        return run_all.main([*arguments, *files], self.path, ("toy",))

    def built(self):
        """The candidates that were built since the last call, sorted."""
        file = self.path / "built"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(lines)

    def change(self, old, new):
        text = (self.path / "toy.py").read_text()
        assert old in text
        (self.path / "toy.py").write_text(text.replace(old, new))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(recording, "PACKAGE", tmp_path / "no_package")  # whose many files would be parsed
    return Folder(tmp_path)


@pytest.fixture
def whole(folder):
    """Everything is measured."""
    (folder.path / "mended").touch()
    assert folder.run() == 0
    assert folder.built() == ["fragile 2", "ours 1", "ours 2"]
    return folder


def test_a_failure_is_recorded_with_its_error_and_retried(folder, capsys):
    assert folder.run() == 1
    assert "fragile failed: ValueError: too fragile" in capsys.readouterr().out
    first, second = (json.loads(line) for line in folder.results.read_text().splitlines())
    assert first["results"]["peer"] == {"needs": "no_such_package"}
    assert len(first["results"]["ours"]["seconds"]) == 2 and first["results"]["ours"]["growth"] >= 0
    assert second["results"]["fragile"] == {"error": "ValueError: too fragile"}
    page = folder.page.read_text()
    assert "| one | peer | not installed |  |  |" in page and "| two | fragile | failed |  |  |" in page
    assert page.startswith("# Page\n\nBefore.\n") and page.endswith("\n\nAfter.\n") and "old figures" not in page
    folder.built()
    (folder.path / "mended").touch()
    assert folder.run() == 0
    assert folder.built() == ["fragile 2", "ours 2"], "the whole row again, whose runs alternate"
    assert "failed" not in folder.page.read_text()


def test_nothing_is_measured_twice(whole):
    page = whole.page.read_text()
    assert whole.run() == 0 and whole.built() == [] and whole.page.read_text() == page
    assert "2 runs of each candidate" in " ".join(page.split()) and recording.platform.python_version() in page


def test_a_cut_off_line_is_measured_again(whole):
    text = whole.results.read_bytes()
    whole.results.write_bytes(text[: text.rindex(b"\n", 0, -1) + 40])
    assert whole.run() == 0 and whole.built() == ["fragile 2", "ours 2"]
    whole.page.write_text(PAGE)
    assert whole.run() == 0 and whole.built() == [], "the new line does not continue the half one"
    assert "| two | fragile | 0.0000 |" in whole.page.read_text()


def test_an_interrupted_run_leaves_the_page_and_is_resumed(folder, monkeypatch):
    measure, rows = side_by_side.measure, []
    (folder.path / "mended").touch()

    def once(benchmark, row, *rest):
        if rows:
            raise KeyboardInterrupt
        rows.append(row)
        return measure(benchmark, row, *rest)

    monkeypatch.setattr(side_by_side, "measure", once)
    assert folder.run() == 130 and folder.page.read_text() == PAGE
    monkeypatch.setattr(side_by_side, "measure", measure)
    folder.built()
    assert folder.run() == 0 and folder.built() == ["fragile 2", "ours 2"]
    assert "| one | ours |" in folder.page.read_text()


@pytest.mark.parametrize("stale", ["code", "version", "machine", "repeat", "options"])
def test_stale_rows_are_measured_again(whole, stale, monkeypatch, capsys):
    arguments, rows, number = (), ["fragile 2", "ours 1", "ours 2"], 2
    if stale == "code":
        whole.change("sum(range(size))", "sum(range(size + 1))")
    elif stale == "options":
        # Of another length: Python would take its bytecode of the same second.
        whole.change('{"size": 1}', '{"size": 30}')
        rows, number = ["ours 30"], 1
    elif stale == "version":
        monkeypatch.setattr(recording.platform, "python_version", lambda: "3.0.0")
    elif stale == "machine":
        abacus = {"cpu": "abacus", "vectors": "", "memory_gb": 1, "gpus": ["none"]}
        monkeypatch.setattr(recording, "machine", lambda cores: {**abacus, "cores": cores})
    else:
        arguments = ("--repeat", "1")
    whole.run("--list", *arguments)
    assert f"| toy | 2 | {2 - number} | 0 | {number} | 0 |" in capsys.readouterr().out
    assert whole.built() == []
    assert whole.run(*arguments) == 0 and whole.built() == rows
    assert f"{number} of them again" in capsys.readouterr().out


def test_a_row_of_two_versions_of_the_code_is_not_stored(folder, monkeypatch):
    def edited(*_):
        folder.change("sum(range(size))", "sum(range(size + 1))")
        return {}

    monkeypatch.setattr(side_by_side, "measure", edited)
    with pytest.raises(SystemExit, match="the code changed while a row was measured"):
        folder.run()
    assert folder.results.read_text() == ""


def test_comments_and_layout_leave_results_valid(whole):
    whole.change('"""A benchmark of nothing."""', '"""Another description."""  # and a comment')
    whole.change("show = tables.seconds", 'def show(results, **_):\n    return [("shown",) * 3 for _ in results]')
    assert whole.run() == 0 and whole.built() == []
    assert "| one | ours | shown | shown | shown |" in whole.page.read_text()


def test_a_table_with_a_missing_row_is_not_written(whole, monkeypatch):
    """A row is added, and the run is killed before it is measured."""
    whole.change("ROWS = [", 'ROWS = [(("zero",), {"size": 0}, ("ours",)), ')
    page = whole.page.read_text()
    monkeypatch.setattr(side_by_side, "measure", interrupted)
    assert whole.run() == 130 and whole.page.read_text() == page


@pytest.mark.parametrize(
    "page", ["no markers", PAGE + PAGE, PAGE.replace("<!-- end of table: toy -->", ""), PAGE.replace("toy", "toys")]
)
def test_a_page_without_markers_is_refused_before_anything_runs(folder, page, capsys):
    folder.page.write_text(page)
    with pytest.raises(SystemExit):
        folder.run()
    assert "must have the lines `<!-- table: toy -->` and `<!-- end of table: toy -->`" in capsys.readouterr().err
    assert folder.built() == [] and folder.page.read_text() == page


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--only", "toy", "toys"), "`--only` must be names of benchmarks: toy. Received: toys"),
        (("--repeat", "0"), "--repeat: must be a whole number of at least 1. Received: '0'"),
        (("--repeat", "few"), "Received: 'few'"),
        (("--page", "missing.md"), "missing.md"),
    ],
)
def test_bad_arguments_are_refused(folder, arguments, message, capsys):
    with pytest.raises(SystemExit):
        run_all.main([*arguments, "--results", str(folder.results)], folder.path, ("toy",))
    assert message in capsys.readouterr().err and folder.built() == []


def test_cores_that_do_not_exist_are_refused(capsys):
    with pytest.raises(SystemExit):
        run_all.main(["--cores", "0,12345"])
    assert "--cores: must be among the cores [0" in capsys.readouterr().err


def test_one_run_at_a_time(folder, capsys):
    results = recording.Results(folder.results)
    with pytest.raises(SystemExit):
        folder.run()
    assert "another run writes to" in capsys.readouterr().err
    results.close()


def test_quick_stores_nothing(folder, capsys):
    assert folder.run("--quick") == 0
    assert folder.built() == ["ours 1"] and not folder.results.exists() and folder.page.read_text() == PAGE
    assert "| one | peer | not installed |" in capsys.readouterr().out


def test_a_killed_process_is_a_failure(folder):
    folder.change("return lambda: sum(range(size))", "import os\n\n    return lambda: os.kill(os.getpid(), 9)")
    assert folder.run() == 1
    first = json.loads(folder.results.read_text().splitlines()[0])
    assert first["results"]["ours"] == {"error": "ended with exit status -9"}
    assert "| one | ours | failed |" in folder.page.read_text()


def test_a_benchmark_runs_alone(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["toy.py", "--only", "one", "--repeat", "1", "--cores", "0"])
    side_by_side.main(folder.path / "toy.py")
    out = capsys.readouterr().out
    assert "| row | candidate | best s |" in out and "| one | ours |" in out and "two" not in out
    monkeypatch.setattr(sys, "argv", ["toy.py", "--only", "three"])
    with pytest.raises(SystemExit):
        side_by_side.main(folder.path / "toy.py")
    assert "must be a label of a row: one, two. Received: 'three'" in capsys.readouterr().err


def test_an_interrupted_write_leaves_the_file(tmp_path, monkeypatch):
    file = tmp_path / "page.md"
    file.write_text("whole")
    monkeypatch.setattr(tables.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tables.write(file, "half")
    assert file.read_text() == "whole" and list(tmp_path.iterdir()) == [file]
