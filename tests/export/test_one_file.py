import pytest

from keras_attention.export.one_file import require_file, written_whole


def test_paths(tmp_path):
    assert require_file(str(tmp_path / "a.onnx"), ".onnx") == tmp_path / "a.onnx"
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(IsADirectoryError, match=r"`path` is a folder: .*folder\.onnx"):
        require_file(tmp_path / "folder.onnx", ".onnx")
    with pytest.raises(ValueError, match=r"local path of a `\.onnx` file. Received: path='a.tflite'"):
        require_file("a.tflite", ".onnx")


def test_an_interrupted_write_leaves_the_older_file_alone(tmp_path):
    path = tmp_path / "below" / "a.onnx"
    with written_whole(path) as beside:
        beside.write_bytes(b"older")
    assert path.read_bytes() == b"older"
    with pytest.raises(KeyboardInterrupt), written_whole(path) as beside:
        beside.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"older" and list(path.parent.iterdir()) == [path]
