"""Time and memory that SE and CBAM add to ResNet-50 on a CPU: TensorFlow in a graph, with and without XLA.

    python benchmarks/attention_resnet.py [--repeat 5] [--cores 0,1] [--only forward]

Each candidate runs in its own process on the same pinned cores; they alternate, one run each. A training step is
forward, backward and an update by SGD with momentum. Memory is the peak of the process during the first run minus what
it held with its weights. Needs Linux.
"""

import side_by_side
import tables

BATCH, SIZE = 4, 224
CANDIDATES = ("none", "se", "cbam")
ROWS = [
    (("forward",), {"training": False, "jit": False}, CANDIDATES),
    (("training step",), {"training": True, "jit": False}, CANDIDATES),
    (("training step, XLA",), {"training": True, "jit": True}, CANDIDATES),
]
COLUMNS = ("run", "attention", *tables.SECONDS, "median overhead, paired runs")
REPEAT = 5


def step_of(candidate, training, jit):
    """A callable that runs one step, built but not yet run."""
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_attention import models

    keras.utils.set_random_seed(0)
    model = models.attention_resnet(50, None if candidate == "none" else candidate)
    images = tf.constant(np.random.default_rng(0).standard_normal((BATCH, SIZE, SIZE, 3)).astype("float32"))
    labels = tf.constant(np.arange(BATCH) % 1000)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function(jit_compile=jit)
    def run(images):
        if not training:
            return model(images, training=False)
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    return lambda: run(images).numpy()


def show(results, **_):
    """The usual cells, and the median overhead of each run over the adjacent run without attention."""
    plain = results.get("none")
    for (times, _), usual in zip(results.values(), tables.seconds(results)):
        # Adjacent runs see the same load of the machine.
        more = plain and tables.median([a / b - 1 for a, b in zip(times, plain[0])])
        yield *usual, "" if more is None else f"{more:+.1%}"


if __name__ == "__main__":
    side_by_side.main(__file__)
