"""RecurrentAttention: NumPy reference, parameter counts, gradients of each loss term, RNG state, saving."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import models, training
from tests.backend import BACKEND, QUICK
from tests.layers.helpers import numpy, random
from tests.reference import glimpses as reference

SMALL = {"num_classes": 3, "num_glimpses": 3, "size": 3, "scales": 2, "units": 8}
SMALL |= {"glimpse_units": 7, "location_units": 5, "channels": 2}


def small(seed=1, **arguments):
    model = models.recurrent_attention(**{**SMALL, **arguments}, seed=seed)
    rng = np.random.default_rng(2)
    for weight in model.trainable_variables:
        weight.assign(0.4 * rng.standard_normal(weight.shape))
    return model


@functools.cache
def same(**arguments):
    """Cached `small`, for tests that do not modify the model."""
    return small(**arguments)


def dense(layer, x):
    kernel, bias = map(numpy, layer.weights)
    return x @ kernel + bias


def rnn(core, x, state):
    """h and the state of the paper's core; `None` means a zero state."""
    hidden = np.maximum(dense(core.recurrent, np.zeros_like(x) if state is None else state) + dense(core.input, x), 0)
    return hidden, hidden


def lstm(core, x, state):
    """Gates in Keras's order: input, forget, candidate, output."""
    kernel, recurrent, bias = map(numpy, core.cell.weights)
    h, c = (np.zeros_like(x), np.zeros_like(x)) if state is None else state
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
    c = f * c + i * np.tanh(candidate)
    h = o * np.tanh(c)
    return h, (h, c)


def looked(model, image):
    """NumPy reference on one image, with the mean locations."""
    parts, place, state = model.parts, np.zeros(2), None
    core = rnn if model.core == "rnn" else lstm
    places, baselines = [], []
    for glimpse in range(model.num_glimpses):
        places.append(place)
        network = parts.glimpse
        seen = np.maximum(dense(network.see, reference.glimpse(image, place, model.size, model.scales).reshape(-1)), 0)
        where = np.maximum(dense(network.place, place), 0)
        g = np.maximum(dense(network.from_seen, seen) + dense(network.from_place, where), 0)
        hidden, state = core(parts.core, g, state)
        if glimpse < model.num_glimpses - 1:
            place = np.clip(dense(parts.policy.mean, hidden), -1, 1)
            baselines.append(dense(parts.baseline, hidden)[0])
    return {"logits": dense(parts.action, hidden), "locations": np.array(places), "baselines": np.array(baselines)}


@pytest.mark.parametrize("core", ["rnn", "lstm"])
def test_matches_the_numpy_reference(core):
    model, images = same(core=core), random(4, 9, 11, 2)
    found = {name: numpy(x) for name, x in model(images).items()}
    for i, image in enumerate(images):
        expected = looked(model, image)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name][i], value, atol=1e-4)
    assert len(np.unique(found["locations"].round(4), axis=0)) == 4, "locations depend on the image"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [({}, 209_677), ({"size": 12, "scales": 3}, 256_781), ({"size": 12, "scales": 4}, 275_213)],
    ids=str,
)
def test_parameter_count_does_not_depend_on_the_image_size(arguments, count):
    model = models.recurrent_attention(**arguments)
    model(np.zeros((1, 60, 101, 1), "float32"))
    assert model.count_params() == count


def test_parameter_count_of_the_lstm_core():
    """4 (256 256 + 256 256 + 256) in place of 2 (256 256 + 256)."""
    model = models.recurrent_attention(core="lstm")
    assert model.count_params() == 209_677 - 2 * (256 * 256 + 256) + 4 * (2 * 256 * 256 + 256)


def test_mean_probabilities_are_the_mean_over_paths():
    images = random(5, 9, 11, 2)
    probabilities = []
    model = small(std=0.5)
    for _ in range(3):
        logits = numpy(model(images, training=True)["logits"]).astype("float64")
        probabilities.append(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True))
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-3, "paths differ"
    found = numpy(small(std=0.5).mean_probabilities(images, draws=3))  # same seed, same paths
    np.testing.assert_allclose(found, np.mean(probabilities, axis=0), atol=1e-5)
    with pytest.raises(ValueError, match="`draws`.*Received: draws=0"):
        model.mean_probabilities(images, draws=0)


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", lambda y, outputs: 0.0])
def test_loss_that_is_no_keras_loss_raises(loss):
    model = small()
    model.compile("sgd", loss, **QUICK)
    with pytest.raises(ValueError, match="`compile` needs a `keras.losses.Loss` of all outputs.*Received: loss="):
        model.train_on_batch(random(6, 9, 11, 2), np.arange(6) % 3)


