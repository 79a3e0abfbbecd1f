import json

import attention_resnet_images as example
import fashion_data
import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)


@pytest.mark.parametrize("option", ["--steps", "--batch", "--seeds", "--blocks", "--width", "--images"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


@pytest.mark.usefixtures("no_keras_server")
def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fashion_data, "INSTALLED", tmp_path / "not installed")
    monkeypatch.setattr(fashion_data, "apt_download", lambda folder: "no index")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "could not be fetched: no index" in capsys.readouterr().err


def random_images(folder):
    """Images of 8 x 8 in two classes: bright above, bright below."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60).astype("u1")
    images = rng.integers(0, 50, (60, 8, 8)).astype("u1")
    for image, label in zip(images, labels):
        image[slice(4 * label, 4 * label + 4)] += 200
    return (images[:40], labels[:40]), (images[40:], labels[40:])


@pytest.mark.slow
def test_a_run_from_end_to_end_and_resumed(tmp_path, capsys, monkeypatch):
    assert example.parse([]).networks == ("none", "SE", "CBAM", "non-local")
    monkeypatch.setattr(fashion_data, "load", random_images)
    settings = ["--steps", "3", "--batch", "8", "--width", "4", "--output", str(tmp_path)]
    settings += ["--networks", "none", "CBAM"]
    assert example.main([*settings, "--seeds", "1"]) == 0
    first = json.loads((tmp_path / "results.json").read_text())
    assert set(first["accuracy"]) == {"none", "CBAM"}
    assert first["weights"]["none"] < first["weights"]["CBAM"]
    for name in ("accuracy.png", "grad_cam.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert example.main([*settings, "--seeds", "2"]) == 0
    assert capsys.readouterr().out.count("resumed after update 3") == 2
    second = json.loads((tmp_path / "results.json").read_text())
    for name, values in second["accuracy"].items():
        assert len(values) == 2
        assert values[:1] == first["accuracy"][name]
    assert example.main(["--steps", "4", "--batch", "8", "--width", "4", "--output", str(tmp_path)]) == 1
    assert "--steps 3, not 4" in capsys.readouterr().err
    others = [*settings[:6], "--output", str(tmp_path / "open"), "--networks", "SE, open", "--seeds", "1"]
    assert example.main(others) == 0  # no network of which Grad-CAM is drawn
    assert not (tmp_path / "open" / "grad_cam.png").exists()


def test_the_initial_weights_depend_on_the_seed():
    options = example.parse(["--width", "4"])
    one, other, again = (example.build(options, "CBAM", seed).get_weights()[0] for seed in (0, 1, 0))
    assert np.abs(one - other).max() > 0
    np.testing.assert_array_equal(one, again)


def test_the_gates_of_each_class_are_drawn_and_compared(tmp_path, capsys):
    options = example.parse(["--width", "4", "--output", str(tmp_path)])
    images = np.random.default_rng(0).integers(0, 256, (20, 12, 12)).astype("uint8")
    example.draw_gates(options, example.build(options, "SE", 0), images, np.arange(20) % 10)
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")
    *_, last = capsys.readouterr().out.splitlines()
    layer, spread = last.split(": ")
    assert layer.strip() == "stage3_block1_attention" and 0 < float(spread) < 1


def test_the_open_gate_lets_nearly_everything_through():
    from keras_attention import visualize

    images = np.random.default_rng(0).standard_normal((8, 12, 12, 1)).astype("float32")
    options = example.parse(["--width", "8"])
    half, opened = (example.build(options, name, 0) for name in ("SE", "SE, open"))
    for model, middle in ((half, 0.5), (opened, 0.95)):
        for gates in visualize.gates(model, images).values():
            assert np.median(gates) == pytest.approx(middle, abs=0.05)


def test_unknown_networks_are_an_error(capsys):
    with pytest.raises(SystemExit):
        example.parse(["--networks", "ES"])
    assert "argument --networks: invalid choice: 'ES'" in capsys.readouterr().err
