"""Training, resuming and likelihood evaluation of an Image Transformer."""

import functools

import keras
import numpy as np
import tensorflow as tf
from digits_data import reduced
from resuming import train

from keras_attention import metrics, training

REDUCED = 4  # pixels, along each side, that are one of the source of super-resolution


def inputs_of(images, labels, source=False):
    """The inputs of a model: the images, their labels and, with `source`, the reduced images."""
    inputs = {"image": images.astype("int32"), "label": labels}
    return inputs | ({"source": source_of(images)} if source else {})


def source_of(images):
    """uint8 [B, Y, X, C] -> int32 [B, Y / REDUCED, X / REDUCED, C]: means of squares of pixels."""
    return reduced(images, REDUCED).astype("int32")


def batches(images, labels, batch_size, seed, first=0, source=False):
    """Endless batches of images from batch `first` on.

    Batch k does not depend on `first`: the order of an epoch depends on `seed` and its number.

    Args:
        images: uint8 [count, Y, X, C].
        labels: int32 [count].
        batch_size: Images in a batch; an incomplete batch at the end of an epoch is dropped.
        seed: Int.
        first: Int, number of skipped batches.
        source: Whether the batches are for super-resolution.
    """
    batch_size = min(batch_size, len(images))
    per_epoch = len(images) // batch_size

    def generate():
        number = first
        while True:
            order = np.random.default_rng((seed, number // per_epoch)).permutation(len(images))
            for start in range(number % per_epoch * batch_size, per_epoch * batch_size, batch_size):
                rows = order[start : start + batch_size]
                inputs = inputs_of(images[rows], labels[rows], source)
                yield inputs, inputs["image"]
                number += 1

    example = inputs_of(images[:batch_size], labels[:batch_size], source)
    specs = {name: tf.TensorSpec(value.shape, "int32") for name, value in example.items()}
    signature = (specs, specs["image"])
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
    data = functools.partial(batches, images, labels, batch_size, seed, source=model.num_encoder_layers > 0)
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
    def nats(inputs):
        outputs = model(inputs, training=False)
        return -tf.reduce_mean(pixel_log_prob(inputs["image"], outputs, model.likelihood), axis=(1, 2))

    inputs = inputs_of(images, labels, model.num_encoder_layers > 0)
    parts = [
        nats({name: tf.constant(values[i : i + batch_size], "int32") for name, values in inputs.items()}).numpy()
        for i in range(0, len(images), batch_size)
    ]
    return np.concatenate(parts) / np.log(2) / images.shape[-1]
