"""The trainer with SAGAN's own networks, small ones, and with the baselines of its paper."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import models, training
from tests.backend import QUICK, numpy
from tests.training.stand_ins import snapshot

K, Z, SIZE = 5, 3, 16
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (6, SIZE, SIZE, 3)).astype("float32")
LABELS = RNG.integers(0, K, 6).astype("int32")


def make(baseline=None, seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    attention = {} if baseline else {"attention_at": 8}
    networks = models.sagan(
        image_size=SIZE, num_classes=K, channels=2, baseline=baseline, generator={"noise_dim": Z}, **attention
    )
    for network in networks:  # gamma of the attention starts at 0 and would hide it
        for weight in network.trainable_weights:
            weight.assign(weight + 0.1 * RNG.normal(size=weight.shape))
    game = training.NoiseToImage(Z, K, classifier_weight=1.0 if baseline == "ac_gan" else None)
    model = training.AdversarialModel(*networks, game, seed=seed, **kwargs)
    adams = (keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in (1e-3, 4e-3))
    model.compile(*adams, **QUICK)
    return model


@functools.cache
def trained(baseline):
    """A model after a step, what its networks learned from, and what the step reported."""
    model = make(baseline, average_decay=0.9)
    before = {name: snapshot(getattr(model, name).trainable_variables) for name in ("generator", "discriminator")}
    return model, before, model.train_on_batch(IMAGES, LABELS, return_dict=True)


@pytest.mark.parametrize("baseline", [None, "ac_gan"])
def test_each_network_learns_and_the_average_is_a_generator_of_the_same_kind(baseline, tmp_path):
    model, before, report = trained(baseline)
    assert type(model.average) is type(model.generator)
    assert all(np.isfinite(value) for value in report.values()) and ("real_classes_loss" in report) == (
        baseline == "ac_gan"
    )
    for name, values in before.items():
        for variable, value in zip(getattr(model, name).trainable_variables, values):
            changed = (numpy(variable) != value).any()
            # The last bias of the discriminator has no gradient where no image is beyond the hinge.
            assert changed or variable.shape == (1,), variable.path
    if baseline:
        return
    inputs = {"noise": np.ones((2, Z), "float32"), "label": np.array([4, 1], "int32")}
    expected = numpy(model(inputs))
    assert expected.shape == (2, SIZE, SIZE, 3)
    model.average.save(tmp_path / "generator.keras")
    twin = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_allclose(numpy(twin(inputs)), expected, rtol=1e-5, atol=1e-6)


def test_vectors_of_the_discriminator_move_with_its_steps_alone_and_a_file_holds_the_state(tmp_path):
    model, _, _ = trained(None)
    vectors = [v for v in model.discriminator.weights if v.path.endswith("/u")]
    assert len(vectors) > 10
    after = snapshot(vectors)
    model.test_on_batch(IMAGES, LABELS)
    for a, b in zip(after, snapshot(vectors)):
        np.testing.assert_array_equal(a, b)
    model.save_weights(tmp_path / "one.weights.h5")
    twin = make(average_decay=0.9, seed=1)
    twin.load_weights(tmp_path / "one.weights.h5")
    pairs = [(model.variables, twin.variables), (model.optimizer.variables, twin.optimizer.variables)]
    for ours, others in pairs:
        for a, b in zip(ours, others, strict=True):
            np.testing.assert_array_equal(*snapshot([a, b]), err_msg=a.path)
