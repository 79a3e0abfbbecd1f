import argparse
import errno
import json
import subprocess

import pytest
import runs


def settle(folder, steps, fresh=False):
    options = argparse.Namespace(output=folder, steps=steps, seeds=3, fresh=fresh)
    runs.settle(options, ("steps",), ("*.spm", "RNN*/step-*.weights.h5"))


def test_the_folder_of_another_run_is_refused_and_fresh_deletes_only_trained_files(tmp_path):
    settle(tmp_path, 9)
    settle(tmp_path, 9)
    files = [
        "RNNsearch/step-00000003.weights.h5",
        "source.spm",
        "RNNsearch/notes.txt",
        "other/step-00000003.weights.h5",
    ]
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    with pytest.raises(runs.OtherRunError, match="--steps 9, not 8.*--fresh"):
        settle(tmp_path, 8)
    assert json.loads((tmp_path / "settings.json").read_text()) == {"steps": 9}
    assert all((tmp_path / name).is_file() for name in files)
    settle(tmp_path, 8, fresh=True)
    assert [name for name in files if (tmp_path / name).is_file()] == files[2:]
    assert json.loads((tmp_path / "settings.json").read_text()) == {"steps": 8}


def test_other_settings_are_welcome_before_anything_is_trained(tmp_path):
    settle(tmp_path, 9)  # of a run that ended before its first checkpoint
    settle(tmp_path, 8)
    assert json.loads((tmp_path / "settings.json").read_text()) == {"steps": 8}


def test_a_file_is_written_atomically(tmp_path):
    path = tmp_path / "attention.png"
    runs.save_whole(path, lambda beside: beside.write_text("old"))

    def half(beside):
        beside.write_text("ha")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        runs.save_whole(path, half)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["attention.png"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "b.json"),
            "b.json: No space left on device. Saved in {}: a.",
        ),
        (FileNotFoundError("No exported model"), "No exported model Saved in {}: a."),
        (FloatingPointError("`loss` is nan"), "`loss` is nan"),
        (b"\xff", "The input is not UTF-8: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (subprocess.CalledProcessError(3, ["python", "served.py"]), "python served.py ended with status 3"),
        (KeyboardInterrupt(), "\nInterrupted. Saved in {}: a."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_of_the_machine_is_one_line_and_what_was_saved_stays(error, line, tmp_path, capsys):
    def run(options):
        runs.save_whole(options.output / "a", lambda beside: beside.write_text("saved"))
        if isinstance(error, bytes):
            error.decode()
        raise error

    options = argparse.Namespace(output=tmp_path / "run", texts=[])
    assert runs.ended(run, options, room=5) == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert capsys.readouterr().err == line.format(options.output) + "\n"
    assert (options.output / "a").read_text() == "saved" and len(list(options.output.iterdir())) == 1


def test_a_bug_is_raised(tmp_path):
    with pytest.raises(KeyError):
        runs.ended(lambda options: {}["a"], argparse.Namespace(output=tmp_path), room=5)


def test_a_run_that_saves_nothing_creates_no_folder(tmp_path):
    assert runs.ended(lambda options: 0, argparse.Namespace(output=tmp_path / "run")) == 0
    assert not (tmp_path / "run").exists()


def test_a_run_with_results_ends_with_its_time_and_their_folder(tmp_path, capsys):
    options = argparse.Namespace(output=tmp_path)
    assert runs.ended(lambda options: None, options, room=5) == 0
    assert f"Done in 0 min 00 s; {tmp_path}\n" in capsys.readouterr().out
    assert runs.ended(lambda options: 3, options, room=5) == 3
    assert runs.ended(lambda options: None, options) == 0
    assert capsys.readouterr().out == ""


def test_minutes_are_rounded_to_seconds():
    assert runs.minutes(59.6) == "1 min 00 s"
    assert runs.minutes(61.2) == "1 min 01 s"
