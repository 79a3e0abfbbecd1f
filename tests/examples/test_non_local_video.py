import json

import game_maps
import keras
import non_local_video as example
import numpy as np
import pytest
import video_data


@pytest.mark.parametrize("option", ["--steps", "--batch", "--seeds", "--width", "--clips", "--examined"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_fewer_clips_than_classes_are_refused(capsys):
    assert example.parse(["--examined", "6"]).examined == 6
    with pytest.raises(SystemExit):
        example.parse(["--examined", "5"])
    assert "--examined must be at least 6, a clip of each class. Received: 5" in capsys.readouterr().err


def test_the_fourth_frame_is_repeated():
    clips = np.arange(2 * 8 * 3).reshape(2, 8, 1, 1, 3)
    still = example.still(clips)
    assert still.shape == clips.shape and (still == clips[:, 3:4]).all()


def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(game_maps.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(game_maps, "pip_install", lambda folder: "no index")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "cannot be rendered: no index" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the example runs on TensorFlow")
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    def load(number, maps, seed, folder):
        rng = np.random.default_rng(seed)
        return rng.integers(0, 256, (number, 8, 32, 32, 3)).astype("uint8"), np.arange(number, dtype="int32") % 6

    assert list(example.NETWORKS) == ["C2D, one frame", "C2D", "NL C2D", "I3D", "NL I3D"]
    two = {name: example.NETWORKS[name] for name in ("C2D, one frame", "NL I3D")}
    monkeypatch.setattr(video_data, "load", load)
    monkeypatch.setattr(example, "NETWORKS", two)
    sizes = ["--steps", "2", "--batch", "3", "--width", "4", "--clips", "6", "--examined", "12"]
    arguments = [*sizes, "--output", str(tmp_path), "--seeds"]
    assert example.main([*arguments, "1"]) == 0
    output = capfd.readouterr().out
    for part in (*two, "of unseen maps", "Done in"):
        assert part in output
    first = json.loads((tmp_path / "results.json").read_text())["accuracy"]
    assert {"accuracy.png", "clips.png", "settings.json"} <= {path.name for path in tmp_path.iterdir()}
    assert example.main([*arguments, "2"]) == 0
    assert capfd.readouterr().out.count("after update 2 of an earlier run") == 2
    second = json.loads((tmp_path / "results.json").read_text())["accuracy"]
    assert {name: (len(values), values[0]) for name, values in second.items()} == {n: (2, *first[n]) for n in two}
