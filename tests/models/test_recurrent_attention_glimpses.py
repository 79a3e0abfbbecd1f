"""REINFORCE training: glimpses chosen by the policy beat random ones."""

import keras
import numpy as np
import pytest

from keras_attention import layers, models, training


def stripes_somewhere(number, side, rng):
    """Images with one 8 x 8 patch of rows, columns or checks at a random position, alike at low resolution."""
    rows, columns = np.indices((8, 8))
    patches = np.stack([rows % 2, columns % 2, (rows + columns) % 2]).astype("float32")
    images, labels = np.zeros((number, side, side, 1), "float32"), rng.integers(0, len(patches), number)
    for image, label in zip(images, labels):
        y, x = rng.integers(0, side - 7, 2)
        image[y : y + 8, x : x + 8, 0] = patches[label]
    return images, labels


class Anywhere(keras.layers.Layer):
    """Random location [B, 2] per image, uniform in [-1, 1], in training and inference."""

    def __init__(self, seed):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images):
        return keras.random.uniform((keras.ops.shape(images)[0], 2), -1.0, 1.0, seed=self.seed_generator)

    def compute_output_spec(self, images):
        return keras.KerasTensor((images.shape[0], 2), dtype="float32")


def random_glimpses(number, **sensor):
    """The recurrent attention model with random glimpse locations, in training and evaluation."""
    images = keras.Input((None, None, 1))
    look, old, new = layers.GlimpseNetwork(**sensor, units=256), keras.layers.Dense(256), keras.layers.Dense(256)
    hidden = None
    for i in range(number):
        x = new(look(images, Anywhere(i)(images)))
        hidden = keras.ops.relu(x if hidden is None else x + old(hidden))
    return keras.Model(images, keras.layers.Dense(3)(hidden))


def trained_accuracy(model, loss, data, test, epochs, batch_size=64):
    """Test accuracy after training."""
    steps = epochs * -(-len(data[0]) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(*data, batch_size=batch_size, epochs=epochs, verbose=0)
    return model.evaluate(*test, verbose=0)[1]


@pytest.mark.slow
def test_six_chosen_glimpses_beat_eight_random_ones():
    """Only a fine glimpse at the patch shows its class; coarse glimpses show where the patch is."""
    rng, sensor = np.random.default_rng(0), {"size": 6, "scales": 3}
    data, test = stripes_somewhere(6000, 32, rng), stripes_somewhere(1000, 32, rng)
    keras.utils.set_random_seed(0)
    chosen = models.recurrent_attention(num_classes=3, num_glimpses=6, std=0.15, detach=False, seed=0, **sensor)
    chosen = trained_accuracy(chosen, training.HybridLoss(), data, test, epochs=25)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    random = trained_accuracy(random_glimpses(8, **sensor), loss, data, test, epochs=25)
    assert chosen > random + 0.1, (chosen, random)
