"""Atomic writing of checkpoint files."""

import contextlib
import errno
import os
import pathlib
import shutil
import sys

from keras_attention.folders import replacement

WEIGHTS = ".weights.h5"
HALF_WRITTEN = r"\..+(\.keras|\.weights\.h5)\.\w{8}"


def suffix(path):
    """Returns `.keras` or `.weights.h5`; other names are refused."""
    if isinstance(path, str | os.PathLike):
        for known in (".keras", WEIGHTS):
            if pathlib.Path(path).name.endswith(known):
                return known
    raise ValueError(f"A checkpoint must be a `.keras` or a `{WEIGHTS}` file. Received: {path}")


@contextlib.contextmanager
def written_whole(path, size=0):
    """Yields a temporary path that is renamed to `path` at the end of the block, or removed after an error.

    Files that killed processes left half written in the same folder are removed, too. `size` is the number of bytes
    to reserve: without as much free space, `OSError` is raised before the block.
    """
    path = pathlib.Path(path)
    with replacement(path, f".{path.name}.", HALF_WRITTEN, f"written{suffix(path)}") as beside:
        _require_room(beside, size)
        with closed_by_hdf5(beside):
            yield beside


@contextlib.contextmanager
def closed_by_hdf5(path):
    """After an error, closes the file `path` in HDF5; its content is lost.

    On a full disk HDF5 cannot write its buffers when it closes the file. It keeps it open, tries again later, and
    crashes the process. So the buffers go to the null device. (An error of the very last write, in which it closes
    the file, cannot be handled: see `_require_room`.)
    """
    try:
        yield
    except BaseException:
        if "h5py" in sys.modules and os.name == "posix":
            _close(path)
        raise


def _close(path):
    import h5py

    for file in h5py.h5f.get_obj_ids(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE):
        if os.fsdecode(file.name) == os.fspath(path):
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, file.get_vfd_handle())
            os.close(null)
            with contextlib.suppress(RuntimeError):  # the first error is raised
                h5py.File(file).close()


def _require_room(path, size):
    """Raises `OSError` unless `size` bytes can be reserved: a full disk crashes HDF5."""
    if not size:
        return
    if not hasattr(os, "posix_fallocate"):
        if shutil.disk_usage(path.parent).free < size:
            raise OSError(errno.ENOSPC, f"There is no room for {size} bytes", str(path))
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            message = f"There is no room for {size} bytes ({error.strerror})"
            raise OSError(error.errno, message, str(path)) from error
    finally:
        os.close(descriptor)
        os.unlink(path)
