"""What REINFORCE teaches the network of glimpses: chosen glimpses see more than random ones."""

import keras
import numpy as np
import pytest

from keras_attention import layers, models, training


def stripes_somewhere(number, side, rng):
    """Images with a patch of 8 x 8 anywhere: rows, columns or squares, which are alike from any distance."""
    rows, columns = np.indices((8, 8))
    patches = np.stack([rows % 2, columns % 2, (rows + columns) % 2]).astype("float32")
    images, labels = np.zeros((number, side, side, 1), "float32"), rng.integers(0, len(patches), number)
    for image, label in zip(images, labels):
        y, x = rng.integers(0, side - 7, 2)
        image[y : y + 8, x : x + 8, 0] = patches[label]
    return images, labels


class Anywhere(keras.layers.Layer):
    """A place [B, 2] for each image, uniform between -1 and 1, in training and in inference."""

    def __init__(self, seed):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images):
        return keras.random.uniform((keras.ops.shape(images)[0], 2), -1.0, 1.0, seed=self.seed_generator)

    def compute_output_spec(self, images):
        return keras.KerasTensor((images.shape[0], 2), dtype="float32")


def random_glimpses(number, **sensor):
    """The network of glimpses, but where it looks is left to chance: in training, and when it is examined."""
    images = keras.Input((None, None, 1))
    look, old, new = layers.GlimpseNetwork(**sensor, units=256), keras.layers.Dense(256), keras.layers.Dense(256)
    hidden = None
    for i in range(number):
        x = new(look(images, Anywhere(i)(images)))
        hidden = keras.ops.relu(x if hidden is None else x + old(hidden))
    return keras.Model(images, keras.layers.Dense(3)(hidden))


def learnt(model, loss, data, test, epochs, batch_size=64):
    """The share of right answers after training."""
    steps = epochs * -(-len(data[0]) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(*data, batch_size=batch_size, epochs=epochs, verbose=0)
    return model.evaluate(*test, verbose=0)[1]


@pytest.mark.slow
def test_r12_six_chosen_glimpses_see_more_than_eight_random_ones():
    """What the patch is made of can only be seen from near; where it is, from afar: one has to go there."""
    rng, sensor = np.random.default_rng(0), {"size": 6, "scales": 3}
    data, test = stripes_somewhere(6000, 32, rng), stripes_somewhere(1000, 32, rng)
    keras.utils.set_random_seed(0)
    chosen = models.recurrent_attention(num_classes=3, num_glimpses=6, std=0.15, detach=False, seed=0, **sensor)
    chosen = learnt(chosen, training.HybridLoss(), data, test, epochs=25)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    chance = learnt(random_glimpses(8, **sensor), loss, data, test, epochs=25)
    assert chosen > chance + 0.1, (chosen, chance)
