import os
import stat
import threading
import time

import pytest

from keras_attention.export.versions import versions, write_version


def write(folder):
    (folder / "saved_model.pb").write_text("whole")


def fail(folder):
    write(folder)
    raise KeyboardInterrupt


def test_versions_count_up_from_one(tmp_path):
    directory = tmp_path / "new" / "folder"
    assert [write_version(directory, write).name for _ in range(3)] == ["1", "2", "3"]
    assert (directory / "2" / "saved_model.pb").read_text() == "whole"
    assert sorted(os.listdir(directory)) == ["1", "2", "3"]


def test_the_number_after_the_highest_is_next(tmp_path):
    for name in ("2", "007", "9.5", "assets", "-30", ".exporting-99"):
        (tmp_path / name).mkdir()
    assert versions(tmp_path) == {2, 7}
    assert write_version(tmp_path, write).name == "8"


def test_a_version_may_be_chosen(tmp_path):
    assert write_version(tmp_path, write, version=20261121).name == "20261121"
    assert write_version(tmp_path, write, version=5).name == "5"


def test_existing_version_raises_an_error_before_writing(tmp_path):
    (tmp_path / "3").mkdir()  # empty: a rename would replace it
    for name, version in (("3", 3), ("004", 4)):
        (tmp_path / name).mkdir(exist_ok=True)
        with pytest.raises(FileExistsError, match=f"Version {version} exists"):
            write_version(tmp_path, pytest.fail, version=version)
    assert os.listdir(tmp_path / "3") == []
    assert sorted(os.listdir(tmp_path)) == ["004", "3"]


def test_version_is_not_visible_before_it_is_complete(tmp_path):
    seen = []

    def look(folder):
        write(folder)
        seen.extend((versions(tmp_path), folder.parent.parent == tmp_path))

    write_version(tmp_path, look)
    assert seen == [set(), True]


def test_interrupted_export_leaves_no_files(tmp_path):
    write_version(tmp_path, write)
    with pytest.raises(KeyboardInterrupt):
        write_version(tmp_path, fail)
    assert os.listdir(tmp_path) == ["1"]


def test_a_number_taken_meanwhile_is_skipped(tmp_path):
    def outrun(folder):
        write(folder)
        write_version(tmp_path, write)

    assert write_version(tmp_path, outrun).name == "2"
    with pytest.raises(FileExistsError):
        write_version(tmp_path, lambda folder: write_version(tmp_path, write, version=8), version=8)
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "8"]


def test_concurrent_exports_get_different_versions(tmp_path):
    paths, start = [], threading.Barrier(8)

    def export():
        paths.append(write_version(tmp_path, lambda folder: (write(folder), start.wait())).name)

    threads = [threading.Thread(target=export) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(paths) == sorted(os.listdir(tmp_path)) == [str(n) for n in range(1, 9)]


def test_a_rename_that_collides_takes_the_next_number(tmp_path, monkeypatch):
    """The other exporter renames between listing the folder and our rename."""
    rename = os.rename

    def late(source, target):
        monkeypatch.setattr(os, "rename", rename)
        target.mkdir()
        write(target)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert write_version(tmp_path, write).name == "2"
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]


def test_version_is_readable_by_other_users(tmp_path):
    umask = os.umask(0o022)
    try:
        mode = write_version(tmp_path, write).stat().st_mode
    finally:
        os.umask(umask)
    assert stat.S_IMODE(mode) == 0o755


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_file_in_place_of_the_folder_raises_an_error(tmp_path, path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(NotADirectoryError, match="file"):
        write_version(tmp_path / path, pytest.fail)
    assert (tmp_path / "file").read_text() == "precious"


def test_unwritable_folder_raises_an_error_before_writing(tmp_path, monkeypatch):
    if os.geteuid():
        tmp_path.chmod(0o500)
    else:  # root may write everywhere, except in /proc
        tmp_path = type(tmp_path)("/proc")
    with pytest.raises(OSError, match="cannot be written"):
        write_version(tmp_path / "model", pytest.fail)


def test_remote_folder_raises_an_error():
    with pytest.raises(ValueError, match="local path.*gs://bucket/model"):
        write_version("gs://bucket/model", pytest.fail)


@pytest.mark.parametrize("directory", [None, 3, "", ["a"]], ids=str)
def test_invalid_path_raises_an_error(directory):
    with pytest.raises(ValueError, match="`directory` must be the local path of a folder. Received: directory="):
        write_version(directory, pytest.fail)


def test_abandoned_exports_are_removed_and_exports_in_progress_kept(tmp_path):
    """Of this release, which locks its folder, and of an older one, with longer names."""
    for name, seconds in (("a" * 32, 0), ("b" * 32, time.time()), ("c" * 8, 0)):
        folder = tmp_path / f".exporting-{name}"
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / "data").write_text("half")
        for path in (folder / "variables" / "data", folder / "variables", folder):
            os.utime(path, (seconds, seconds))

    def beside(folder):
        write(folder)
        assert write_version(tmp_path, write).name == "1"
        assert folder.is_dir()

    assert write_version(tmp_path, beside).name == "2"
    assert sorted(os.listdir(tmp_path)) == [f".exporting-{'b' * 32}", "1", "2"]


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "3"])
def test_version_must_be_a_positive_int(tmp_path, version):
    with pytest.raises(ValueError, match="`version` must be `None` or a positive int"):
        write_version(tmp_path, pytest.fail, version=version)
