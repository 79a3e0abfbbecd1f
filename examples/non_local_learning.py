"""Training, resuming and evaluation of a video classifier."""

import functools

import keras
import numpy as np
import tensorflow as tf
from resuming import train
from video_data import MIRRORED


def prepared(clips):
    """uint8 [B, T, Y, X, 3] -> float32 between -1 and 1."""
    return clips.astype("float32") / 127.5 - 1


def batches(clips, labels, batch_size, seed, first=0):
    """Endless batches from batch `first` on; batch k does not depend on `first`.

    The clips are shuffled in each epoch, and flipped at random, which changes their labels.
    """
    per_epoch = len(clips) // batch_size

    def generate():
        number = first
        while True:
            order = np.random.default_rng((seed, number // per_epoch)).permutation(len(clips))
            rows = order[number % per_epoch * batch_size :][:batch_size]
            flipped = np.random.default_rng((seed, number // per_epoch, number)).random(batch_size) < 0.5
            yield varied(clips[rows], labels[rows], flipped)
            number += 1

    signature = tf.TensorSpec((batch_size, *clips.shape[1:])), tf.TensorSpec((batch_size,), "int32")
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def varied(clips, labels, flipped):
    """Prepared clips, some `flipped` left to right, and their labels."""
    clips = np.where(flipped[:, None, None, None, None], clips[:, :, :, ::-1], clips)
    return prepared(clips), np.where(flipped, np.array(MIRRORED, "int32")[labels], labels)


def learn(model, clips, labels, steps, batch_size, seed, folder, rate=1e-3, every=50, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    AdamW with cosine decay of the learning rate. A checkpoint holds the weights, the optimizer and, in its count of
    updates, the position in the data.

    Returns:
        The number of updates done by earlier runs.
    """
    optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(rate, steps), weight_decay=1e-2)
    # The paper decays kernels alone.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    data = functools.partial(batches, clips, labels, batch_size, seed)
    shown = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1%}"}
    return train(model, data, steps, folder, every, shown, callbacks)


def answers(model, clips, batch_size=50):
    """The predicted class of each clip."""
    parts = [clips[i : i + batch_size] for i in range(0, len(clips), batch_size)]
    return np.concatenate([np.argmax(model.predict_on_batch(prepared(part)), -1) for part in parts])
