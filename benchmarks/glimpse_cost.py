"""What a network of glimpses costs as images grow, beside a small convolutional network, on a CPU.

    python benchmarks/glimpse_cost.py [--repeat 9] [--cores 0,1] [--only "training step"]

`models.recurrent_attention` with 6 glimpses of 8 x 8 pixels, and a network of three convolutions with pools, that of
`examples/recurrent_attention_digits.py --network convolutions`, which says how well both read digits; it stops at 400
pixels a side, because at 1600 it would hold 16 times as much. Batches of 32 grey images that are in memory already,
TensorFlow in a graph. Every candidate is a process of its own on the same pinned cores; those of a row take turns, one
run each. Memory is the growth of the process's peak during the first run over what it held with its images and weights.
Needs Linux.
"""

import pathlib
import sys

import side_by_side

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "examples"))

BATCH = 32
SIDES = (28, 60, 100, 400, 1600)
CANDIDATES = ("glimpses", "convolutions")
LARGEST = 400  # that the convolutions are measured on
ROWS = [
    ((run, str(side)), {"side": side, "training": run == "training step"}, CANDIDATES[: 1 + (side <= LARGEST)])
    for run in ("forward", "training step")
    for side in SIDES
]


def network(candidate):
    from convolutions import convolutions

    from keras_attention import models

    return models.recurrent_attention() if candidate == "glimpses" else convolutions()


def step_of(candidate, side, training):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_attention import training as losses

    model = network(candidate)
    images = tf.constant(np.random.default_rng(0).random((BATCH, side, side, 1)).astype("float32"))
    labels = tf.constant(np.arange(BATCH) % 10)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = losses.HybridLoss() if candidate == "glimpses" else entropy

    def run(images, labels):
        if not training:
            return model(images, training=False)
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    step = tf.function(run).get_concrete_function(images, labels)
    return lambda: step(images, labels)


def milliseconds(results):
    for times, growth in results.values():
        yield f"{min(times) * 1e3:.1f}", f"{side_by_side.middle(times) * 1e3:.1f}", f"{growth:.0f}"


if __name__ == "__main__":
    columns = ("run", "side", "network", "best ms", "median ms", "peak growth MB")
    side_by_side.main(__doc__.splitlines()[0], ROWS, step_of, columns, repeat=9, show=milliseconds)
