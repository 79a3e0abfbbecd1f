import numpy as np
import selection_gan_pictures as pictures
from cross_view_data import KINDS
from selection_gan_cross_view import STEPS

VIEWS = {name: np.full((5, 4, 6, 3), value, "uint8") for name, value in (("source", 1), ("image", 2))}
VIEWS["semantics"] = np.zeros((5, 4, 6), "uint8")


def outputs(stages=2):
    images = {name: np.full((5, 4, 6, 3), value) for name, value in (("first_image", -1), ("image", 1))}
    maps = {"attention": np.full((5, 4, 6, 3), 0.25), "uncertainty": np.full((5, 4, 6, 1), 0.75)}
    return {**images, **maps} if stages == 2 else {"first_image": images["first_image"]}


def colors(figure):
    """The colors of the legend, in bytes."""
    [legend] = figure.legends
    found = {text.get_text(): patch for text, patch in zip(legend.get_texts(), legend.get_patches())}
    return {kind: tuple(int(255 * part + 0.5) for part in patch.get_facecolor()[:3]) for kind, patch in found.items()}


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def values(figure):
    """The value of each constant image of the first row."""
    return [float(axes.images[0].get_array().mean()) for axes in figure.axes[: len(titles(figure))]]


def test_images_become_bytes():
    np.testing.assert_array_equal(pictures.as_bytes(np.array([-1, -0.5, 0, 1, 1.1])), [0, 64, 128, 255, 255])


def test_views_have_the_last_stage_of_each_generator():
    figure = pictures.plot_views(VIEWS, {"A": outputs(1), "H": outputs()}, np.array([0, 4]))
    assert titles(figure) == ["from above", "semantic map", "A", "H", "true"] and len(figure.axes) == 10
    found = values(figure)
    assert found[0] == 1 and found[2:] == [0, 255, 2]
    assert colors(figure) == KINDS


def test_attention_has_both_stages_each_map_and_the_uncertainty():
    figure = pictures.plot_attention(VIEWS, outputs(), np.array([3]))
    limits = [axes.images[0].get_clim()[1] for axes in figure.axes[5:9]]
    assert limits == [0.25, 0.25, 0.25, 1] and figure.axes[-1].get_ylabel() == "attention"
    assert titles(figure)[2:] == ["first\nstage", "second\nstage", "true", "1", "2", "3", "uncer-\ntainty"]
    assert values(figure)[2:] == [0, 255, 2, 0.25, 0.25, 0.25, 0.75]
    assert colors(figure) == KINDS


def test_a_grid_has_a_column_for_each_title_and_a_row_for_each_view():
    images = np.arange(5, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 6, 3), "uint8")
    figure = pictures.grid({"image": images, "attention": np.full((5, 4, 6), 0.5)}, np.array([0, 3, 4]))
    assert titles(figure) == ["image", "attention"]
    assert [int(axes.images[0].get_array().max()) for axes in figure.axes[::2]] == [0, 3, 4]
    assert figure.axes[1].images[0].get_clim() == (0, 1)


def test_each_step_of_the_ablation_has_curves_of_its_own_style():
    def styles(names):
        found = {
            name: {update: {stage: {"SSIM": 0.2} for stage in pictures.STAGES} for update in (0, 5)} for name in names
        }
        [axes] = pictures.plot_progress(found, ("SSIM",), "title").axes
        return {line.get_label(): (line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.lines}

    found = styles(STEPS)
    assert list(found) == [f"{name}, {stage}" for name in STEPS for stage in pictures.STAGES.values()]
    assert len({*found.values()}) == len(found) == 16
    assert styles("CH").items() <= found.items()


def test_progress_has_a_curve_for_each_stage():
    found = {
        "A": {50: {"first_image": {"SSIM": 0.2, "PSNR": 15}}},
        "H": {100: {stage: {"SSIM": 0.5, "PSNR": 20} for stage in pictures.STAGES}},
    }
    found["H"][20] = {stage: {"SSIM": 0.1, "PSNR": 12 + len(stage)} for stage in pictures.STAGES}
    figure = pictures.plot_progress(found, ("SSIM", "PSNR"), "title")
    assert titles(figure) == ["SSIM", "PSNR"]
    curves = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[1].lines}
    assert curves == {
        "A, first stage": [[50, 15]],
        "H, first stage": [[20, 23], [100, 20]],
        "H, second stage": [[20, 17], [100, 20]],
    }
