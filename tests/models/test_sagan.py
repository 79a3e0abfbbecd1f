"""SAGAN against a NumPy reference, saving, export, precision; parameter counts are in `test_sagan_sizes.py`."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import export, models
from keras_attention.layers import SelfAttention2D
from tests.backend import BACKEND
from tests.layers.helpers import numpy, random
from tests.reference import sagan as reference
from tests.reference.spectral import spectral_norm
from tests.variants import variants

SMALL = {"image_size": 16, "num_classes": 3, "channels": 4, "attention_at": 8}
OF_NOISE = {"noise_dim": 5}
NOISE, IMAGE, LABEL = random(2, 5), np.tanh(random(2, 16, 16, 3)), np.array([2, 0], "int32")
KINDS = {
    "sagan": {},
    "sngan_projection": {"baseline": "sngan_projection"},
    "ac_gan": {"baseline": "ac_gan"},
    "without classes": {"num_classes": None},
    "concatenation": {"image_size": 32, "discriminator": {"conditioning": "concatenation"}},
    "unconditional discriminator": {"discriminator": {"conditioning": None}},
}
each_kind = pytest.mark.parametrize("kind", KINDS)
LABELED = ("projection", "concatenation")


def noisy(model):
    """Random values for all weights; gammas near 1, variances positive."""
    for i, w in enumerate(model.weights):
        noise = random(*w.shape, seed=i)
        if "variance" in w.path:
            w.assign(0.5 + noise**2)
        else:
            w.assign(0.3 * noise + w.path.endswith("gamma"))
    return model


def small(**kwargs):
    arguments = {**SMALL, **kwargs}
    arguments["generator"] = {**OF_NOISE, **kwargs.get("generator", {})}
    return tuple(map(noisy, models.sagan(**arguments)))


@functools.cache
def of_kind(kind):
    """Cached networks, for tests that do not modify them."""
    return small(**KINDS[kind])


def call_on(model):
    """Random inputs of a model."""
    rows = model.image_size
    given = {"noise": NOISE, "image": np.tanh(random(2, rows, rows, 3)), "label": LABEL}
    return {name: given[name] for name in model.input}


def weights_of(model):
    """Weights by layer name, in the order of the NumPy reference, kernels divided by their sigma."""

    def kernel(layer):
        if not hasattr(layer, "u"):
            return numpy(layer.embeddings if hasattr(layer, "embeddings") else layer.kernel)
        table = hasattr(layer.layer, "embeddings")
        raw = numpy(layer.layer.embeddings if table else layer.layer.kernel)
        matrix = raw.T if table else raw.reshape(-1, raw.shape[-1])
        return raw / spectral_norm(matrix, numpy(layer.u))[0]

    weights = {}
    for layer in model.layers:
        if "norm" in layer.name:
            inner = getattr(layer, "norm", layer)
            weights[layer.name] = [numpy(w) for w in (layer.gamma, layer.beta)]
            weights[layer.name] += [numpy(w) for w in (inner.moving_mean, inner.moving_variance)]
        elif isinstance(layer, SelfAttention2D):
            kernels = [kernel(x) for x in (layer.query, layer.key, layer.value, layer.out)]
            weights[layer.name] = [*kernels, float(numpy(layer.gamma))]
        elif layer.name == "logits":
            inner = getattr(layer.linear, "layer", layer.linear)
            weights["logits"] = [kernel(layer.linear), numpy(inner.bias), kernel(layer.embedding)]
        elif layer.weights:
            weights[layer.name] = [kernel(layer), numpy(getattr(layer, "layer", layer).bias)]
    return weights


def test_generator_matches_the_numpy_reference():
    generator, _ = of_kind("sagan")
    image = numpy(generator({"noise": NOISE, "label": LABEL}))
    assert 0.1 < image.std() < 0.95
    for b in range(2):
        expected = reference.generate(NOISE[b], LABEL[b], weights_of(generator), 2, 8)
        np.testing.assert_allclose(image[b], expected, atol=1e-4)


def test_discriminator_matches_the_numpy_reference():
    _, discriminator = of_kind("sagan")
    logits = numpy(discriminator({"image": IMAGE, "label": LABEL})["logits"])
    assert logits.shape == (2, 1)
    for b in range(2):
        expected, _ = reference.judge(IMAGE[b], LABEL[b], weights_of(discriminator), 3, 8)
        np.testing.assert_allclose(logits[b, 0], expected, rtol=1e-3, atol=1e-3)


def test_new_generator_does_not_depend_on_the_class():
    """Gammas start at 1 and betas at 0 for every class; with random ones images depend on the class."""
    fresh = models.SAGANGenerator(**SMALL, **OF_NOISE)
    for generator, alike in ((fresh, True), (of_kind("sagan")[0], False)):
        one, other = (numpy(generator({"noise": NOISE, "label": np.full(2, label)})) for label in (0, 2))
        assert (np.abs(one - other).max() < 1e-6) == alike and np.abs(one).max() > 1e-4


def test_logits_of_two_classes_differ_by_the_projection_on_their_embeddings():
    _, discriminator = of_kind("sagan")
    weights = weights_of(discriminator)
    one, other = (
        numpy(discriminator({"image": IMAGE, "label": np.full(2, label)})["logits"])[:, 0] for label in (0, 1)
    )
    for b in range(2):
        _, h = reference.judge(IMAGE[b], 0, weights, 3, 8)
        table = weights["logits"][2]
        np.testing.assert_allclose(one[b] - other[b], h @ (table[0] - table[1]), rtol=1e-3, atol=1e-3)


def test_discriminator_sums_over_positions():
    _, discriminator = of_kind("sagan")
    head, last = discriminator.get_layer("logits"), discriminator.get_layer("last_relu").output
    inside = keras.Model([last, discriminator.input["label"]], discriminator.output["logits"])
    features = np.abs(random(2, *last.shape[1:]))
    expected = numpy(head(features.sum((1, 2)), LABEL))
    np.testing.assert_allclose(numpy(inside([features, LABEL])), expected, rtol=1e-4)


# The others are called in `test_outputs_depend_on_the_label_only_if_conditioned_on_it`.
@pytest.mark.parametrize("kind", variants(KINDS.keys(), "sagan", "ac_gan", "without classes"))
def test_shapes_and_ranges(kind):
    generator, discriminator = of_kind(kind)
    image = numpy(generator(call_on(generator)))
    rows = generator.image_size
    assert generator.output_shape == (None, rows, rows, 3)
    assert image.shape == (2, rows, rows, 3) and np.abs(image).max() <= 1 and image.std() > 0.1
    outputs = discriminator(call_on(discriminator))
    expected = {"logits": (2, 1), **({"classes": (2, 3)} if kind == "ac_gan" else {})}
    assert {name: tuple(x.shape) for name, x in outputs.items()} == expected


# "concatenation" has the generator of "sagan", "sngan_projection" its discriminator without attention.
@pytest.mark.parametrize(
    "kind, saved",
    [
        ("sagan", (0, 1)),
        pytest.param("sngan_projection", (0,), marks=pytest.mark.slow),
        pytest.param("concatenation", (1,), marks=pytest.mark.slow),
    ],
)
def test_save_and_load(kind, saved, tmp_path):
    for model in (of_kind(kind)[i] for i in saved):
        model.save(tmp_path / "model.keras")
        twin = keras.models.load_model(tmp_path / "model.keras")
        assert type(twin) is type(model) and twin.get_config() == model.get_config()
        outputs = (keras.tree.flatten(m(call_on(model))) for m in (twin, model))
        for a, b in zip(*outputs, strict=True):
            np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-4, atol=1e-5)


@each_kind
def test_models_have_a_label_only_if_their_outputs_depend_on_it(kind):
    for model in of_kind(kind):
        conditioned = model.num_classes is not None and getattr(model, "conditioning", "projection") in LABELED
        assert ("label" in model.input) == conditioned == bool(model.vocabularies)
        if conditioned:
            inputs = ({**call_on(model), "label": np.full(2, label)} for label in (0, 1))
            one, other = (numpy(keras.tree.flatten(model(x))[0]) for x in inputs)
            assert np.abs(one - other).max() > 1e-6


def test_mixed_precision():
    for whole, half in zip(of_kind("sagan"), small(dtype="mixed_bfloat16"), strict=True):
        assert {keras.backend.standardize_dtype(w.dtype) for w in half.weights} == {"float32"}
        assert half.dtype_policy.name == "mixed_bfloat16"
        half.set_weights(whole.get_weights())
        a, b = (keras.tree.flatten(model(call_on(model)))[0] for model in (whole, half))
        assert keras.backend.standardize_dtype(b.dtype) == "bfloat16"
        a, b = numpy(a), numpy(keras.ops.cast(b, "float32"))
        assert np.abs(a - b).mean() < 0.05 * max(1, np.abs(a).max())


# tests/export/serving/test_image_generation.py traces it as a signature.
@pytest.mark.slow
def test_exported_generator_accepts_any_batch_size(tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    generator, _ = of_kind("sagan")
    # In old versions `export` of Keras accepts no dict of inputs.
    folder = export.export_saved_model(generator, tmp_path, verify=False)  # verified below
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for size in (1, 2):
        x = {"noise": NOISE[:size], "label": LABEL[:size]}
        [generated] = served(**{name: tf.constant(value) for name, value in x.items()}).values()
        np.testing.assert_allclose(generated.numpy(), numpy(generator(x)), atol=1e-4)


def test_image_data_format_of_keras_is_ignored():
    last = of_kind("sagan")
    keras.config.set_image_data_format("channels_first")
    try:
        first = small()
    finally:
        keras.config.set_image_data_format("channels_last")
    assert first[0].output_shape == last[0].output_shape == (None, 16, 16, 3)
    first[1].set_weights(last[1].get_weights())
    inputs = {"image": IMAGE, "label": LABEL}
    np.testing.assert_array_equal(numpy(first[1](inputs)["logits"]), numpy(last[1](inputs)["logits"]))
