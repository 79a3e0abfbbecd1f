"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import pathlib
import shutil
import sys

from keras_attention.folders import sync, working_folder

WEIGHTS = ".weights.h5"
HALF_WRITTEN = r"\..+(\.keras|\.weights\.h5)\.\w{8}"


def suffix(path):
    """`.keras` or `.weights.h5`; refuses any other checkpoint by name."""
    if isinstance(path, str | os.PathLike):
        for known in (".keras", WEIGHTS):
            if pathlib.Path(path).name.endswith(known):
                return known
    raise ValueError(f"A checkpoint must be a `.keras` or a `{WEIGHTS}` file. Received: {path}")


@contextlib.contextmanager
def written_whole(path, size=0):
    """Yields a path beside `path` to write to; it becomes `path` when the block ends well, and else is removed.

    So is what earlier processes left half written in the same folder when they were killed. `size` is how many bytes
    the disk must have room for: `OSError` is raised before the block if it has not.
    """
    path = pathlib.Path(path)
    # In the same folder: a rename across file systems would be a copy, and could be seen half done.
    with working_folder(path.parent, f".{path.name}.", HALF_WRITTEN) as folder:
        beside = folder / f"written{suffix(path)}"
        _require_room(beside, size)
        with closed_by_hdf5(beside):
            yield beside
        sync(beside)
        os.replace(beside, path)
        sync(path.parent)


@contextlib.contextmanager
def closed_by_hdf5(path):
    """After an error, HDF5 holds nothing open of the file `path`, whose content is lost.

    Where a disk is full, HDF5 cannot write what is left when it closes the file. It keeps it open, tries again later,
    and crashes the process. So what is left goes to the null device. (An error of the very last write, in which it
    closes the file, cannot be mended: see `_require_room`.)
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
            with contextlib.suppress(RuntimeError):  # the error that led here says what is wrong
                h5py.File(file).close()


def _require_room(path, size):
    """Raises `OSError` unless a file of `size` bytes can be written: HDF5 does not survive it if there is no room."""
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
