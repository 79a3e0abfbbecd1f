"""Vision Transformer: NumPy reference, published parameter counts, scores, features, precision, errors."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import models, visualize
from tests.layers.helpers import numpy, random
from tests.models.helpers import block_weights, noisy, norm_weights, without_memory
from tests.reference import vision_transformer as reference

# No two sizes are equal: 3 rows and 2 columns of patches.
SIZES = {
    "image_size": (6, 10),
    "patch_size": (2, 5),
    "num_layers": 2,
    "model_dim": 12,
    "num_heads": 4,
    "intermediate_dim": 20,
    "num_classes": 8,
    "input_channels": 9,
    "epsilon": 0.1,
}
IMAGES = random(3, 6, 10, 9)
VARIANTS = {"token": {}, "mean": {"pooling": "mean"}, "representation": {"representation_dim": 11}}


def small(**kwargs):
    return noisy(models.VisionTransformer(**{**SIZES, **kwargs}))


@functools.cache
def same(**kwargs):
    """Cached `small`, for tests that do not modify the model."""
    return small(**kwargs)


def weights_of(model):
    """All weights in the format of tests/reference/vision_transformer.py."""
    named = {layer.name: layer for layer in model.layers}
    dense = {name: tuple(map(numpy, named[name].weights)) for name in ("representation", "logits") if name in named}
    return {
        "kernel": numpy(named["patches"].projection.kernel),
        "bias": numpy(named["patches"].projection.bias),
        "token": numpy(named["class_token"].token)[0, 0] if "class_token" in named else None,
        "positions": numpy(named["positions"].table),
        "blocks": [block_weights(named[f"block_{i}"]) for i in range(model.num_layers)],
        "norm": norm_weights(named["norm"]),
        "representation": dense.get("representation"),
        "head": dense.get("logits"),
    }


@pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)
def test_matches_the_numpy_reference(arguments):
    model = same(**arguments)
    weights = weights_of(model)
    expected = np.array([reference.logits(image, weights, SIZES["epsilon"]) for image in IMAGES])
    np.testing.assert_allclose(numpy(model(IMAGES)), expected, atol=1e-4)
    encoded, scores = zip(*(reference.encode(image, weights, SIZES["epsilon"]) for image in IMAGES))
    np.testing.assert_allclose(numpy(model.encode(IMAGES)), encoded, atol=1e-4)
    found = model.attention_scores(IMAGES)
    assert len(found) == SIZES["num_layers"]
    for layer, score in zip(zip(*scores), found):
        np.testing.assert_allclose(numpy(score), layer, atol=1e-5)


@pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)
def test_without_classes_the_output_is_what_the_head_gets(arguments):
    whole, features = same(**arguments), models.VisionTransformer(**{**SIZES, **arguments, "num_classes": None})
    *rest, kernel, bias = whole.get_weights()
    features.set_weights(rest)
    np.testing.assert_allclose(numpy(features(IMAGES)) @ kernel + bias, numpy(whole(IMAGES)), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ((), 86_567_656),
        pytest.param(("base", 32), 88_224_232, marks=pytest.mark.slow),
        pytest.param(("large", 16), 304_326_632, marks=pytest.mark.slow),
        pytest.param(("large", 32), 306_535_400, marks=pytest.mark.slow),
        pytest.param(("huge", 14), 632_045_800, marks=pytest.mark.slow),
    ],
)
def test_parameter_counts_are_the_published_ones(arguments, count):
    with without_memory():
        assert models.vision_transformer(*arguments).count_params() == count


def test_visualize_finds_the_scores():
    model = same()
    found = visualize.attention_scores(model, IMAGES)
    for (path, one), other in zip(found.items(), model.attention_scores(IMAGES), strict=True):
        assert path.startswith("block_")
        np.testing.assert_allclose(one, numpy(other), atol=1e-6)


@pytest.mark.parametrize("dtype", [pytest.param("mixed_float16", marks=pytest.mark.slow), "mixed_bfloat16"])
def test_mixed_precision(dtype):
    whole, half = same(), small(dtype=dtype)
    half.set_weights(whole.get_weights())
    exact, found = numpy(whole(IMAGES)), half(IMAGES)
    assert keras.backend.standardize_dtype(found.dtype) == dtype.removeprefix("mixed_")
    found = numpy(keras.ops.cast(found, "float32"))
    np.testing.assert_allclose(found, exact, atol=0.04 * np.abs(exact).max())
    assert np.abs(found - exact).max() > 1e-5
    twin = models.VisionTransformer.from_config(half.get_config())
    assert all(layer.dtype_policy.name == dtype for layer in twin.layers if layer.weights)


def test_dropout_only_in_training():
    model = small(dropout=0.5, seed=3)
    assert np.abs(numpy(model(IMAGES, training=True)) - numpy(model(IMAGES))).max() > 1e-3
    np.testing.assert_allclose(numpy(model(IMAGES)), numpy(same()(IMAGES)), atol=1e-6)
    seeds = {layer.seed for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)}
    assert len(seeds) == 1 + SIZES["num_layers"]


def test_trains(tmp_path):
    """Every weight, and the file of the trained model gives the same logits."""
    model = small(num_layers=1)
    before = model.get_weights()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    model.fit(IMAGES, np.array([1, 5, 7]), verbose=0)
    moved = {w.path: np.abs(numpy(w) - old).max() for w, old in zip(model.weights, before, strict=True)}
    assert all(by > 1e-4 for path, by in moved.items() if not path.endswith(("key/bias", "seed_generator_state")))
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is models.VisionTransformer
    np.testing.assert_allclose(numpy(twin(IMAGES)), numpy(model(IMAGES)), atol=1e-6)


def test_a_size_can_be_changed():
    model = models.vision_transformer("large", 4, image_size=8, num_layers=1, model_dim=16, intermediate_dim=20)
    assert (model.num_heads, model.patch_size, model.model_dim) == (16, 4, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": (6, 11)}, r"`image_size` must be a multiple.*image_size=\(6, 11\), patch_size=\(2, 5\)"),
        ({"image_size": 9}, r"`image_size` must be a multiple.*image_size=9, patch_size=\(2, 5\)"),
        ({"num_heads": 5}, "`model_dim` must be divisible by `num_heads`. Received: model_dim=12, num_heads=5"),
        ({"pooling": "max"}, "`pooling` must be one of"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.VisionTransformer(**{**SIZES, **arguments})


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="6, 10, 9"):
        same()(random(3, 6, 15, 9))
