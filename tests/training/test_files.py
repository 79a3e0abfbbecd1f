import pytest

from keras_attention.training.files import suffix, written_whole


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "a.keras"
    with written_whole(path) as beside:
        beside.write_text("new")
        assert not path.exists() and beside.name.endswith(".keras")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.keras"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.weights.h5"
    path.write_text("old")
    with pytest.raises(OSError, match="disk"), written_whole(path) as beside:
        beside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]


def test_only_known_files_are_checkpoints():
    assert suffix("x/y.keras") == ".keras" and suffix("y.1.weights.h5") == ".weights.h5"
    with pytest.raises(ValueError, match="must be a `.keras` or a `.weights.h5` file"):
        suffix("model.h5")
