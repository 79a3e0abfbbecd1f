"""Training, resuming and evaluation of a small ResNet on Fashion-MNIST."""

import functools

import keras
import numpy as np
import tensorflow as tf
from resuming import train

MEAN, DEVIATION = 0.2860, 0.3530  # of the training images, in [0, 1]
SHIFT = 2  # pixels, at most, in each direction


def prepared(images):
    """uint8 [B, 28, 28] -> float32 [B, 28, 28, 1] of mean 0 and deviation 1 over the training images."""
    return ((images[..., None] / 255 - MEAN) / DEVIATION).astype("float32")


def batches(images, labels, batch_size, seed, first=0):
    """Endless batches from batch `first` on; batch k does not depend on `first`.

    The images are shuffled in each epoch, flipped at random, and shifted by up to two pixels.
    """
    per_epoch = len(images) // batch_size

    def generate():
        number = first
        while True:
            order = np.random.default_rng((seed, number // per_epoch)).permutation(len(images))
            rows = order[number % per_epoch * batch_size :][:batch_size]
            yield varied(images[rows], np.random.default_rng((seed, number // per_epoch, number))), labels[rows]
            number += 1

    signature = tf.TensorSpec((batch_size, *images.shape[1:], 1)), tf.TensorSpec((batch_size,), labels.dtype)
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def varied(images, rng):
    """Random horizontal flips and shifts, padded with black."""
    rows, columns = images.shape[1:]
    flipped = np.where(rng.random(len(images))[:, None, None] < 0.5, images, images[:, :, ::-1])
    padded = np.pad(flipped, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    corners = rng.integers(0, 2 * SHIFT + 1, (len(images), 2))
    return prepared(np.stack([image[y : y + rows, x : x + columns] for image, (y, x) in zip(padded, corners)]))


def learn(model, images, labels, steps, batch_size, seed, folder, rate=0.1, every=200, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    SGD with Nesterov momentum 0.9 and cosine decay of the learning rate. A checkpoint holds the weights, the
    optimizer and, in its count of updates, the position in the data.

    Returns:
        The number of updates done by earlier runs.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=5e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # XLA's convolutions are slower on a CPU
    )
    data = functools.partial(batches, images, labels, batch_size, seed)
    shown = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1%}"}
    return train(model, data, steps, folder, every, shown, callbacks)


def accuracy(model, images, labels, batch_size=500):
    """Accuracy on all images."""
    correct = [
        np.argmax(model.predict_on_batch(prepared(images[i : i + batch_size])), -1) == labels[i : i + batch_size]
        for i in range(0, len(images), batch_size)
    ]
    return float(np.mean(np.concatenate(correct)))
