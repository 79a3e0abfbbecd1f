"""Time and memory of recurrent attention and of a small convolutional network against image size, on a CPU.

    python benchmarks/glimpse_cost.py [--repeat 9] [--cores 0,1] [--only "training step"]

`models.recurrent_attention` with 6 glimpses of 8 x 8 pixels, and the network of three convolutions with pooling of
`examples/convolutions.py`; `examples/recurrent_attention_digits.py` compares the accuracy of such networks. The
convolutions stop at sides of 400 pixels: 1600 need 16 times the memory. Batches of 32 gray images already in memory,
TensorFlow in a graph. A run is ten steps; times are the mean of a step. Each candidate runs in its own process on the
same pinned cores; they alternate, one run each. Memory is the peak of the process during the first run minus what it
held with its images and weights. Needs Linux.
"""

import pathlib
import sys

import pictures
import side_by_side
import tables

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

BATCH = 32
STEPS = 10  # per run: a single step is too short to time
SIDES = (28, 60, 100, 400, 1600)
LARGEST = 400  # side for the convolutions
# All sides alternate, so that a slow phase of the machine affects all.
CANDIDATES = [f"glimpses, {side}" for side in SIDES] + [f"convolutions, {side}" for side in SIDES if side <= LARGEST]
ROWS = [((run,), {"training": run == "training step"}, CANDIDATES) for run in ("forward", "training step")]
COLUMNS = ("run", "network, side", "best ms", "median ms", "peak growth MB")
REPEAT = 9


def network(kind):
    from convolutions import convolutions

    from keras_attention import models

    return models.recurrent_attention() if kind == "glimpses" else convolutions()


def step_of(candidate, training):
    """A callable that runs `STEPS` steps, compiled to a graph but not yet run."""
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_attention import training as losses

    kind, side = candidate.split(", ")
    model, side = network(kind), int(side)
    images = tf.constant(np.random.default_rng(0).random((BATCH, side, side, 1)).astype("float32"))
    labels = tf.constant(np.arange(BATCH) % 10)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = losses.HybridLoss() if kind == "glimpses" else entropy

    def run(images, labels):
        if not training:
            return model(images, training=False)
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    step = tf.function(run).get_concrete_function(images, labels)
    return lambda: [step(images, labels) for _ in range(STEPS)]


def show(results, **_):
    for times, growth in results.values():
        yield *(f"{1e3 * take(times) / STEPS:.1f}" for take in (min, tables.median)), f"{growth:.0f}"


def draw(found):
    points = [
        (labels[0], network, int(side), tables.median(times) / STEPS, growth)
        for (labels, *_), results in found
        for name, (times, growth) in tables.measured(results).items()
        for network, side in [name.split(", ")]
    ]
    return pictures.curves(points, "side of the images, pixels")


if __name__ == "__main__":
    side_by_side.main(__file__)
