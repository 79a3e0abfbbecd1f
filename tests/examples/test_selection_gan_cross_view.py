import json

import cross_view_data
import game_maps
import numpy as np
import pytest
import selection_gan_cross_view as example


@pytest.mark.parametrize("option", ["--steps", "--batch", "--seeds", "--width", "--channels", "--views", "--examined"])
def test_a_size_must_be_positive(option, capsys):
    with pytest.raises(SystemExit):
        example.parse([option, "0"])
    assert option in capsys.readouterr().err


def test_steps_of_the_ablation_are_different_letters(capsys):
    assert example.parse(["--ablation", "HCA"]).ablation == "ACH"
    for text in ("", "AI", "AA"):
        with pytest.raises(SystemExit):
            example.parse(["--ablation", text])
        assert "different letters from A to H" in capsys.readouterr().err


def test_unavailable_data_is_a_clear_error(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(game_maps.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(game_maps, "pip_install", lambda folder: "no index")
    assert example.main(["--output", str(tmp_path), "--cache", str(tmp_path / "cache")]) == 1
    assert "vizdoom==1.3.2" in capsys.readouterr().err


def test_images_become_bytes():
    np.testing.assert_array_equal(example.as_bytes(np.array([-1, -0.5, 0, 1, 1.1])), [0, 64, 128, 255, 255])


def test_a_grid_has_a_column_for_each_title_and_a_row_for_each_view():
    images, maps = np.zeros((5, 4, 6, 3), "uint8"), np.full((5, 4, 6), 0.5, "float32")
    figure = example.grid({"image": images, "attention": maps}, np.array([0, 3, 4]))
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:2]] == ["image", "attention"]
    assert figure.axes[1].images[0].get_clim() == (0, 1)


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, capfd, monkeypatch):
    def load(number, maps, seed, folder):
        rng = np.random.default_rng(seed)
        images = {name: rng.integers(0, 256, (number, 32, 32, 3)).astype("uint8") for name in ("source", "image")}
        return {**images, "semantics": rng.integers(0, 7, (number, 32, 32)).astype("uint8")}

    monkeypatch.setattr(cross_view_data, "load", load)
    monkeypatch.setattr(game_maps, "SIZE", 32)
    sizes = ["--steps", "2", "--batch", "2", "--width", "2", "--channels", "9", "--views", "5", "--examined", "7"]
    arguments = [*sizes, "--ablation", "AH", "--output", str(tmp_path)]
    assert example.main(arguments) == 0
    output = capfd.readouterr().out
    for part in ("A, map from above", "second stage", "Done in"):
        assert part in output
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    stages = [("A", "first_image"), ("H", "first_image"), ("H", "image")]
    assert [(row["step"], row["image"]) for row in results] == stages
    assert all(np.isfinite([row[name] for name in ("SSIM", "PSNR", "SD")]).all() for row in results)
    assert {"views.png", "attention-H.png", "settings.json"} <= {path.name for path in tmp_path.iterdir()}
    assert example.main(arguments) == 0
    assert "from update 2 on" in capfd.readouterr().out