@pytest.mark.parametrize("batch", [1, 3])
def test_images_with_other_channels_raise(batch):
    model = models.recurrent_attention(num_glimpses=1)
    with pytest.raises(ValueError, match=r"`images` must be of size 1 on axis -1.*shape=\(\d, 28, 28, 3\)"):
        model(np.zeros((batch, 28, 28, 3), "float32"))


def test_regularization_losses_are_added():
    model, images, labels = small(), random(6, 9, 11, 2), np.arange(6) % 3
    model.compile("sgd", training.HybridLoss(), **QUICK)
    plain = model.test_on_batch(images, labels)
    model.parts.action.kernel_regularizer = keras.regularizers.L2(0.5)
    model.parts.action.kernel.regularizer = model.parts.action.kernel_regularizer
    more = 0.5 * (numpy(model.parts.action.kernel) ** 2).sum()
    model.compile("sgd", training.HybridLoss(), **QUICK)
    np.testing.assert_allclose(model.test_on_batch(images, labels), plain + more, rtol=1e-5)


def test_images_smaller_than_a_glimpse_raise():
    with pytest.raises(ValueError, match="smaller than a glimpse"):
        small(size=5)(random(2, 4, 11, 2))


def test_first_location_is_the_center_in_inference_and_uniform_in_training():
    model, images = small(), np.zeros((2000, 5, 5, 2), "float32")
    assert not numpy(model(images[:3])["locations"])[:, 0].any()
    first = numpy(model(images, training=True)["locations"])[:, 0]
    assert np.abs(first).max() <= 1
    np.testing.assert_allclose(first.mean(0), 0, atol=0.06)
    np.testing.assert_allclose((first**2).mean(0), 1 / 3, atol=0.04)


def test_same_seed_samples_the_same_path():
    images = random(3, 9, 11, 2)
    one, again, other = (numpy(small(seed)(images, training=True)["locations"]) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-2
    model = same()
    np.testing.assert_array_equal(numpy(model(images)["locations"]), numpy(model(images)["locations"]))


def moved_by(loss, **arguments):
    """Layers whose weights a training step with this loss updates."""
    model = small(num_glimpses=2, **arguments)
    before = [numpy(w).copy() for w in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), loss, **QUICK)
    model.train_on_batch(random(6, 9, 11, 2), np.arange(6) % 3)
    moved = [np.abs(numpy(w) - b).max() > 0 for w, b in zip(model.trainable_variables, before)]
    return {w.path.split("/")[0] for w, m in zip(model.trainable_variables, moved) if m}


CORE = {"glimpse_network", "core_input", "core_recurrent"}


class Only(training.HybridLoss):
    """The hybrid loss without its cross-entropy."""

    def call(self, y_true, y_pred):
        entropy = training.HybridLoss(0.0, 0.0, reduction="none")(y_true, y_pred)
        return super().call(y_true, y_pred) - entropy


def test_each_loss_term_trains_its_own_layers():
    assert moved_by(training.HybridLoss(0.0, 0.0)) == CORE | {"action"}
    assert moved_by(Only(1.0, 0.0)) == {"location_policy"}
    assert moved_by(Only(0.0, 1.0)) == {"baseline"}
    assert moved_by(Only(1.0, 0.0), detach=False) == CORE | {"location_policy"}
    assert moved_by(Only(0.0, 1.0), detach=False) == CORE | {"baseline"}
    assert moved_by(training.HybridLoss(0.0, 0.0), soft=True) == CORE | {"action", "location_policy"}


def bright_by_class():
    """Eight images whose brightness is their label, visible in every glimpse."""
    labels = np.arange(8) % 3
    return random(8, 9, 11, 2) + 3.0 * (labels[:, None, None, None] - 1), labels


