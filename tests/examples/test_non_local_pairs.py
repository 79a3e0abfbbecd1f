import json

import keras
import non_local_pairs as example
import pytest

tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the example runs on TensorFlow")


@pytest.mark.parametrize("option", ["--steps", "--batch", "--seeds", "--blocks", "--features", "--examined"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_each_task_has_a_folder_of_its_own(tmp_path):
    assert example.parse([]).output.name == "textures"
    assert example.parse(["--task", "digits"]).output.name == "digits"
    assert example.parse(["--output", str(tmp_path)]).output == tmp_path


def test_the_wide_network_has_at_least_the_parameters_of_every_other():
    options = example.parse([])
    sizes = {name: example.build(options, name, 0).count_params() for name in example.NETWORKS}
    assert sizes["C2D, wide"] == max(sizes.values())


@tensorflow
@pytest.mark.slow
def test_a_run_from_end_to_end_and_resumed(tmp_path, capsys):
    two = ["C2D", example.DRAWN]
    settings = ["--steps", "2", "--features", "3", "--batch", "4", "--blocks", "1", "--examined", "20"]
    settings += ["--output", str(tmp_path)]
    assert example.main([*settings, "--networks", *two, "--seeds", "1"]) == 0
    first = json.loads((tmp_path / "results.json").read_text())
    assert list(first["accuracy"]) == two and len(first["scores"]) == 1
    for name in ("accuracy.png", "maps.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert [path.parent.name for path in tmp_path.glob("*/seed-0/features")] == ["seed-0"]  # shared by both
    capsys.readouterr()
    assert example.main([*settings, "--networks", *two, "--seeds", "2"]) == 0
    assert capsys.readouterr().out.count("resumed after update 2") == 2
    second = json.loads((tmp_path / "results.json").read_text())["accuracy"]
    assert {name: (len(values), values[0]) for name, values in second.items()} == {
        name: (2, *values) for name, values in first["accuracy"].items()
    }
    assert example.main([*settings, "--task", "digits"]) == 1
    assert "--task textures, not digits" in capsys.readouterr().err
