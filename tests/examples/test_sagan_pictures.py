import numpy as np
import pytest
import sagan_pictures as pictures


def test_attention_maps_are_those_of_the_query_points():
    """Query i attends to key i // 4 alone, on grids of 4 x 4 queries and 2 x 2 keys."""
    scores = np.zeros((16, 4))
    scores[np.arange(16), np.arange(16) // 4] = 1
    maps = pictures.attention_maps(scores, size=8)
    assert maps.shape == (5, 8, 8)
    np.testing.assert_allclose(maps.sum((1, 2)), 1)
    # The points lie in rows 2, 1, 3, 2, 2 of the four.
    keys = [tuple(np.argwhere(where).min(0) // 4) for where in maps]
    assert keys == [(1, 0), (0, 1), (1, 1), (1, 0), (1, 0)]
    assert (maps > 0).sum() == 5 * 16


@pytest.mark.parametrize("shape, size", [((15, 4), 8), ((16, 5), 8), ((16, 4), 6)])
def test_scores_that_are_not_of_square_grids_are_refused(shape, size):
    with pytest.raises(ValueError, match="not of squares that divide"):
        pictures.attention_maps(np.ones(shape), size)


def test_a_sheet_has_a_border_around_each_image():
    sheet = pictures.sheet(np.arange(6.0).reshape(2, 3, 1, 1, 1))
    assert sheet.shape == (6, 9, 1)
    assert sheet[1::3, 1::3, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (np.delete(sheet, [1, 4], axis=0) == 0.25).all()


def test_images_are_rescaled_to_0_to_1():
    np.testing.assert_allclose(pictures.painted([-1.0, 0.0, 1.0, 1.2]), [0, 0.5, 1, 1])


def test_figures_are_saved(tmp_path):
    rng = np.random.default_rng(0)
    images, scores = rng.uniform(-1, 1, (2, 3, 8, 8, 3)), rng.random((3, 16, 4))
    table = {0: {"FID": 90.0, "KID": 0.5}, 5: {"FID": 20.0, "KID": 0.1}}
    figures = {
        "samples": pictures.plot_samples(images, "title"),
        "attention": pictures.plot_attention(images[0], scores, "title"),
        "progress": pictures.plot_progress({"with": table, "without": table}, ("FID", "KID"), "title"),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 2_000
    assert len(figures["attention"].axes) == 3 * 6
    [fid, kid] = figures["progress"].axes
    assert [line.get_ydata()[1] for line in fid.lines] == [20, 20]
    assert [line.get_ydata()[1] for line in kid.lines] == [0.1, 0.1]
