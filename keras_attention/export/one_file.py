"""Exports to one file, of which another runtime's version is compared with the model before it is renamed."""

import contextlib
import os
import pathlib

from keras_attention.export.signatures import own_signature
from keras_attention.export.verify import require_equal, tolerance_of
from keras_attention.export.versions import HALF_WRITTEN, WORKING
from keras_attention.folders import replacement, require_folder


def require_file(path, suffix):
    """Returns `path` as an absolute path; raises an error unless it is a file of this suffix in a writable folder."""
    if not isinstance(path, str | os.PathLike) or pathlib.Path(path).suffix != suffix or "://" in str(path):
        raise ValueError(f"`path` must be the local path of a `{suffix}` file. Received: path={path!r}")
    path = pathlib.Path(path).absolute()
    if path.is_dir():
        raise IsADirectoryError(f"`path` is a folder: {path}")
    require_folder(path.parent, "path")
    return path


@contextlib.contextmanager
def written_whole(path):
    """Yields a temporary path in the same folder that is renamed to `path` at the end of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacement(path, WORKING, HALF_WRITTEN, path.name) as beside:
        yield beside


def signature_of(model, input_signature, lengths):
    """The model's call as a `ForwardSignature`; without lengths unless they are named.

    Raises:
        ValueError: If the model does not know its inputs.
    """
    signature = own_signature(model, input_signature, {} if lengths is None else lengths)
    if signature is None:
        raise ValueError(f"{model.name} does not know its inputs: give `input_signature`, specs or an example of them.")
    return signature


def compare(run, signature, function, verify):
    """Compares `run` with the model, if `verify`.

    Args:
        run: The file in its runtime: a function of tensors by name that returns arrays by name.
        signature: The `ForwardSignature`.
        function: The traced function that was converted.
        verify: As in `export_onnx`.
    """
    if verify or isinstance(verify, dict):
        require_equal(run, signature, tolerance_of(function), verify if isinstance(verify, dict) else None)
