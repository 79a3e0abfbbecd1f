"""Numbered version folders, written atomically.

In the folder that a model server watches:

    directory/1/...    a model server loads the folder with the highest number
    directory/2/...
    directory/.exporting-<random>/    an export in progress, or an interrupted one: no number, so no server loads it;
                                      the next export removes it if it is not in progress
"""

import contextlib
import errno
import os
import re

from keras_attention.folders import require_folder, sync, working_folder
from keras_attention.ops.require import require_int

WORKING = ".exporting-"
HALF_WRITTEN = r"\.exporting-\w{8,}"


def write_version(directory, write, version=None):
    """Lets `write` fill a hidden folder, then renames it to `directory/<version>`.

    Before `write` is called, the folder is created and an existing `version` raises an error. If `write` raises, the
    hidden folder is removed, as are those of interrupted exports. An existing version is never overwritten.

    Args:
        directory: Path of the folder that holds the versions; created if missing.
        write: Function of one argument, the path of an empty folder on the disk of the other versions.
        version: Positive int; `None`: the number after the highest. If another process takes that number
            meanwhile, the next one.

    Returns:
        `pathlib.Path` of the new version.

    Raises:
        ValueError: If `version` is no positive int or `directory` is a remote address.
        FileExistsError: If `version` exists.
        NotADirectoryError: If `directory` is a file.
        OSError: If `directory` cannot be written (`PermissionError` without permission).
    """
    directory = require_version(directory, version)
    with contextlib.ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            working = stack.enter_context(working_folder(directory, WORKING, HALF_WRITTEN))
            folder = working / "model"
            folder.mkdir()
        except OSError as error:
            message = f"The export folder cannot be written ({error.strerror})"
            raise OSError(error.errno, message, str(directory)) from error
        write(folder)
        _flush(folder)
        return _publish(folder, directory, version)


def require_version(directory, version):
    """Returns `directory` as an absolute path; raises an error if `version` cannot be written there."""
    require_int(version, "version", optional=True)
    directory = require_folder(directory, "directory").absolute()
    if version is not None:
        _require_free(directory, version)
    return directory


def versions(directory):
    """The set of existing versions in `directory`; a server reads `007` as 7."""
    if not os.path.isdir(directory):
        return set()
    return {int(name) for name in os.listdir(directory) if re.fullmatch("[0-9]+", name)}


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
        sync(directory)
        return target


def _flush(folder):
    """Flushes the files to disk: a rename may be stored before them, and a power cut would leave an empty model."""
    for path, _, files in os.walk(folder):
        for name in files:
            sync(os.path.join(path, name))
        sync(path)
