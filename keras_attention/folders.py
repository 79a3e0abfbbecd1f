"""Folders to work in, which the next process removes if theirs is killed; and folders that must be there."""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import time
import uuid

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

LOCK = "lock"
IDLE = 24 * 3600.0  # seconds


@contextlib.contextmanager
def working_folder(parent, prefix, abandoned):
    """Yields the path of a new folder in `parent`, which is removed at the end, also after an error.

    A process that is killed leaves its folder behind. It is removed by the next call: the file `lock` in a folder is
    locked as long as its process lives, and what nobody has locked belongs to nobody. Where there are no such locks
    (Windows, some network file systems) and in folders without that file, nothing may have changed for a day.

    Args:
        parent: Path of a folder.
        prefix: How the folder's name begins; eight characters of chance follow.
        abandoned: Regular expression of the names that such folders have in `parent`; others are left alone.
    """
    parent = pathlib.Path(parent)
    for folder in _folders(parent, abandoned):
        _remove_if_abandoned(folder)
    folder, lock = _locked_folder(parent, prefix)
    try:
        yield folder
    finally:
        os.close(lock)  # first: Windows removes no file that is open
        shutil.rmtree(folder, ignore_errors=True)


def require_folder(value, name):
    """Returns `value` as a path: of a folder that can be written, or that can be made where it is not there yet.

    Raises:
        ValueError: If it is no local path.
        NotADirectoryError: If there is a file in its place, or above it.
        PermissionError: If it may not be written.
    """
    if not isinstance(value, str | os.PathLike) or not str(value) or "://" in str(value):
        raise ValueError(f"`{name}` must be the local path of a folder. Received: {name}={value!r}")
    path = pathlib.Path(value)
    there = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"`{name}` must be a folder, and {there} is a file", str(path))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"`{name}` cannot be written", str(path))
    return path


def sync(path):
    """Puts a file or the names in a folder on the disk: else a power cut may leave a name without its content."""
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _folders(parent, pattern):
    try:
        with os.scandir(parent) as entries:
            found = [e.path for e in entries if re.fullmatch(pattern, e.name) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [pathlib.Path(path) for path in found]


def _locked_folder(parent, prefix):
    """A new folder and the descriptor of its lock file, locked where the system can."""
    while True:
        folder = parent / f"{prefix}{uuid.uuid4().hex[:8]}"
        # Not `tempfile.mkdtemp`: its folders are closed to other users, and a model server is one.
        folder.mkdir()
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        # Another process may have taken the folder for an abandoned one between these two lines.
        if _lock(lock) is not False and (folder / LOCK).exists():
            return folder, lock
        os.close(lock)


def _lock(descriptor):
    """Whether the file is now locked by this descriptor; `None` where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_if_abandoned(folder):
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except FileNotFoundError:
        lock = None
    except OSError:
        return  # another user's
    try:
        locked = None if lock is None else _lock(lock)
        if locked or (locked is None and _is_idle(folder)):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        if lock is not None:
            os.close(lock)


def _is_idle(folder):
    """Whether nothing in the folder has changed for a day."""
    try:
        paths = [folder, *(os.path.join(above, name) for above, _, names in os.walk(folder) for name in names)]
        return max(os.stat(path).st_mtime for path in paths) < time.time() - IDLE
    except OSError:
        return False
