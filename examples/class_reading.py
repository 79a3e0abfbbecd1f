"""A small convolutional network reads the classes of images: does a generator draw what it should?"""

import keras
import numpy as np

UPDATES, BATCH = 1000, 128


class Reader:
    """Reads the class of each part of images, by a convolutional network that is trained at once.

    Args:
        draw: Function of uint8 [B, ...] and a `numpy.random.Generator`; returns images [B, ...] to be read.
        parts: Function of these images; returns a list of [B, Y, X, 1], parts of one size and of the image's class.
        images: uint8 [N, ...], of training.
        labels: Int [N].
    """

    def __init__(self, draw, parts, images, labels):
        self.parts, self.network = parts, _network()
        rng = np.random.default_rng(0)

        def batches():
            while True:
                rows = rng.integers(len(images), size=BATCH)
                drawn = parts(draw(images[rows], rng))
                yield np.concatenate(drawn), np.tile(labels[rows], len(drawn)).astype("int32")

        self.network.fit(batches(), steps_per_epoch=UPDATES, shuffle=False, verbose=0)

    def classes(self, images):
        """Int [P, B]: the class of each of the P parts."""
        return np.stack([self.network.predict(x, batch_size=500, verbose=0).argmax(-1) for x in self.parts(images)])

    def right(self, images, labels):
        """The share of the images of which every part is read as this class."""
        return float(np.mean(np.all(self.classes(images) == labels, axis=0)))

    def equal(self, images):
        """The share of the images of which all parts are read as one class."""
        classes = self.classes(images)
        return float(np.mean(np.all(classes == classes[0], axis=0)))


def _network():
    keras.utils.set_random_seed(0)
    layers = []
    for width in (16, 32):
        layers += [keras.layers.Conv2D(width, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten(), keras.layers.Dense(128, activation="relu"), keras.layers.Dense(10)]
    network = keras.Sequential(layers)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, UPDATES)
    network.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return network
