"""Training of GANs of two digits, and examination of their images."""

import keras
import numpy as np
import tensorflow as tf
import twin_digits_networks as networks
import twins_data
from digits_data import pooled
from resuming import generated
from sagan_learning import compiled

from keras_attention import metrics, training

# Of Adam. Small networks, trained for minutes, take four times the paper's rates, in its ratio.
RATES = {"generator": 4e-4, "discriminator": 1.6e-3}
DECAY = 0.99


def build(block, seed):
    """Builds the compiled model of a generator and of a discriminator with this block."""
    keras.utils.set_random_seed(seed)
    discriminator = networks.discriminator(networks.BLOCKS[block])
    objective = training.NoiseToImage(networks.NOISE)
    model = training.AdversarialModel(networks.generator(), discriminator, objective, average_decay=DECAY, seed=seed)
    return compiled(model, RATES)


def images_of(digits, rng):
    """Twins float32 [B, ROWS, COLUMNS, 1] from -1 to 1, of all digits, uint8 [B, 28, 28, 1]."""
    return 2 * twins_data.draw(digits, rng, networks.ROWS, networks.COLUMNS)[..., None] - 1


def batches(digits, batch_size, seed, first=0):
    """Endless batches of twins from batch `first` on; batch k does not depend on `first`."""

    def make(rng):
        return (images_of(digits[rng.integers(len(digits), size=batch_size)], rng),)

    return generated(make, seed, first, (tf.TensorSpec((batch_size, networks.ROWS, networks.COLUMNS, 1)),))


def examiner(real, seed):
    """A function that examines the images of a model's average; returns a dict.

        agreement:  of their two digits, see `twins_data`
        FID:        Fréchet distance between their single digits and real ones, by means of 2 x 2 pixels

    Args:
        real: Images [N, ROWS, COLUMNS, 1]; N images are generated.
        seed: Int, seed of the noise, which is the same each time.
    """
    frechet = metrics.FrechetDistance(extractor=None)
    frechet.update_real(features(real))

    def examine(model):
        images = generated_by(model, len(real), seed)
        frechet.reset_generated()
        frechet.update_generated(features(images))
        return {"agreement": float(twins_data.agreement(images[..., 0]).mean()), "FID": float(frechet.result())}

    return examine


def features(images):
    """Means of 2 x 2 pixels of each digit of images [N, ROWS, COLUMNS, 1]: [2 N, 64]."""
    parts = np.concatenate(twins_data.parts(images))[..., 0]
    return pooled(parts, 2).reshape(len(parts), -1)


def generated_by(model, count, seed):
    """Images of the model's average."""
    return model.average.predict(noise(count, seed), batch_size=250, verbose=0)


def noise(count, seed):
    return {"noise": np.random.default_rng(seed).standard_normal((count, networks.NOISE)).astype("float32")}
