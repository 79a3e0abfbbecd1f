import json

import keras
import numpy as np
import pytest

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import class_reading
import digits_data
import twin_digits as example


@pytest.mark.parametrize("option", ["--seeds", "--steps", "--every", "--batch", "--examined"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_fewer_test_images_than_are_shown_are_refused(capsys):
    assert example.parse(["--examined", "12"]).examined == 12
    with pytest.raises(SystemExit):
        example.parse(["--examined", "11"])
    assert "--examined must be at least 12" in capsys.readouterr().err


def test_names_are_those_of_the_networks():
    import twin_digits_networks as networks

    assert tuple(networks.BLOCKS) == example.DISCRIMINATORS


def random_digits(folder):
    rng = np.random.default_rng(0)
    return [(rng.integers(0, 256, (n, 28, 28, 1)).astype("u1"), np.arange(n) % 10) for n in (24, 20)]


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(digits_data, "load", random_digits)
    monkeypatch.setattr(class_reading, "UPDATES", 2)
    settings = ["--steps", "2", "--every", "1", "--batch", "4", "--examined", "30", "--output", str(tmp_path)]
    assert example.main([*settings, "--seeds", "1"]) == 0
    printed = capfd.readouterr().out
    assert "Agreement of 20 pairs" in printed  # there are no more
    for name in ("agreement", "progress", "samples", "attention"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((tmp_path / "results.json").read_text())
    first, read = results["progress"], results["read as equal"]
    assert results["settings"]["examined"] == 20
    assert set(read) == set(first) and all(0 <= share <= 1 for [share] in read.values())
    assert "both digits are read as the same" in printed
    assert set(first) == set(example.DISCRIMINATORS)
    for [table] in first.values():
        assert list(table) == ["0", "1", "2"] and all(0 < row["agreement"] < 1 for row in table.values())
        assert f"{100 * table['2']['agreement']:.1f} %" in printed
    assert example.main([*settings, "--seeds", "2", "--networks", "1 x 1 block"]) == 0
    printed = capfd.readouterr().out
    assert printed.count("resumed after update 2") == 1 and "±" in printed
    second = json.loads((tmp_path / "results.json").read_text())["progress"]
    assert second["1 x 1 block"][0] == first["1 x 1 block"][0] and len(second["1 x 1 block"]) == 2
    assert example.main([*settings, "--seeds", "1", "--steps", "3", "--networks", "1 x 1 block"]) == 0
    [table] = json.loads((tmp_path / "results.json").read_text())["progress"]["1 x 1 block"]
    assert list(table) == ["0", "1", "2", "3"] and {k: table[k] for k in "012"} == first["1 x 1 block"][0]
    assert example.main([*settings, "--networks", "1 x 1 block"]) == 1
    assert "--steps must be at least the 3 updates done" in capfd.readouterr().err
    assert example.main([*settings, "--batch", "5"]) == 1
    assert "--batch 4, not 5: give --fresh" in capfd.readouterr().err
