"""Temporary working folders, removed also after a killed process; checks of folder arguments."""

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
    """Context manager: the path of a new folder in `parent`, removed on exit, also after an error.

    The folder of a killed process is removed by the next call: the file `lock` in a folder stays locked while its
    process lives, and an unlocked folder is abandoned. Without file locks (Windows, some network file systems) and
    in folders without that file, a folder is abandoned if nothing in it has changed for a day.

    Args:
        parent: Path of a folder.
        prefix: Start of the folder's name; eight random characters follow.
        abandoned: Regular expression of the names of such folders in `parent`; others are never removed.
    """
    parent = pathlib.Path(parent)
    for folder in _folders(parent, abandoned):
        _remove_if_abandoned(folder)
    folder, lock = _locked_folder(parent, prefix)
    try:
        yield folder
    finally:
        os.close(lock)  # first: Windows does not remove open files
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def replacement(path, prefix, abandoned, name):
    """Context manager: a new path that is renamed to `path` at the end of the block, or removed after an error.

    Args:
        path: `pathlib.Path` of a file, there or not.
        prefix, abandoned: See `working_folder`.
        name: The new file's name until then.
    """
    # In the same folder: a rename across file systems is a copy, and not atomic.
    with working_folder(path.parent, prefix, abandoned) as folder:
        beside = folder / name
        yield beside
        sync(beside)
        os.replace(beside, path)
        sync(path.parent)


def require_folder(value, name):
    """Returns `value` as a path; raises an error unless it is a writable folder or can be created.

    Raises:
        ValueError: If it is not a local path.
        NotADirectoryError: If it, or a parent of it, is a file.
        PermissionError: If it is not writable.
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
    """Flushes a file or folder to disk (`fsync`): otherwise a power cut may leave a name without its content."""
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
    """A new folder and the descriptor of its lock file, locked where the system supports it."""
    while True:
        folder = parent / f"{prefix}{uuid.uuid4().hex[:8]}"
        # Not `tempfile.mkdtemp`: other users, such as a model server, cannot read its folders.
        folder.mkdir()
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        # Another process may have removed the folder as abandoned between these two lines.
        if _lock(lock) is not False and (folder / LOCK).exists():
            return folder, lock
        os.close(lock)


def _lock(descriptor):
    """Whether this descriptor now holds the lock; `None` where file locks are not supported."""
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
