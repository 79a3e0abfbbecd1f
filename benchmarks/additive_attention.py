"""Time and memory of `BahdanauAttention` and of Keras's `AdditiveAttention` with its missing projections, on a CPU.

    python benchmarks/additive_attention.py [--repeat 3] [--cores 0,1] [--only 1024]

B8, 256 units, queries and memory of 256 features, TensorFlow in a graph. Each candidate runs in its own process on the
same pinned cores; they alternate, one run each. Memory is the peak of the process during the first run minus what it
held with its inputs. At 1024, Keras's layer would hold several tensors of 8.6 GB: not run. Needs Linux.
"""

import pictures
import side_by_side
from tables import SECONDS, seconds

BATCH, UNITS = 8, 256
CANDIDATES = ("ours", "keras")
ROWS = [
    (("forward", "256"), {"length": 256}, CANDIDATES),
    (("forward + backward", "256"), {"length": 256, "gradient": True}, CANDIDATES),
    (("forward", "512"), {"length": 512}, CANDIDATES),
    (("forward + backward", "512"), {"length": 512, "gradient": True}, CANDIDATES),
    (("forward", "1024"), {"length": 1024}, ("ours",)),
    (("forward + backward", "1024"), {"length": 1024, "gradient": True}, ("ours",)),
]
COLUMNS = ("run", "T = S", "candidate", *SECONDS)
REPEAT = 3
show = seconds


def attention(candidate):
    """Returns a function (query, value) -> context that owns its weights."""
    import keras

    if candidate == "ours":
        from keras_attention import BahdanauAttention

        return BahdanauAttention(UNITS)
    query, value = keras.Input((None, UNITS)), keras.Input((None, UNITS))
    project = [keras.layers.Dense(UNITS, use_bias=False) for _ in range(2)]
    context = keras.layers.AdditiveAttention()([project[0](query), value, project[1](value)])
    model = keras.Model([query, value], context)
    return lambda query, value: model([query, value])


def step_of(candidate, length, gradient=False):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    tensors = [tf.constant(rng.standard_normal((BATCH, length, UNITS)).astype("float32")) for _ in range(2)]
    attend = attention(candidate)
    attend(tensors[0][:1, :2], tensors[1][:1, :3])

    def run(query, value):
        with tf.GradientTape() as tape:
            tape.watch((query, value))
            context = attend(query, value)
        weights = tape.watched_variables()
        return (context, tape.gradient(context, [query, value, *weights])) if gradient else context

    step = tf.function(run).get_concrete_function(*tensors)
    return lambda: step(*tensors)


def draw(found):
    points = pictures.points(found, lambda labels, options: (labels[0], options["length"]))
    return pictures.curves(points, "queries = keys")


if __name__ == "__main__":
    side_by_side.main(__file__)