def test_fits_and_evaluates():
    images, labels = bright_by_class()
    model = small(core="lstm", num_glimpses=2)
    model.compile(keras.optimizers.Adam(0.1), training.HybridLoss(), metrics=["accuracy"], **QUICK)
    history = model.fit(images, labels, batch_size=8, epochs=5, verbose=0).history
    assert history["accuracy"][-1] > history["accuracy"][0] and np.isfinite(history["loss"]).all()
    _, accuracy = model.evaluate(images, labels, verbose=0)
    answers = {name: numpy(x) for name, x in model(images).items()}
    assert accuracy == pytest.approx(np.mean(np.argmax(answers["logits"], -1) == labels))
    assert accuracy > 0.7  # 1/3 for random guesses
    assert answers["locations"].shape == (8, 2, 2)


@pytest.mark.slow
def test_trains_with_xla():
    if BACKEND != "tensorflow":
        pytest.skip("on JAX Keras compiles every step, on PyTorch none")
    images, labels = bright_by_class()
    model = small(num_glimpses=2)  # XLA compiles each glimpse separately
    model.compile(keras.optimizers.SGD(0.02), training.HybridLoss(), jit_compile=True)

    def entropy():
        return float(training.HybridLoss(0.0, 0.0)(labels, model(images)))

    before = entropy()
    # Unlike `train_on_batch`, `fit` compiles for batches of any size.
    losses = model.fit(images, labels, batch_size=8, epochs=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and entropy() < 0.9 * before


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(dtype):
    """Locations and log-probabilities stay float32; training updates all weights to finite values."""
    images, labels = random(6, 9, 11, 2), np.arange(6) % 3
    # Soft glimpses: rounding may shift hard ones by a pixel.
    outputs, expected = small(dtype=dtype, soft=True)(images), same(soft=True)(images)
    for name, x in outputs.items():
        half = name in ("logits", "baselines")
        assert keras.backend.standardize_dtype(x.dtype) == (dtype.removeprefix("mixed_") if half else "float32"), name
        assert np.abs(numpy(ops.cast(x, "float32")) - numpy(expected[name])).mean() < 0.1, name
    if dtype == "mixed_bfloat16":  # as float16, without loss scaling
        return
    model = small(dtype=dtype, num_glimpses=2)
    before = [numpy(w).copy() for w in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1), training.HybridLoss(), **QUICK)
    # In float16 the first steps find the loss scale.
    model.fit(images, labels, batch_size=6, epochs=6, verbose=0)
    for w, b in zip(model.trainable_variables, before):
        assert np.isfinite(numpy(w)).all() and np.abs(numpy(w) - b).max() > 0, w.path


@pytest.mark.parametrize("arguments", [{}, {"core": "lstm", "soft": True}, {"num_glimpses": 1}], ids=str)
def test_save_and_load(arguments, tmp_path):
    model, images = small(**arguments), random(3, 9, 11, 2)
    expected = model(images)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.get_config() == model.get_config()
    for name, x in twin(images).items():
        np.testing.assert_allclose(numpy(x), numpy(expected[name]), atol=1e-6)


# tests/export/serving/test_image_classification.py traces it as a signature.
@pytest.mark.slow
def test_exported_model_returns_logits_and_locations(tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    from keras_attention import export

    model = small(num_glimpses=2)
    folder = export.export_saved_model(model, tmp_path, verify=False)  # verified below
    served = tf.saved_model.load(str(folder))
    for batch, sides in ((2, (9, 11)), (3, (20, 6))):
        images = random(batch, *sides, 2)
        found, expected = served.signatures["serving_default"](tf.constant(images)), model(images)
        for name in ("logits", "locations"):
            np.testing.assert_allclose(numpy(found[name]), numpy(expected[name]), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[(name, {name: 0}) for name in ("num_classes", "num_glimpses", "size", "scales", "units", "channels")],
        ("core", {"core": "gru"}),
        ("std", {"std": 0.0}),
        ("factor", {"factor": 0.5}),
    ],
)
def test_bad_arguments_raise_by_name(name, arguments):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        models.recurrent_attention(**{**SMALL, **arguments})
