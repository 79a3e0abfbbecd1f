import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from keras_attention import folders
from keras_attention.folders import require_folder, working_folder

PATTERN = r"\.work-\w{8}"
# A process that holds a folder until its input ends.
WORKER = """
import runpy, sys
folders = runpy.run_path(sys.argv[1])
with folders["working_folder"](sys.argv[2], ".work-", sys.argv[3]) as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def worker(tmp_path):
    command = [sys.executable, "-S", "-c", WORKER, folders.__file__, tmp_path, PATTERN]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.folder = pathlib.Path(process.stdout.readline().strip())
    yield process
    process.kill()
    process.communicate()


def work(parent):
    """Names in `parent` while a folder is there, without its own."""
    with working_folder(parent, ".work-", PATTERN) as folder:
        return sorted(set(os.listdir(parent)) - {folder.name})


def age(folder, hours):
    for path in (*folder.iterdir(), folder):
        os.utime(path, (time.time() - 3600 * hours,) * 2)


@pytest.mark.skipif(folders.fcntl is None, reason="file locks are not supported")
def test_folder_of_a_killed_process_is_removed_and_of_a_live_one_kept(tmp_path, worker):
    age(worker.folder, 1000)  # a lock counts however long nothing has changed
    assert work(tmp_path) == [worker.folder.name]
    assert (worker.folder / "half").read_text() == "half"
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    assert worker.folder.is_dir()
    assert work(tmp_path) == [] and os.listdir(tmp_path) == []


def test_folder_is_removed_when_its_process_ends(tmp_path, worker):
    worker.communicate()
    assert worker.returncode == 0 and os.listdir(tmp_path) == []


def test_several_folders_in_one_process(tmp_path):
    with working_folder(tmp_path, ".work-", PATTERN) as first:
        with working_folder(tmp_path, ".work-", PATTERN) as second:
            assert first != second and first.is_dir() and second.is_dir()
        assert first.is_dir() and not second.exists()
    with pytest.raises(KeyboardInterrupt), working_folder(tmp_path, ".work-", PATTERN):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("locks", [True, False])
def test_unlocked_folder_is_removed_after_a_day(tmp_path, locks, monkeypatch):
    if not locks:
        monkeypatch.setattr(folders, "fcntl", None)
    for name, hours in (("fresh", 23), ("stale", 25), ("newest", 25)):
        folder = tmp_path / f".work-{name:_<8}"
        folder.mkdir()
        (folder / "half").write_text("half")
        if not locks:
            (folder / folders.LOCK).touch()
        age(folder, hours)
    (tmp_path / ".work-newest__" / "half").write_text("still written to")
    age(tmp_path / ".work-stale___", 25)
    assert work(tmp_path) == [".work-fresh___", ".work-newest__"]


def test_folders_of_other_names_are_kept(tmp_path):
    names = [".work-short", ".work-too-long-a-name", "work-12345678", "1"]
    for name in names:
        (tmp_path / name).mkdir()
        age(tmp_path / name, 1000)
    (tmp_path / ".work-abcdefgh").write_text("a file")
    (tmp_path / "target").mkdir()
    (tmp_path / ".work-12345678").symlink_to(tmp_path / "target")
    assert work(tmp_path) == sorted([*names, ".work-abcdefgh", ".work-12345678", "target"])


def test_folder_removed_before_it_was_locked_is_created_again(tmp_path, monkeypatch):
    lock, removed = folders._lock, []

    def removed_at_the_last_moment(descriptor):
        if not removed:
            removed.extend(tmp_path.iterdir())
            folders.shutil.rmtree(removed[0])
        return lock(descriptor)

    monkeypatch.setattr(folders, "_lock", removed_at_the_last_moment)
    with working_folder(tmp_path, ".work-", PATTERN) as folder:
        assert folder.is_dir() and [folder] != removed


def test_require_folder_checks_paths(tmp_path):
    (tmp_path / "file").write_text("precious")
    assert require_folder(str(tmp_path), "directory") == tmp_path
    assert require_folder(tmp_path / "new" / "newer", "directory") == tmp_path / "new" / "newer"
    for path in ("file", "file/below"):
        with pytest.raises(NotADirectoryError, match="`directory` must be a folder, and .*file is a file"):
            require_folder(tmp_path / path, "directory")
    for bad in (None, 3, "", True, ["a"], "gs://bucket/model"):
        with pytest.raises(ValueError, match="`directory` must be the local path of a folder. Received: directory="):
            require_folder(bad, "directory")
    assert os.listdir(tmp_path) == ["file"]


def test_require_folder_checks_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="`directory` cannot be written"):
        require_folder(tmp_path / "new", "directory")
