import numpy as np
import pixels_pictures as pictures
import pytest

from keras_attention import models


def painted(labels, known=None, mask=None, source=None):
    """A sampler that returns the class at unknown pixels, and with a source the sum of both."""
    images = np.broadcast_to(np.asarray(labels)[:, None, None, None], (len(labels), 4, 5, 1))
    if source is not None:
        return images + source.sum(axis=(1, 2, 3), keepdims=True)
    return images if known is None else np.where(mask[..., None], known, images)


def test_samples_have_one_column_for_each_class():
    samples = pictures.samples(painted, 3, 2)
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


def test_enlarged_images_stand_between_their_sources_and_themselves():
    images, source = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5, 1))[0], np.arange(3)[:, None, None, None]
    rows = pictures.enlarged(painted, images, np.array([10, 20, 30]), source, tries=2)
    assert rows.shape == (4, 3, 4, 5, 1)
    np.testing.assert_array_equal(rows[3], images)
    for label, column in zip((10, 20, 30), range(3)):
        assert (rows[0, column] == column).all() and (rows[1:3, column] == label + column).all()


@pytest.mark.usefixtures("functions_eager")
def test_a_sampler_without_known_pixels_or_with_a_source():
    sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 9}
    model = models.image_transformer(
        channels=1, query_block=4, memory_block=4, num_classes=3, num_encoder_layers=1, **sizes
    )
    sampler = pictures.painter(model, (2, 4), seed=1, temperature=0.9)
    source = np.array([[[[0]]], [[[255]]]])
    assert sampler([1, 2], source=source).shape == (2, 2, 4, 1)


@pytest.mark.usefixtures("functions_eager")
def test_the_sampler_of_a_model_keeps_the_given_half():
    sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 9}
    model = models.image_transformer(channels=1, query_block=4, memory_block=4, num_classes=3, **sizes)
    sampler = pictures.painter(model, (2, 3), seed=1, temperature=0.9)
    images = np.random.default_rng(0).integers(0, 256, (2, 2, 3, 1))
    rows = pictures.completions(sampler, images, np.array([1, 2]), tries=2)
    assert rows.shape == (4, 2, 2, 3, 1)
    np.testing.assert_array_equal(rows[1][:, :1], images[:, :1])


def test_one_of_each_class_is_the_first_of_it():
    images = np.arange(5)[:, None, None, None]
    found, labels = pictures.one_of_each(images, np.array([3, 1, 3, 0, 1]))
    assert found.ravel().tolist() == [3, 1, 0] and labels.tolist() == [0, 1, 3]


def test_figures_have_a_panel_for_each_part_and_a_name_for_each_column():
    parts = {
        "samples": (np.zeros((2, 3, 4, 5, 1)), ("cats", "dogs", "fish")),
        "completions": (np.zeros((3, 2, 4, 5, 1)), ("cats", "fish")),
    }
    figure = pictures.plot_pictures(parts, "title")
    assert [axes.get_title() for axes in figure.axes] == ["samples", "completions"]
    assert [text.get_text() for text in figure.axes[1].get_xticklabels()] == ["cats", "fish"]
    np.testing.assert_allclose(figure.axes[1].get_xticks(), [3.5, 10.5])  # tiles are 7 wide with their border
    high = pictures.plot_pictures({"one": parts["samples"], "high": (np.zeros((30, 2, 4, 5, 1)), "ab")}, "title")
    assert high.get_figheight() > 5 * figure.get_figheight()
    assert len(pictures.plot_pictures({"one": parts["samples"]}, "title").axes) == 1
