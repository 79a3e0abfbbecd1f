"""MultiChannelAttentionSelection against loops, and its uncertainty map."""

import keras
import numpy as np
import pytest

from keras_attention.layers import MultiChannelAttentionSelection
from tests.backend import BACKEND
from tests.layers.helpers import noisy, numpy, random
from tests.reference import selection_gan as reference

SIZES = {"num_candidates": 4, "image_channels": 2}
X = random(2, 5, 7, 6)


def weights_of(layer):
    """Arguments of `reference.selection`."""
    parts = [layer.paint, layer.score, *([layer.doubt] if layer.uncertainty else [])]
    return [(numpy(part.kernel), numpy(part.bias)) for part in parts]


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("uncertainty", [True, False])
def test_is_the_equation(uncertainty, kernel_size):
    layer = noisy(MultiChannelAttentionSelection(**SIZES, kernel_size=kernel_size, uncertainty=uncertainty), X)
    maps = layer(X, return_maps=True)
    expected = reference.selection(X, *weights_of(layer))
    names = ("image", "attention", "candidates", "uncertainty")[: 4 if uncertainty else 3]
    assert set(maps) == set(names)
    for name, value in zip(names, expected):
        np.testing.assert_allclose(numpy(maps[name]), value, atol=1e-5, err_msg=name)
    image, attention = layer(X, return_attention_scores=True)
    np.testing.assert_array_equal(numpy(image), numpy(maps["image"]))
    np.testing.assert_array_equal(numpy(attention), numpy(maps["attention"]))
    np.testing.assert_array_equal(numpy(layer(X)), numpy(image))


def test_attention_sums_to_one_and_the_image_is_within_its_candidates():
    layer = noisy(MultiChannelAttentionSelection(**SIZES), X)
    maps = {name: numpy(x) for name, x in layer(X, return_maps=True).items()}
    np.testing.assert_allclose(maps["attention"].sum(-1), 1, atol=1e-6)
    assert (np.abs(maps["image"]) < 1).all()
    assert (maps["image"] >= maps["candidates"].min(-2) - 1e-6).all()
    assert (maps["image"] <= maps["candidates"].max(-2) + 1e-6).all()


def test_zero_weights_give_an_uncertainty_of_one_half():
    layer = noisy(MultiChannelAttentionSelection(**SIZES), X)
    for w in layer.doubt.weights:
        w.assign(np.zeros(w.shape))
    np.testing.assert_array_equal(numpy(layer(X, return_maps=True)["uncertainty"]), np.full((2, 5, 7, 1), 0.5))


def test_one_candidate_is_the_image():
    layer = noisy(MultiChannelAttentionSelection(num_candidates=1), X)
    maps = layer(X, return_maps=True)
    np.testing.assert_array_equal(numpy(maps["attention"]), np.ones((2, 5, 7, 1)))
    np.testing.assert_array_equal(numpy(maps["image"]), numpy(maps["candidates"])[..., 0, :])


def test_published_parameter_counts():
    layer = MultiChannelAttentionSelection()
    layer.build((None, 256, 256, 110))
    assert layer.paint.count_params() == 29_730
    assert layer.score.count_params() == 1_110
    assert layer.doubt.count_params() == 11


def test_channels_first_equals_channels_last():
    last = noisy(MultiChannelAttentionSelection(**SIZES), X)
    first = MultiChannelAttentionSelection(**SIZES, data_format="channels_first")
    turned = X.transpose(0, 3, 1, 2)
    first(turned)
    first.set_weights(last.get_weights())
    maps, expected = first(turned, return_maps=True), last(X, return_maps=True)
    np.testing.assert_allclose(numpy(maps["image"]), numpy(expected["image"]).transpose(0, 3, 1, 2), atol=1e-6)
    for name in ("attention", "candidates", "uncertainty"):
        np.testing.assert_allclose(numpy(maps[name]), numpy(expected[name]), atol=1e-6)


def model_of_all_maps(**kwargs):
    layer = noisy(MultiChannelAttentionSelection(**SIZES, **kwargs), X)
    inputs = keras.Input((None, None, 6))
    return keras.Model(inputs, layer(inputs, return_maps=True))


def test_all_maps_in_a_model_and_its_file(tmp_path):
    model = model_of_all_maps()
    shapes = {name: tuple(x.shape) for name, x in model.output.items()}
    eager = {name: x.shape for name, x in model(X).items()}
    assert shapes == {name: (None, None, None, *shape[3:]) for name, shape in eager.items()}
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    for name, expected in model(X).items():
        np.testing.assert_allclose(numpy(twin(X)[name]), numpy(expected), atol=1e-6)


def test_every_weight_trains_with_a_loss_of_the_uncertainty():
    model = model_of_all_maps()
    losses = {"image": "mse", "uncertainty": "mse", "attention": None, "candidates": None}
    model.compile(keras.optimizers.Adam(0.1), losses, jit_compile=BACKEND == "jax")
    before = [numpy(w) for w in model.trainable_variables]
    targets = {name: np.zeros(x.shape, "float32") for name, x in model(X).items()}
    model.train_on_batch(X, targets)
    for w, old in zip(model.trainable_variables, before, strict=True):
        assert np.isfinite(numpy(w)).all() and np.abs(numpy(w) - old).max() > 1e-3, w.path


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_all_maps_in_mixed_precision(policy):
    exact, half = model_of_all_maps(), model_of_all_maps(dtype=policy)
    for name, x in half(X).items():
        assert keras.backend.standardize_dtype(x.dtype) == policy.removeprefix("mixed_")
        expected = numpy(exact(X)[name])
        np.testing.assert_allclose(numpy(keras.ops.cast(x, "float32")), expected, atol=0.04 * np.abs(expected).max())


@pytest.mark.parametrize("name, value", [("num_candidates", 0), ("image_channels", 1.5), ("kernel_size", 4)])
def test_refuses_sizes(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be .* Received: {name}={value}"):
        MultiChannelAttentionSelection(**{name: value})


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 5, 7, None)])
def test_refuses_shapes(shape):
    with pytest.raises(ValueError, match="`inputs` must be .* Received: inputs.shape="):
        MultiChannelAttentionSelection().build(shape)


def test_maps_and_scores_can_be_returned_together():
    layer = noisy(MultiChannelAttentionSelection(**SIZES), X)
    maps, attention = layer(X, return_maps=True, return_attention_scores=True)
    np.testing.assert_array_equal(numpy(attention), numpy(maps["attention"]))
    inputs = keras.Input(X.shape[1:])
    specs, spec = layer(inputs, return_maps=True, return_attention_scores=True)
    assert set(specs) == set(maps) and spec.shape == specs["attention"].shape == (None, *attention.shape[1:])
