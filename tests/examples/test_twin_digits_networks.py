import keras
import numpy as np
import pytest

if keras.backend.backend() == "torch":
    pytest.skip("the examples run on TensorFlow and JAX", allow_module_level=True)

import twin_digits_networks as networks
import twins_data

RNG = np.random.default_rng(4)


def noisy(block):
    keras.utils.set_random_seed(2)
    network = networks.discriminator(networks.BLOCKS[block])
    for weight in network.trainable_weights:
        weight.assign(weight + RNG.normal(0, 0.3, weight.shape))
    return network


def images(count=6):
    """Random pixels in place of digits."""
    digits = RNG.integers(0, 256, (count, 28, 28, 1)).astype("u1")
    return 2 * twins_data.draw(digits, RNG, networks.ROWS, networks.COLUMNS)[..., None] - 1


@pytest.mark.parametrize("block", ["no block", "1 x 1 block"])
def test_without_attention_twins_have_the_logits_of_strangers(block):
    """A mean over windows, of which none has parts of both digits, depends on the single digits alone."""
    network, twins = noisy(block), images()
    strangers = twins_data.strangers(twins[..., 0])[..., None]
    one, other = (network.predict({"image": x}, verbose=0) for x in (twins, strangers))
    assert np.abs(one - other).max() > 1e-3 * np.abs(one).mean()
    np.testing.assert_allclose(one.mean(), other.mean(), rtol=1e-4)


def test_with_attention_they_have_not():
    network, twins = noisy("self-attention"), 20 * images()  # large values, so that scores differ
    strangers = twins_data.strangers(twins[..., 0])[..., None]
    one, other = (network.predict({"image": x}, verbose=0).mean() for x in (twins, strangers))
    assert abs(one - other) > 1e-3 * abs(one)


def test_the_receptive_field_is_that_of_a_gradient_and_smaller_than_the_gap():
    network = noisy("no block")
    map_before = keras.Model(network.input, network.layers[2 * len(networks.WIDTHS)].output)
    image = np.zeros((1, networks.ROWS, networks.COLUMNS, 1), "float32")
    base = np.asarray(map_before.predict({"image": image}, verbose=0))[0, 2, 6]
    changed = []
    for column in range(networks.COLUMNS):
        other = image.copy()
        other[0, :, column] = 1
        changed.append(np.any(np.asarray(map_before.predict({"image": other}, verbose=0))[0, 2, 6] != base))
    [columns] = np.nonzero(changed)
    assert columns[-1] - columns[0] + 1 == networks.receptive_field() == 17
    first = networks.COLUMNS - twins_data.PART + 1  # column of the right digit
    assert first - twins_data.DIGIT + 1 >= networks.receptive_field()


def test_the_blocks_have_as_many_weights():
    weights = {name: networks.discriminator(block).trainable_weights for name, block in networks.BLOCKS.items()}
    count = {name: sum(int(np.prod(w.shape)) for w in found) for name, found in weights.items()}
    assert count["self-attention"] - count["1 x 1 block"] == 1  # gamma
    assert count["no block"] < count["1 x 1 block"]


def test_each_pixel_of_the_generator_depends_on_all_of_the_noise():
    keras.utils.set_random_seed(0)
    network = networks.generator()
    for layer in network.layers:
        if "batch_norm" in layer.name:
            layer.moving_mean.assign(RNG.normal(0, 0.1, layer.moving_mean.shape))
    noise = np.zeros((1 + networks.NOISE, networks.NOISE), "float32")
    noise[1:] = 3 * np.eye(networks.NOISE)
    found = network.predict({"noise": noise}, verbose=0)
    assert found.shape[1:] == (networks.ROWS, networks.COLUMNS, 1) and np.abs(found).max() <= 1
    assert (np.abs(found[1:] - found[0]).max(axis=(1, 3)) > 0).all()
