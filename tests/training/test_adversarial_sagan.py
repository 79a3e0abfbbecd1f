"""`AdversarialModel` with small networks of SAGAN and of a baseline of its paper."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import models, training
from keras_attention.layers import SpectralNormalization
from tests.backend import QUICK, numpy
from tests.reference.spectral import spectral_norm
from tests.training.stand_ins import snapshot

K, Z, SIZE = 5, 3, 16
RNG = np.random.default_rng(0)
BEFORE_NORM = ("conv1/bias", "conv2/bias", "shortcut/bias", "first/bias")
IMAGES = RNG.uniform(-1, 1, (6, SIZE, SIZE, 3)).astype("float32")
LABELS = RNG.integers(0, K, 6).astype("int32")


def make(baseline=None, seed=0, **kwargs):
    # One with the paper's hinge loss, the other with a loss that gives every weight of the discriminator a gradient:
    # with the hinge a bias has none where all images are within the margin.
    loss = "hinge" if baseline else "bce"
    keras.utils.set_random_seed(seed)
    attention = {} if baseline else {"attention_at": 8}
    networks = models.sagan(
        image_size=SIZE, num_classes=K, channels=2, baseline=baseline, generator={"noise_dim": Z}, **attention
    )
    for network in networks:  # gamma of the attention starts at 0, which would hide errors in it
        for weight in network.trainable_weights:
            weight.assign(weight + 0.1 * RNG.normal(size=weight.shape))
    objective = training.NoiseToImage(Z, K, loss=loss, classifier_weight=1.0 if baseline == "ac_gan" else None)
    model = training.AdversarialModel(*networks, objective, seed=seed, **kwargs)
    adams = (keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in (1e-3, 4e-3))
    model.compile(*adams, **QUICK)
    return model


@functools.cache
def trained(baseline):
    """A model after a training step, its weights before it, and the reported losses."""
    model = make(baseline, average_decay=None if baseline else 0.9)
    before = {name: snapshot(getattr(model, name).trainable_variables) for name in ("generator", "discriminator")}
    before["vectors"] = list(normalized(model.generator)) + list(normalized(model.discriminator))
    return model, before, model.train_on_batch(IMAGES, LABELS, return_dict=True)


def normalized(network):
    """(kernel as a matrix, u) of each spectral normalization in a network."""
    for layer in network._flatten_layers():
        if isinstance(layer, SpectralNormalization):
            table = isinstance(layer.layer, keras.layers.Embedding)
            kernel = numpy(layer.layer.embeddings).T if table else numpy(layer.layer.kernel)
            yield kernel.reshape(-1, kernel.shape[-1]).copy(), numpy(layer.u).copy()


@pytest.mark.parametrize("baseline", [pytest.param(None, marks=pytest.mark.slow), "ac_gan"])
def test_each_network_trains_and_the_average_is_a_generator_of_the_same_class(baseline, tmp_path):
    model, before, report = trained(baseline)
    assert all(np.isfinite(value) for value in report.values()) and ("real_classes_loss" in report) == (
        baseline == "ac_gan"
    )
    for name in ("generator", "discriminator"):
        for variable, value in zip(getattr(model, name).trainable_variables, before[name]):
            new = numpy(variable)
            assert np.isfinite(new).all()
            if baseline and variable.shape == (1,):
                continue
            # The gradient of a bias before a batch normalization is 0 up to rounding.
            least = 0 if name == "generator" and variable.path.endswith(BEFORE_NORM) else 5e-4
            assert np.abs(new - value).max() > least, variable.path
    if baseline:
        return
    assert type(model.average) is type(model.generator)
    inputs = {"noise": np.ones((2, Z), "float32"), "label": np.array([4, 1], "int32")}
    expected = numpy(model(inputs))
    assert expected.shape == (2, SIZE, SIZE, 3)
    model.average.save(tmp_path / "generator.keras")
    twin = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_allclose(numpy(twin(inputs)), expected, rtol=1e-5, atol=1e-6)


def test_a_training_step_moves_every_spectral_vector_once():
    """Though the discriminator is called on real and generated images, and once more for the generator's loss."""
    model, before, _ = trained(None)
    after = [*normalized(model.generator), *normalized(model.discriminator)]
    assert len(after) == 1 + 2 * 3 + 4 + 1 + (3 + 3 + 2 + 4 + 2)
    for (kernel, u), (_, moved) in zip(before["vectors"], after, strict=True):
        np.testing.assert_allclose(moved, spectral_norm(kernel, u)[1], atol=1e-4)


def test_evaluation_does_not_move_spectral_vectors_and_a_file_holds_the_state(tmp_path):
    model, _, _ = trained(None)
    vectors = [v for v in model.discriminator.weights if v.path.endswith("/u")]
    assert len(vectors) > 10
    after = snapshot(vectors)
    model.test_on_batch(IMAGES, LABELS)
    for a, b in zip(after, snapshot(vectors)):
        np.testing.assert_array_equal(a, b)
    model.save_weights(tmp_path / "one.weights.h5")
    # `test_adversarial_resume` loads such a file into a new model.
    state = [*model.variables, *model.optimizer.variables]
    saved = snapshot(state)
    for variable in state:
        variable.assign(variable + keras.ops.cast(1, variable.dtype))
    model.load_weights(tmp_path / "one.weights.h5")
    for variable, a, b in zip(state, saved, snapshot(state), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=variable.path)
