import contextlib
import pathlib
import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

from keras_attention import training
from keras_attention.training.files import HALF_WRITTEN, suffix, written_whole

resource = pytest.importorskip("resource")  # not on Windows


@contextlib.contextmanager
def full_disk(size=50_000):
    """No file may grow beyond `size`: writing more fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def open_files():
    return h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE)


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.keras"
    with written_whole(path) as beside:
        beside.write_text("new")
        assert not path.exists() and beside.name.endswith(".keras")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.keras"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.weights.h5"
    path.write_text("old")
    with pytest.raises(OSError, match="disk"), written_whole(path) as beside:
        beside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]


def test_only_known_files_are_checkpoints():
    assert suffix("x/y.keras") == ".keras" and suffix("y.1.weights.h5") == ".weights.h5"
    with pytest.raises(ValueError, match="must be a `.keras` or a `.weights.h5` file"):
        suffix("model.h5")
    with pytest.raises(ValueError, match="Received: None"):
        suffix(None)


def test_a_full_disk_leaves_nothing_open_and_nothing_behind(tmp_path):
    """Keras leaves the file open after an error, and HDF5 would write to it again when the process ends."""
    path, kept = tmp_path / "a.weights.h5", []
    path.write_text("old")
    with full_disk(), pytest.raises(OSError), written_whole(path) as beside:
        file = h5py.File(beside, "w")
        kept.append(file)
        for i in range(3):
            kept.append(file.create_dataset(f"group{i}/{i}", data=np.ones(1000)))
        kept.append(file.create_dataset("large", data=np.ones(30_000)))
    assert len(kept) == 4 and not open_files() and not any(kept)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]
    for i in range(2):
        with written_whole(tmp_path / f"{i}.weights.h5") as beside, h5py.File(beside, "w") as file:
            file["w"] = np.full(5, i)
    training.average_checkpoints([tmp_path / "0.weights.h5", tmp_path / "1.weights.h5"], tmp_path / "mean.weights.h5")
    with h5py.File(tmp_path / "mean.weights.h5") as file:
        assert file["w"][0] == 1  # integers are the last checkpoint's
    assert not open_files()


def test_without_enough_free_space_nothing_is_written(tmp_path):
    for size in (49_000, 51_000):
        with full_disk(), contextlib.ExitStack() as stack:
            if size > 50_000:
                stack.enter_context(pytest.raises(OSError, match="There is no room for 51000 bytes"))
            with written_whole(tmp_path / "a.keras", size) as beside:
                assert size < 50_000 and not beside.exists()
                beside.write_text("new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.keras"]


def test_without_posix_fallocate_the_free_space_is_checked(tmp_path, monkeypatch):
    monkeypatch.delattr("os.posix_fallocate")
    with pytest.raises(OSError, match="There is no room"), written_whole(tmp_path / "a.keras", 2**60):
        raise AssertionError
    with written_whole(tmp_path / "a.keras", 10) as beside:
        beside.write_text("new")


def test_other_open_files_stay_open_after_an_error(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        with pytest.raises(RuntimeError), written_whole(tmp_path / "a.weights.h5") as beside:
            h5py.File(beside, "w")["w"] = 1
            raise RuntimeError
        assert [pathlib.Path(f.name.decode()).name for f in open_files()] == ["other.h5"]
        other["w"] = 3
    with h5py.File(tmp_path / "other.h5") as other:
        assert other["w"][()] == 3


def test_half_written_files_of_killed_processes_are_removed_by_the_next_writer(tmp_path):
    source = """if True:
        import os, runpy, sys
        folders, works = runpy.run_path(sys.argv[1]), []
        for name in sys.argv[3:]:
            works.append(folders["working_folder"](sys.argv[2], f".{name}.", "never"))
            (works[-1].__enter__() / "written").write_text("half")
        os._exit(9)
    """
    folders = sys.modules["keras_attention.folders"].__file__
    command = [sys.executable, "-S", "-c", source, folders, tmp_path, "step-00000012.weights.h5", "mean.keras", "mine"]
    subprocess.run(command, check=False, timeout=60)
    assert len(list(tmp_path.iterdir())) == 3
    with written_whole(tmp_path / "step-00000024.weights.h5") as beside:
        beside.write_text("whole")
    assert sorted(p.name[:6] for p in tmp_path.iterdir()) == [".mine.", "step-0"]


def test_names_of_half_written_files():
    for name in (".step-00000012.weights.h5.0a1b2c3d", ".mean.keras.k_2xwz1q"):
        assert re.fullmatch(HALF_WRITTEN, name)
    for name in ("step-00000012.weights.h5", ".weights.h5.0a1b2c3d", ".step-1.weights.h5", ".a.keras.0a1b2c3de"):
        assert not re.fullmatch(HALF_WRITTEN, name)
