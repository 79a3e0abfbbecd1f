"""The reader of CTranslate2's files, on files written here. On a published one: test_whisper.py."""

import struct

import numpy as np
import pytest

from keras_attention.migrate import read_ctranslate2

RNG = np.random.default_rng(0)
ARRAYS = {
    "encoder/weight": RNG.standard_normal((3, 4)).astype("float16"),
    "encoder/num_heads": np.array(6, "int16"),
    "decoder/scale": RNG.standard_normal(5).astype("float32"),
    "decoder/codes": np.array([[-3, 4]], "int8"),
    "decoder/ids": np.array([70000], "int32"),
}
TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def content(version=6, types=TYPES):
    parts = [struct.pack("<I", version), string("WhisperSpec"), struct.pack("<II", 3, len(ARRAYS))]
    for name, x in ARRAYS.items():
        parts += [string(name), struct.pack(f"<B{x.ndim}I", x.ndim, *x.shape)]
        parts += [struct.pack("<BI", types[x.dtype.name], x.nbytes), x.tobytes()]
    return b"".join([*parts, struct.pack("<I", 1), string("decoder/alias"), string("encoder/weight")])


def test_names_shapes_types_and_aliases(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(content())
    found = read_ctranslate2(str(path))
    assert list(found) == [*ARRAYS, "decoder/alias"]
    for name, x in {**ARRAYS, "decoder/alias": ARRAYS["encoder/weight"]}.items():
        assert found[name].dtype == x.dtype
        np.testing.assert_array_equal(found[name], x)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (content()[:-3], "whole `model.bin` of CTranslate2. Received: .*, which ends early"),
        (content()[:40], "ends early"),
        (b"", "ends early"),
        (content(version=5), "of version 6 of CTranslate2"),
        (b"PK\3\4" + bytes(99), "of version 6 of CTranslate2"),
        (content(types={**TYPES, "float32": 5}), "arrays of float32, int8, int16, int32, float16.*dtype 5"),
    ],
)
def test_other_files_are_refused(tmp_path, written, message):
    path = tmp_path / "model.bin"
    path.write_bytes(written)
    with pytest.raises(ValueError, match=message):
        read_ctranslate2(path)
