"""Adversarial training of SelectionGAN: weights of each step, gradient of the shared semantics network."""

import keras
import numpy as np
import pytest

from keras_attention import models, training
from tests.backend import BACKEND, QUICK
from tests.layers.helpers import numpy, random
from tests.models.selection_gan_weights import noisy

SIZES = {
    "image_size": 16,
    "num_downs": 2,
    "width": 2,
    "semantics_width": 1,
    "selection_channels": 8,
    "num_candidates": 3,
    "pool_sizes": (1, 3),
    "dropout": 0.0,
}
DATA = {name: np.tanh(random(2, 16, 16, 3, seed=i)) for i, name in enumerate(("source", "semantics", "image"))}


def make(generator_rate=0.0, discriminator_rate=0.0, **objective):
    generator = noisy(models.SelectionGANGenerator(**SIZES))
    discriminator = noisy(models.PatchDiscriminator(width=2, num_layers=1))
    model = training.AdversarialModel(generator, discriminator, training.SelectionGANObjective(**objective), seed=0)
    rates = generator_rate, discriminator_rate
    model.compile(*(keras.optimizers.SGD(rate) for rate in rates), **QUICK)
    return model


def change(network, step):
    """Change of the trainable weights of the network by `step()`."""
    before = [numpy(w) for w in network.trainable_variables]
    step()
    return [numpy(w) - old for w, old in zip(network.trainable_variables, before, strict=True)]


@pytest.mark.parametrize("trained", ["generator", "discriminator"])
def test_each_step_updates_only_its_own_network(trained):
    model = make(**{f"{trained}_rate": 0.01})
    other = {"generator": "discriminator", "discriminator": "generator"}[trained]
    still = [numpy(w) for w in getattr(model, other).trainable_variables]
    moved = change(getattr(model, trained), lambda: model.train_on_batch(DATA))
    assert all(np.isfinite(x).all() and np.abs(x).max() > 0 for x in moved)
    for w, old in zip(getattr(model, other).trainable_variables, still, strict=True):
        np.testing.assert_array_equal(numpy(w), old)


def test_gradient_of_the_shared_semantics_network_is_the_sum_over_both_calls():
    found = {}
    for names in (("first_semantics",), ("semantics",), ("first_semantics", "semantics")):
        weights = dict.fromkeys(names, 1.0)
        model = make(1.0, pixel_weights=weights, adversarial_weights={"image": 0.0}, total_variation=0.0)
        read = [w.path.startswith("semantics_") for w in model.generator.trainable_variables]
        assert any(read) and not all(read)
        moved = change(model.generator, lambda model=model: model.train_on_batch(DATA))
        found[names] = [x for x, its in zip(moved, read) if its]
    first, second, both = found.values()
    for a, b, total in zip(first, second, both, strict=True):
        assert np.abs(a).max() > 1e-6 and np.abs(b).max() > 1e-6
        np.testing.assert_allclose(total, a + b, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_losses_are_finite_and_decrease():
    model = make()
    model.compile(*(keras.optimizers.Adam(6e-3, beta_1=0.5) for _ in range(2)), jit_compile=BACKEND == "jax")
    data = {name: np.repeat(x, 4, 0) for name, x in DATA.items()}
    history = model.fit(data, batch_size=4, epochs=4, verbose=0).history
    assert set(history) == set(model.objective.names)
    assert all(np.isfinite(values).all() for values in history.values())
    assert history["pixel_loss"][-1] < 0.9 * history["pixel_loss"][0]


def test_data_out_of_range_raises_before_training():
    model = make()
    with pytest.raises(ValueError, match="`image` must have values between -1 and 1. Received: values from"):
        model.fit({**DATA, "image": 255 * DATA["image"]}, verbose=0)
