"""Training, resuming and evaluation of networks that compare two patches; where their non-local blocks look."""

import functools

import keras
import numpy as np
import tensorflow as tf
from pairs_data import FRAMES, KINDS, PATCH, SIDE, clips
from resuming import generated, train

from keras_attention import visualize


def batches(draw, batch_size, seed, first=0, kinds=False):
    """Endless batches of new clips from batch `first` on; batch k does not depend on `first`.

    Labels: whether both patches are of one kind, int [B]; with `kinds`, which kinds the clip has, float [B, KINDS].
    """

    def make(rng):
        inputs, same, pair, _ = clips(draw, batch_size, rng)
        return inputs, np.eye(KINDS)[pair].max(axis=1) if kinds else same

    labels = tf.TensorSpec((batch_size, KINDS)) if kinds else tf.TensorSpec((batch_size,), "int32")
    return generated(make, seed, first, (tf.TensorSpec((batch_size, FRAMES, SIDE, SIDE, 1)), labels))


def learn(model, draw, steps, batch_size, seed, folder, rate=2e-3, every=200, kinds=False, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    AdamW with cosine decay of the learning rate. A checkpoint holds the weights, the optimizer and, in its count of
    updates, the position in the data.

    Args:
        kinds: Whether the model learns which kinds a clip has, with logits [B, KINDS], and not whether they are one.

    Returns:
        The number of updates done by earlier runs.
    """
    optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(rate, steps), weight_decay=1e-2)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    losses = keras.losses.BinaryCrossentropy if kinds else keras.losses.SparseCategoricalCrossentropy
    # XLA's convolutions are slower on a CPU.
    model.compile(optimizer, losses(from_logits=True), metrics=[] if kinds else ["accuracy"], jit_compile=False)
    data = functools.partial(batches, draw, batch_size, seed, kinds=kinds)
    shown = {"loss": "loss {:.3f}"} | ({} if kinds else {"accuracy": "accuracy {:.1%}"})
    return train(model, data, steps, folder, every, shown, callbacks)


def copy_features(source, model):
    """Copies the weights of all layers that both have, without the logits."""
    names = {layer.name for layer in source.layers} - {"logits"}
    for layer in model.layers:
        if layer.name in names:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def accuracy(model, inputs, same, batch_size=200):
    """The share of clips that the model answers correctly."""
    parts = [inputs[i : i + batch_size] for i in range(0, len(inputs), batch_size)]
    return float(np.mean(np.concatenate([np.argmax(model.predict_on_batch(part), -1) for part in parts]) == same))


def middles(side):
    """The middle of each position along an axis of the feature map, in pixels: its stride is four."""
    return 4 * np.arange(side) + 2


def scores_of_first(model, inputs, corners):
    """The block's scores of the query in the middle of each clip's first patch: [B, FRAMES, side, side]."""
    [scores] = visualize.attention_scores(model, inputs).values()
    side = round((scores.shape[-1] // FRAMES) ** 0.5)
    frame, *edges = np.moveaxis(corners[:, 0], -1, 0)
    row, column = (np.abs(middles(side) - edge[:, None] - PATCH / 2).argmin(axis=1) for edge in edges)
    rows = scores[np.arange(len(inputs)), 0, (frame * side + row) * side + column]
    return rows.reshape(-1, FRAMES, side, side)


def on_patches(scores, corners):
    """The part of each clip's scores on its first and second patch: at positions whose middle is on it, [B, 2]."""
    middle = middles(scores.shape[-1])
    frame, *edges = np.moveaxis(corners, -1, 0)
    rows, columns = ((middle >= edge[..., None]) & (middle < edge[..., None] + PATCH) for edge in edges)
    return np.einsum("bpyx,bpy,bpx->bp", scores[np.arange(len(scores))[:, None], frame], rows, columns)
