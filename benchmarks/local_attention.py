"""Time and memory of local attention beside Keras's sliding window on TensorFlow, on a CPU.

    python benchmarks/local_attention.py [--repeat 5] [--cores 0,1] [--only 8192]

Layers with their projections, B1, D512, N8 H64, window 256: `LocalAttention1D` with blocks and memories of 256, where a
query scores 512 keys if causal and 768 if not, and `keras.layers.MultiHeadAttention(sliding_window=256)`, where it sees
511 and scores all. Forward + backward, to the input and to all weights. Every candidate is a process of its own on the
same cores. The candidates of a length take turns, one run each, so that a slow moment of the machine meets them all;
the others sleep meanwhile. Memory is the growth of the process's peak over what it held with its weights and inputs
before the first run. Needs Linux, and 16 GB of memory for Keras at 8192.
"""

import side_by_side

WINDOW = 256
OURS = ("ours, causal", "ours, both sides")
ROWS = [
    (("8192",), {"length": 8192}, (*OURS, "keras")),
    (("16384",), {"length": 16384}, OURS),
    (("32768",), {"length": 32768}, OURS),
]


def layer_of(candidate):
    import keras

    from keras_attention import layers

    if candidate == "keras":
        return keras.layers.MultiHeadAttention(8, 64, sliding_window=WINDOW)
    return layers.LocalAttention1D(8, 64, WINDOW, WINDOW, causal=candidate == "ours, causal")


def step_of(candidate, length):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x, upstream = (tf.constant(rng.standard_normal((1, length, 512)).astype("float32")) for _ in range(2))
    layer = layer_of(candidate)
    layer.build(*[x.shape] * (2 if candidate == "keras" else 1))
    weights = [w.value for w in layer.trainable_variables]

    def both(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, x) if candidate == "keras" else layer(x)
        return output, tape.gradient(output, (x, *weights), upstream)

    step = tf.function(both).get_concrete_function(x, upstream)
    return lambda: step(x, upstream)


if __name__ == "__main__":
    columns = ("T", "candidate", *side_by_side.SECONDS)
    side_by_side.main(__doc__.splitlines()[0], ROWS, step_of, columns, repeat=5)
