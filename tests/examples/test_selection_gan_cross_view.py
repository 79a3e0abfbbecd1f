import json

import cross_view_data
import game_maps
import numpy as np
import pytest
import selection_gan_cross_view as example
import selection_gan_pictures
from runs import settle
from selection_gan_pictures import STAGES

from keras_attention import models


@pytest.mark.parametrize(
    "option", ["--steps", "--batch", "--seeds", "--width", "--channels", "--discriminator", "--views"]
)
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert f"argument {option}: must be a positive number" in capsys.readouterr().err


def test_steps_of_the_ablation_are_different_letters(capsys):
    assert example.parse(["--ablation", "HCA"]).ablation == "ACH"
    for text in ("", "AI", "AA"):
        with pytest.raises(SystemExit):
            example.parse(["--ablation", text])
        assert "different letters from A to H" in capsys.readouterr().err


@pytest.mark.parametrize("step", "FGH")
def test_too_few_channels_of_the_second_stage_are_refused(step, capsys):
    with pytest.raises(ValueError, match="must be more than the 6 channels"):
        models.selection_gan(32, step, selection_channels=6)
    with pytest.raises(SystemExit):
        example.parse(["--ablation", f"A{step}", "--channels", "6"])
    assert "--channels must be at least 7 for F, G, H. Received: 6" in capsys.readouterr().err
    assert example.parse(["--ablation", step, "--channels", "7"]).channels == 7
    assert example.parse(["--ablation", "ABCDE", "--channels", "6"]).channels == 6


@pytest.mark.parametrize(
    ("other", "message"),
    [(["--test", "maps"], "--test places, not maps"), (["--examined", "7"], "--examined 600, not 7")],
)
def test_a_run_does_not_resume_with_other_test_views(other, message, tmp_path, capsys, monkeypatch):
    """The metrics during training are of the test views."""
    monkeypatch.setattr(cross_view_data, "load", lambda *_: pytest.fail("views are rendered"))
    settings = ["--output", str(tmp_path)]
    settle(example.parse(settings), example.FIXED, example.LEARNED)
    progress = tmp_path / "A" / "seed-0" / "progress.json"
    progress.parent.mkdir(parents=True)
    progress.touch()
    assert example.main([*settings, *other]) == 1
    assert f"holds a run with {message}: give --fresh" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "sampled"), [(7, 7), (199, 199), (200, 100), (250, 125), (600, 100)])
def test_the_title_of_the_progress_has_the_number_of_its_views(number, sampled, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(selection_gan_pictures, "plot_views", lambda *_: None)
    monkeypatch.setattr(selection_gan_pictures, "plot_progress", lambda found, measures, title: titles.append(title))
    monkeypatch.setattr(example, "save_figure", lambda *_, **__: None)
    options = example.parse(["--output", str(tmp_path)])
    example.draw(options, {"image": np.zeros((number, 1, 1, 3), "uint8")}, {})
    assert titles == [f"{sampled} test views during 3000 updates of 8; seed 0"]


def test_the_factor_of_the_adversarial_loss_is_not_negative(capsys):
    assert example.parse(["--adversarial", "0"]).adversarial == 0
    for text in ("-1", "inf", "nan"):
        with pytest.raises(SystemExit):
            example.parse(["--adversarial", text])
        assert "argument --adversarial: must be finite and not negative" in capsys.readouterr().err


def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(game_maps.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(game_maps, "pip_install", lambda folder: "no index")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "vizdoom==1.3.2" in capsys.readouterr().err


def test_the_report_has_means_intervals_and_the_difference_of_the_stages(tmp_path, capsys):
    def row(seed, first, second):
        stages = {"first_image": (0.25, first, 12.0), "image": (0.5, second, 12.5)}
        maps = {"candidates": 4.0, "spread": 0.25, "correlation": 0.5}
        stages = {stage: dict(zip(example.MEASURES, values)) for stage, values in stages.items()}
        return {"step": "F", "seed": seed, "stages": stages, "maps": maps}

    options = example.parse(["--ablation", "F", "--seeds", "2", "--output", str(tmp_path)])
    baseline = {"SSIM": 0.125, "PSNR": 17.0, "SD": 11.0}
    example.report(options, [row(0, 19.0, 21.0), row(1, 20.0, 21.0)], baseline)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    # Student's t of one degree of freedom is 12.706; the standard error of 2 and 1 is 0.5.
    assert "mean training view 0.1250 17.00 11.00" in lines
    assert "F first stage 0.2500 ± 0.0000 19.50 ± 6.35 12.00 ± 0.00" in lines
    assert "F second stage 0.5000 ± 0.0000 21.00 ± 0.00 12.50 ± 0.00" in lines
    assert "F second minus first +0.2500 ± 0.0000 +1.50 ± 6.35 +0.50 ± 0.00" in lines
    assert f"F {example.MAPS['candidates']}: 4.000 ± 0.000" in lines
    assert json.loads((tmp_path / "results.json").read_text())["results"][1]["seed"] == 1
    example.report(options, [row(0, 19.0, 21.0)], baseline)
    assert "F first stage 0.2500 19.00 12.00" in " ".join(capsys.readouterr().out.split())


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    def load(number, maps, tested, seed, folder):
        assert tested == (number == 7), "test views are of test places"
        rng = np.random.default_rng(seed)
        images = {name: rng.integers(0, 256, (number, 32, 32, 3)).astype("uint8") for name in ("source", "image")}
        return {**images, "semantics": rng.integers(0, 7, (number, 32, 32)).astype("uint8")}

    monkeypatch.setattr(cross_view_data, "load", load)
    monkeypatch.setattr(game_maps, "SIZE", 32)
    networks = ["--width", "2", "--channels", "9", "--discriminator", "2"]
    sizes = ["--steps", "2", "--batch", "2", "--views", "5", "--examined", "7"]
    arguments = [*networks, *sizes, "--ablation", "AH", "--output", str(tmp_path)]
    assert example.main(arguments) == 0
    output = capfd.readouterr().out
    for part in ("A: map from above", "second minus first", "Done in"):
        assert part in output
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert [(row["step"], list(row["stages"])) for row in results] == [("A", ["first_image"]), ("H", [*STAGES])]
    assert all(np.isfinite(list(means.values())).all() for row in results for means in row["stages"].values())
    pictures = {"views.png", "attention-H.png", "progress.png"}
    assert {*pictures, "settings.json", "A", "H"} <= {path.name for path in tmp_path.iterdir()}
    progress = json.loads((tmp_path / "H" / "seed-0" / "progress.json").read_text())
    assert list(progress) == ["0", "1", "2"]
    assert progress["2"]["image"] == pytest.approx(results[1]["stages"]["image"], abs=1e-4)  # of all 7 views
    assert example.main(arguments) == 0
    assert capfd.readouterr().out.count("resumed after update 2") == 2
    assert json.loads((tmp_path / "results.json").read_text())["results"] == results
