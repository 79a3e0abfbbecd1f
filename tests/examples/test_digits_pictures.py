import digits_pictures as pictures
import numpy as np
import pytest

from keras_attention import models


def painted(labels, known, mask):
    """A sampler that returns the class at unknown pixels."""
    return np.where(mask[..., None], known, np.asarray(labels)[:, None, None, None])


def test_samples_have_one_column_for_each_class():
    samples = pictures.samples(painted, 3, 2, (4, 5))
    assert samples.shape == (2, 3, 4, 5, 1)
    for label in range(3):
        assert (samples[:, label] == label).all()


def test_completions_keep_the_upper_half():
    images = np.random.default_rng(0).integers(10, 256, (3, 4, 5, 1))
    rows = pictures.completions(painted, images, np.arange(3), tries=2)
    assert rows.shape == (4, 3, 4, 5, 1)
    np.testing.assert_array_equal(rows[3], images)
    assert (rows[0][:, 2:] == 128).all()
    for row in rows[:3]:
        np.testing.assert_array_equal(row[:, :2], images[:, :2])
    for row in rows[1:3]:
        assert (row[:, 2:] == np.arange(3)[:, None, None, None]).all()


@pytest.mark.usefixtures("functions_eager")
def test_the_sampler_of_a_model_keeps_the_given_half():
    sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 9}
    model = models.image_transformer(channels=1, query_block=4, memory_block=4, num_classes=3, **sizes)
    sampler = pictures.painter(model, (2, 3), seed=1, temperature=0.9)
    images = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 1))
    rows = pictures.completions(sampler, images, np.array([1, 2]), tries=2)
    assert rows.shape == (4, 2, 2, 3, 1)
    np.testing.assert_array_equal(rows[1][:, :1], images[:, :1])


def test_figures_are_saved(tmp_path):
    figures = {
        "bits": pictures.plot_bits({8: (3.0, 0.1), 64: (2.0, 0.1)}, "title"),
        "pictures": pictures.plot_pictures(np.zeros((2, 3, 4, 5, 1)), np.zeros((3, 2, 4, 5, 1)), "title"),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 2_000
