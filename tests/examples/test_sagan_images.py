import dataclasses
import json
import re

import keras
import numpy as np
import pytest
from fetching import UnavailableError

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import class_reading
import offline_features
import sagan_images as example
from sagan_data import SIZE, TASKS

from keras_attention import models


@pytest.mark.parametrize("option", ["--steps", "--every", "--batch", "--channels", "--held-out", "--seeds"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_attention_is_at_a_size_that_the_networks_have(capsys):
    with pytest.raises(ValueError, match=re.escape(f"one of {example.ATTENDED}")):
        models.sagan(SIZE, attention_at=4)
    for size in (4, 32):
        with pytest.raises(SystemExit):
            example.parse(["--attention-at", str(size)])
        assert "argument --attention-at: invalid choice" in capsys.readouterr().err
    assert example.parse(["--attention-at", "8"]).attention_at == 8


def unavailable(*_):
    raise UnavailableError("no index")


@pytest.mark.parametrize("missing", ["images", "features"])
def test_unavailable_data_is_a_clear_error(missing, tmp_path, capsys, monkeypatch):
    give(monkeypatch, "clothes", unavailable if missing == "images" else random_clothes)
    monkeypatch.setattr(offline_features, "load", unavailable)
    assert example.main(["--output", str(tmp_path), "--batch", "4"]) == 1
    assert "no index" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--held-out", "19"], "at least 2 images of each class, for intra-FID. Received: 19, which leaves 1 of one"),
        (["--batch", "25"], "--batch must be at most the 24 training images. Received: 25"),
    ],
)
def test_settings_that_do_not_fit_the_images_leave_an_earlier_run_as_it_is(
    given, message, tmp_path, capsys, monkeypatch
):
    give(monkeypatch, "clothes", random_clothes)
    trained = tmp_path / "SAGAN" / "seed-0" / "progress.json"
    trained.parent.mkdir(parents=True)
    trained.touch()
    assert example.main(["--batch", "4", *given, "--output", str(tmp_path), "--fresh"]) == 1
    assert message in capsys.readouterr().err and trained.is_file()


def give(monkeypatch, task, load):
    """Replaces the function that loads the images of a task."""
    monkeypatch.setitem(TASKS, task, dataclasses.replace(TASKS[task], load=load))


def random_digits(folder):
    train, test = random_clothes(folder)
    return [(images[..., None], labels) for images, labels in (train, test)]


def random_clothes(folder):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (24, 28, 28)).astype("u1"), (np.arange(24) % 10).astype("u1")
    return (images, labels), (images[:20], labels[:20])


def random_features(folder):
    """In place of the ImageNet network: means of parts of the image."""
    return lambda images: {
        "texture": np.asarray(images).reshape(-1, 2, 16, 2, 16, 3).mean((2, 4)).reshape(-1, 12),
        "features": np.asarray(images).reshape(-1, 4, 8, 4, 8, 3).mean((2, 4)).reshape(-1, 48),
        "probabilities": np.full((len(images), 3), 1 / 3),
    }


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    give(monkeypatch, "clothes", random_clothes)
    monkeypatch.setattr(class_reading, "UPDATES", 2)
    monkeypatch.setattr(offline_features, "load", random_features)
    settings = ["--every", "2", "--batch", "4", "--channels", "2", "--held-out", "30", "--output", str(tmp_path)]
    names = ["AC-GAN", "SAGAN"]
    assert example.main([*settings, "--steps", "2", "--networks", *names]) == 0
    first = json.loads((tmp_path / "results.json").read_text())
    assert first["settings"]["held_out"] == 20  # there are no more
    assert set(first["progress"]) == set(names)
    for name in ("progress", "classes", "samples-AC-GAN", "samples-SAGAN", "attention"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    printed = capfd.readouterr().out
    assert set(first["read"]) == set(names) and all(0 <= rate <= 1 for [rate] in first["read"].values())
    assert "AC-GAN" in printed and "28.5, 260.0, -" in printed and "52.52, 83.7, 18.65" in printed
    for name, counts in zip(names, re.findall(r"generator: ([\d,]+), of the discriminator: ([\d,]+)", printed)):
        both = sum(int(count.replace(",", "")) for count in counts)
        assert re.search(rf"^ +{name} +{both:,} ", printed, re.M)
    settings += ["--networks", "AC-GAN"]
    assert example.main([*settings, "--steps", "4", "--seeds", "2"]) == 0
    printed = capfd.readouterr().out
    assert printed.count("resumed after update 2") == 1 and "1.00 ± 0.00" in printed
    second = json.loads((tmp_path / "results.json").read_text())
    resumed, other = second["progress"]["AC-GAN"]
    assert list(resumed) == list(other) == ["0", "2", "4"]
    assert {key: resumed[key] for key in ("0", "2")} == first["progress"]["AC-GAN"][0]
    assert example.main([*settings, "--steps", "2"]) == 1
    assert "--steps must be at least the 4 updates done, or see --fresh" in capfd.readouterr().err
    assert example.main([*settings, "--steps", "4", "--channels", "3"]) == 1
    assert "--channels 2, not 3: give --fresh" in capfd.readouterr().err


@pytest.mark.slow
def test_a_run_of_twins_measures_their_agreement(tmp_path, capfd, monkeypatch):
    give(monkeypatch, "twins", random_digits)
    monkeypatch.setattr(class_reading, "UPDATES", 2)
    monkeypatch.setattr(offline_features, "load", random_features)
    settings = ["--every", "1", "--batch", "4", "--channels", "2", "--held-out", "20", "--output", str(tmp_path)]
    assert example.main([*settings, "--steps", "1", "--networks", "SAGAN", "--task", "twins"]) == 0
    printed = capfd.readouterr().out
    assert "agreement of the held-out images: 1.000" in printed
    [table] = json.loads((tmp_path / "results.json").read_text())["progress"]["SAGAN"]
    assert all(0 < table[update]["agreement"] < 1 for update in ("0", "1"))
    assert f"{table['1']['agreement']:.3f}" in printed.split("After 1 updates")[1]


def test_systems_differ_by_what_they_are():
    import sagan_learning as learning

    built = {name: learning.build(system, 2, 16, 0) for name, system in example.SYSTEMS.items()}
    layers = {
        name: [
            " ".join(type(layer).__name__ for layer in net._flatten_layers())
            for net in (gan.generator, gan.discriminator)
        ]
        for name, gan in built.items()
    }
    assert [("SelfAttention2D" in g, "SelfAttention2D" in d) for g, d in layers.values()] == [(False, False)] * 3 + [
        (True, True)
    ]
    assert [name for name, gan in built.items() if gan.objective.classifier_weight] == ["AC-GAN"]
    assert [name for name, gan in built.items() if "label" not in gan.discriminator.input] == ["AC-GAN"]
    assert [name for name, (g, _) in layers.items() if "SpectralNormalization" not in g] == ["SNGAN-projection"]
