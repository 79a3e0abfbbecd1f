"""Where each network of the library looks: how to read it, and the picture of it."""

import io

import numpy as np
import pytest
from keras import ops

from keras_attention import models, visualize

RNG = np.random.default_rng(0)
SOURCE, TARGET = np.array([[5, 7, 11, 2], [3, 2, 0, 0]]), np.array([[1, 4, 6], [1, 9, 0]])
TEXTS = {"source": SOURCE, "target": TARGET}
BLOCKS = {"num_layers": 2, "model_dim": 16, "num_heads": 4, "intermediate_dim": 32}


def noisy(model, inputs):
    """The model with random weights: those that start at zero would hide what it attends to."""
    model(inputs)
    for weight in model.weights:
        value = RNG.standard_normal(weight.shape) / 2
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.path else value)
    return model


def drawn(figure):
    figure.savefig(file := io.BytesIO(), format="png", dpi=60)
    assert file.tell() > 1000


def recurrent(name):
    if name == "rnn_search":
        return models.RNNSearch(20, 30, embedding_dim=8, units=16, attention_units=12, maxout_units=10)
    return models.LuongLSTM(20, 30, embedding_dim=8, units=16, num_layers=2, score="general")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rnn_search", "luong"])
def test_alignments_of_recurrent_translation(name):
    model = noisy(recurrent(name), TEXTS)
    expected = ops.convert_to_numpy(model.attention_scores(TEXTS))
    [alignment] = visualize.attention_scores(model, TEXTS).values()
    assert alignment.shape == (2, 3, 4) and np.ptp(alignment[0], axis=0).max() > 1e-3
    np.testing.assert_allclose(alignment, expected, atol=1e-6)
    [step] = visualize.attention_scores(model, TEXTS, queries=[-2]).values()
    np.testing.assert_allclose(step, expected[:, [1]], atol=1e-6)
    given = {"key_mask": SOURCE[1] != 0, "query_mask": TARGET[1] != 0}
    drawn(visualize.plot_attention(alignment[1], ["bos", "b", "pad"], "abcd", **given))


@pytest.mark.slow
def test_encoder_decoder_attention_of_the_transformer():
    model = noisy(models.Transformer(vocabulary_size=20, **BLOCKS), TEXTS)
    expected = [ops.convert_to_numpy(x) for x in model.attention_scores(TEXTS)["decoder_memory"]]
    paths = [f"decoder_block_{number}/memory_attention" for number in (0, 1)]
    found = visualize.attention_scores(model, TEXTS, layers=paths, heads=[2, 0], queries=[-1])
    for path, scores in zip(paths, expected, strict=True):
        np.testing.assert_allclose(found[path], scores[:, [2, 0]][:, :, [-1]], atol=1e-6)
    drawn(visualize.plot_heads({path: scores[0] for path, scores in found.items()}))


@pytest.mark.slow
def test_attention_of_generated_images():
    inputs = {"noise": RNG.standard_normal((2, 5)), "label": np.array([3, 9])}
    model = models.SAGANGenerator(image_size=16, num_classes=10, channels=4, attention_at=8, noise_dim=5)
    images = ops.convert_to_numpy(noisy(model, inputs)(inputs))
    [whole] = visualize.attention_scores(model, inputs).values()
    [rows] = visualize.attention_scores(model, inputs, queries=[4 * 8 + 4, 7]).values()
    np.testing.assert_allclose(rows, whole[:, :, [36, 7]], atol=1e-6)
    points = [(0.5, 0.5), (0.0, 0.9)]
    maps = visualize.point_maps(whole[:, 0], points, query_grid=(8, 8), key_grid=(4, 4))
    np.testing.assert_allclose(maps, rows.reshape(2, 2, 4, 4), atol=1e-6)
    drawn(visualize.overlay(images, maps, points, value_range=(-1, 1)))


@pytest.mark.slow
def test_selection_maps():
    inputs = {name: RNG.random((1, 32, 64, 3)) for name in ("source", "semantics")}
    model = models.SelectionGANGenerator((32, 64), width=4, selection_channels=9, num_candidates=3)
    outputs = noisy(model, inputs)(inputs)
    maps = visualize.attention_scores(model, inputs)["selection"]
    np.testing.assert_allclose(maps, ops.convert_to_numpy(outputs["attention"]), atol=1e-5)
    drawn(visualize.overlay(inputs["source"][0], np.moveaxis(maps[0], -1, 0), labels=["1", "2", "3"]))


@pytest.mark.slow
def test_non_local_blocks_in_videos():
    clips = RNG.random((1, 9, 32, 33, 3)).astype("float32")
    model = noisy(models.NonLocalResNet((1, 1), {"res3": (0,)}, num_classes=10, width=4), clips)
    [whole] = visualize.attention_scores(model, clips).values()
    [rows] = visualize.attention_scores(model, clips, queries=[0, -1]).values()
    assert whole.shape[1] == 1 and whole.shape[2] > 2
    np.testing.assert_allclose(rows, whole[:, :, [0, -1]], atol=1e-6)


@pytest.mark.slow
def test_local_attention_of_the_image_transformer():
    images = RNG.integers(0, 256, (2, 4, 6, 3))
    model = noisy(models.ImageTransformer(channels=3, query_block=(2, 3), memory_block=(2, 3), **BLOCKS), images)
    whole = visualize.attention_scores(model, images)
    rows = visualize.attention_scores(model, images, heads=[1], queries=[20])
    for path, scores in whole.items():
        np.testing.assert_allclose(rows[path], scores.reshape(2, 4, 72, 4, 18)[:, [1]][:, :, [20]], atol=1e-6)


@pytest.mark.slow
def test_the_path_of_glimpses():
    images = RNG.random((3, 20, 28, 1)).astype("float32")
    model = noisy(
        models.RecurrentAttention(num_glimpses=4, size=5, units=16, glimpse_units=8, location_units=8), images
    )
    locations = ops.convert_to_numpy(model(images)["locations"])
    assert locations.shape == (3, 4, 2) and np.ptp(locations, axis=1).min() > 0
    drawn(visualize.plot_glimpses(images, locations, [5]))
