"""Files of weights of CTranslate2."""

import pathlib
import struct

import numpy as np

from keras_attention.types import PathLike

DTYPES = {0: "float32", 1: "int8", 2: "int16", 3: "int32", 4: "float16"}
VERSION = 6


def read_ctranslate2(path: PathLike) -> dict[str, np.ndarray]:
    """Reads the weights of a file of CTranslate2, `model.bin`.

    Args:
        path: The path of the file.

    Returns:
        `{name: array}`, in the order of the file, aliases included.

    Raises:
        ValueError: If it is not such a file, of another version, cut, or of a type that NumPy has not.

    Example:

    >>> import tempfile
    >>> head = struct.pack("<IH", 6, 5) + b"Spec\\0" + struct.pack("<II", 1, 1)
    >>> entry = struct.pack("<H", 2) + b"a\\0" + struct.pack("<BIBI", 1, 2, 0, 8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "model.bin"
    ...     _ = file.write_bytes(head + entry + np.float32([3, 4]).tobytes() + struct.pack("<I", 0))
    ...     read_ctranslate2(file)["a"].tolist()
    [3.0, 4.0]
    """
    content, at = memoryview(pathlib.Path(path).read_bytes()), 0

    def take(count):
        nonlocal at
        at += count
        if at > len(content):
            raise ValueError(f"`path` must be a whole `model.bin` of CTranslate2. Received: {path}, which ends early")
        return content[at - count : at]

    def number(kind):
        return struct.unpack(f"<{kind}", take(struct.calcsize(kind)))[0]

    def string():
        return bytes(take(number("H"))).rstrip(b"\0").decode(errors="replace")

    if number("I") != VERSION:
        raise ValueError(f"`path` must be a `model.bin` of version {VERSION} of CTranslate2. Received: {path}")
    string(), number("I")  # the name of the model's kind, and its revision
    found = dict(_entry(path, string, number, take) for _ in range(number("I")))
    return found | {string(): found[string()] for _ in range(number("I"))}


def _entry(path, string, number, take):
    """The next name and array."""
    name = string()
    shape = [number("I") for _ in range(number("B"))]
    dtype = number("B")
    if dtype not in DTYPES:
        raise ValueError(f"`path` must hold arrays of {', '.join(DTYPES.values())}. Received: {path}, dtype {dtype}")
    return name, np.frombuffer(take(number("I")), DTYPES[dtype]).reshape(shape)
