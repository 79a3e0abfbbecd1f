"""Training, resuming and likelihood evaluation of an Image Transformer on MNIST."""

import functools

import keras
import numpy as np
import tensorflow as tf
from resuming import train

from keras_attention import metrics, training


def batches(images, labels, batch_size, seed, first=0):
    """Endless batches of images from batch `first` on.

    Batch k does not depend on `first`: the order of an epoch depends on `seed` and its number.

    Args:
        images: uint8 [count, Y, X, C].
        labels: int32 [count].
        batch_size: Images in a batch; an incomplete batch at the end of an epoch is dropped.
        seed: Int.
        first: Int, number of skipped batches.
    """
    batch_size = min(batch_size, len(images))
    per_epoch = len(images) // batch_size

    def generate():
        number = first
        while True:
            order = np.random.default_rng((seed, number // per_epoch)).permutation(len(images))
            for start in range(number % per_epoch * batch_size, per_epoch * batch_size, batch_size):
                rows = order[start : start + batch_size]
                image = images[rows].astype("int32")
                yield {"image": image, "label": labels[rows]}, image
                number += 1

    image = tf.TensorSpec((batch_size, *images.shape[1:]), "int32")
    signature = ({"image": image, "label": tf.TensorSpec((batch_size,), "int32")}, image)
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def learn(model, images, labels, steps, batch_size, seed, folder, rate=2e-3, every=100, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    A checkpoint holds the weights, the optimizer and, in its count of updates, the position in the data.

    Returns:
        The number of updates done by earlier runs.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warmup(steps)), alpha=0.02, warmup_target=rate, warmup_steps=warmup(steps)
    )
    model.compile(
        keras.optimizers.Adam(schedule, beta_2=0.98, epsilon=1e-9, global_clipnorm=1.0),
        training.PixelNegativeLogLikelihood(model.likelihood),
        metrics=[metrics.BitsPerDim(model.likelihood)],
        jit_compile=False,
    )
    data = functools.partial(batches, images, labels, batch_size, seed)
    shown = {"bits_per_dim": "{:.3f} bits/dim"}
    return train(model, data, steps, folder, every, shown, callbacks)


def warmup(steps):
    """Number of updates of linear warmup, before the cosine decay."""
    return max(1, steps // 20)


def bits_of_each(model, images, labels, batch_size=32):
    """Bits per dimension of each image, NumPy [count]."""
    from keras_attention.ops import pixel_log_prob

    # AutoGraph has nothing to convert here, and would take longer than the trace.
    @tf.function(reduce_retracing=True, autograph=False)
    def nats(image, label):
        outputs = model({"image": image, "label": label}, training=False)
        return -tf.reduce_mean(pixel_log_prob(image, outputs, model.likelihood), axis=(1, 2))

    parts = [
        nats(tf.constant(images[i : i + batch_size], "int32"), tf.constant(labels[i : i + batch_size])).numpy()
        for i in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts) / np.log(2) / images.shape[-1]
