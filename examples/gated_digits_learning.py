"""Training, resuming, evaluation and receptive field of a small ResNet on images with a cue."""

import functools

import gated_digits_data
import keras
import numpy as np
import tensorflow as tf
from resuming import generated, train


def batches(digits, labels, batch_size, seed, first=0):
    """Endless batches from batch `first` on; batch k does not depend on `first`."""

    def make(rng):
        return gated_digits_data.draw(digits, labels, batch_size, rng)[:2]

    shape = gated_digits_data.ROWS, gated_digits_data.COLUMNS, len(gated_digits_data.CHANNELS)
    signature = tf.TensorSpec((batch_size, *shape)), tf.TensorSpec((batch_size,), "int32")
    return generated(make, seed, first, signature)


def learn(model, digits, labels, steps, batch_size, seed, folder, rate=4e-3, every=200, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    AdamW with cosine decay of the learning rate. A checkpoint holds the weights, the optimizer and, in its count of
    updates, the position in the data.

    Returns:
        The number of updates done by earlier runs.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # XLA's convolutions are slower on a CPU.
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-2), loss, metrics=["accuracy"], jit_compile=False)
    data = functools.partial(batches, digits, labels, batch_size, seed)
    shown = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1%}"}
    return train(model, data, steps, folder, every, shown, callbacks)


def answers(model, images, batch_size=500):
    """The predicted class of each image."""
    parts = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    return np.concatenate([np.argmax(model.predict_on_batch(part), -1) for part in parts])


def receptive_field(model, size, channels=3):
    """Rows and columns of the largest receptive field of the last feature map: where its gradient is not zero.

    The feature map is that before the global mean, and its gradient that of the sum of its channels, in the mean over
    random images, with one position at a time.

    Args:
        model: `models.AttentionResNet`.
        size: Int, sides of the images.
        channels: Int, channels of the images.
    """
    features = keras.Model(model.inputs, model.get_layer("mean").input)
    images = tf.random.stateless_normal((4, size, size, channels), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps = features(images)
        middle = tf.reduce_sum(maps[:, maps.shape[1] // 2, maps.shape[2] // 2])
    seen = np.abs(tape.gradient(middle, images).numpy()).sum(axis=(0, 3)) > 0
    return tuple(int(np.ptp(np.flatnonzero(seen.any(axis=axis)))) + 1 for axis in (1, 0))
