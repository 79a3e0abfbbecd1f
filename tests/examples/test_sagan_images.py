import json

import keras
import numpy as np
import pytest
from fetching import UnavailableError

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import fashion_data
import offline_features
import sagan_images as example


@pytest.mark.parametrize("option", ["--steps", "--every", "--batch", "--channels", "--attention-at", "--held-out"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert option in capsys.readouterr().err


def test_steps_must_be_a_multiple_of_the_evaluation_interval(capsys):
    with pytest.raises(SystemExit):
        example.parse(["--steps", "10", "--every", "4"])
    assert "--steps must be a multiple of --every. Received: 10 and 4" in capsys.readouterr().err


def test_a_single_held_out_image_is_refused(capsys):
    with pytest.raises(SystemExit):
        example.parse(["--held-out", "1"])
    assert "--held-out must be at least 2" in capsys.readouterr().err


@pytest.mark.parametrize("module", [fashion_data, offline_features])
def test_unavailable_data_is_a_clear_error(module, tmp_path, capsys, monkeypatch):
    def unavailable(*_):
        raise UnavailableError("no index")

    monkeypatch.setattr(fashion_data, "load", random_clothes)
    monkeypatch.setattr(module, "load", unavailable)
    assert example.main(["--output", str(tmp_path), "--batch", "4"]) == 1
    assert "no index" in capsys.readouterr().err


def random_clothes(folder):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (24, 28, 28)).astype("u1"), (np.arange(24) % 10).astype("u1")
    return (images, labels), (images[:8], labels[:8])


def random_features(folder):
    """In place of the ImageNet network: means of parts of the image."""
    return lambda images: {
        "texture": np.asarray(images).reshape(-1, 2, 16, 2, 16, 3).mean((2, 4)).reshape(-1, 12),
        "features": np.asarray(images).reshape(-1, 4, 8, 4, 8, 3).mean((2, 4)).reshape(-1, 48),
    }


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(fashion_data, "load", random_clothes)
    monkeypatch.setattr(offline_features, "load", random_features)
    settings = ["--every", "2", "--batch", "4", "--channels", "2", "--held-out", "8", "--output", str(tmp_path)]
    assert example.main([*settings, "--steps", "2"]) == 0
    first = json.loads((tmp_path / "results.json").read_text())
    assert set(first["progress"]) == {"with attention", "without"}
    for name in ("progress", "samples-with-attention", "samples-without", "attention"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    capfd.readouterr()
    assert example.main([*settings, "--steps", "4"]) == 0
    assert capfd.readouterr().out.count("resumed after update 2") == 2
    second = json.loads((tmp_path / "results.json").read_text())
    for kind, table in second["progress"].items():
        assert list(table) == ["0", "2", "4"]
        assert {key: table[key] for key in ("0", "2")} == first["progress"][kind]
    assert example.main([*settings, "--steps", "2"]) == 1
    assert "--steps must be at least the 4 updates done, or see --fresh" in capfd.readouterr().err
    assert example.main([*settings, "--steps", "4", "--seed", "1"]) == 1
    assert "--seed 0, not 1: give --fresh" in capfd.readouterr().err
