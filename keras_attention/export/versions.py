"""Numbered version folders, each of which appears whole or not at all.

In the folder that a model server watches:

    directory/1/...    a model server loads the folder with the highest number
    directory/2/...
    directory/.exporting-<random>/    an export in progress, or one that was killed: no number, so no server loads it
"""

import errno
import os
import pathlib
import re
import shutil
import uuid


def write_version(directory, write, version=None):
    """Lets `write` fill a hidden folder, then renames it to `directory/<version>`.

    The folder is made, and a taken `version` refused, before `write` is called: nothing is computed in vain. If
    `write` raises, nothing stays behind. An existing version is never touched.

    Args:
        directory: Path of the folder that holds the versions; it is made if it is missing.
        write: Function of one argument, the path of an empty folder beside the other versions.
        version: Positive int; `None` takes the number after the highest. Should another process take that number
            meanwhile, the next one is taken.

    Returns:
        `pathlib.Path` of the new version.

    Raises:
        ValueError: If `version` is no positive int or `directory` is a remote address.
        FileExistsError: If `version` exists.
        NotADirectoryError: If `directory` is a file.
        OSError: If `directory` cannot be written (`PermissionError` for want of permission).
    """
    _require_version(version)
    directory = _local_path(directory)
    temporary = directory / f".exporting-{uuid.uuid4().hex}"
    if version is not None:
        _require_free(directory, version)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # Not `tempfile.mkdtemp`: its folders are closed to other users, and a model server is one.
        temporary.mkdir()
    except OSError as error:
        raise OSError(error.errno, f"The export folder cannot be written ({error.strerror})", str(directory)) from error
    try:
        write(temporary)
        _flush(temporary)
        return _publish(temporary, directory, version)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def versions(directory):
    """The numbers that are taken in `directory`, as a set; a server reads `007` as 7."""
    if not os.path.isdir(directory):
        return set()
    return {int(name) for name in os.listdir(directory) if re.fullmatch("[0-9]+", name)}


def _require_version(version):
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
        raise ValueError(f"`version` must be a positive int or None. Received: version={version!r}")


def _local_path(directory):
    if "://" in os.fspath(directory):
        raise ValueError(
            "`directory` must be a local path: the export is renamed into place, which object stores cannot do. "
            f"Export locally and copy. Received: directory={os.fspath(directory)!r}"
        )
    directory = pathlib.Path(directory).absolute()
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "The export folder is a file", str(directory))
    return directory


def _require_free(directory, version):
    if version in versions(directory):
        raise FileExistsError(
            errno.EEXIST,
            f"Version {version} exists and is never overwritten; leave `version` out to take the next free number",
            str(directory / str(version)),
        )


def _publish(temporary, directory, version):
    while True:
        if version is not None:
            _require_free(directory, version)
        target = directory / str(version or max(versions(directory), default=0) + 1)
        try:
            os.rename(temporary, target)
        except OSError as error:
            # Another exporter was faster: a folder with files in it is never replaced by a rename.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise
            continue
        _sync(directory)
        return target


def _flush(folder):
    """Puts the files on the disk: a rename may get there before them, and a power cut would leave an empty model."""
    for path, _, files in os.walk(folder):
        for name in files:
            _sync(os.path.join(path, name))
        _sync(path)


def _sync(path):
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
