"""Time and memory of local attention and of Keras's sliding window on TensorFlow, on a CPU.

    python benchmarks/local_attention.py [--repeat 5] [--cores 0,1] [--only 8192]

Layers with their projections, B1, D512, N8 H64, forward + backward, to the input and to all weights, TensorFlow in a
graph, float32. `keras.layers.MultiHeadAttention(sliding_window=256)` computes all pairs and masks all but 511 keys of a
query; `LocalAttention1D`, and `LocalAttention2D` on an image of as many pixels, compute the pairs within blocks only.
Each candidate runs in its own process on the same pinned cores; those of a length alternate, one run each. Memory is
the peak of the process during the first run minus what it held with its weights and inputs. Needs Linux, and 16 GB of
memory for Keras at 8192.
"""

import pictures
import side_by_side
from tables import SECONDS, seconds

# Query block, memory block, causal.
OURS = {
    "causal, 256 + 256": (256, 256, True),
    "causal, 128 + 128": (128, 128, True),
    "256 + 2 × 256": (256, 256, False),
}
WIDTH = 128  # of an image
IMAGES = {
    "causal, 16 × 16 + 8 around": ((16, 16), (8, 8), True),
    "16 × 16 + 8 around": ((16, 16), (8, 8), False),
}
ROWS = [
    (("8192",), {"length": 8192}, (*OURS, "keras")),
    (("16384",), {"length": 16384}, (*OURS,)),
    (("32768",), {"length": 32768}, (*OURS,)),
    *[((f"{T // WIDTH} × {WIDTH}",), {"length": T}, (*IMAGES,)) for T in (8192, 16384, 32768)],
]
COLUMNS = ("T", "block + memory", *SECONDS)
REPEAT = 5
show = seconds


def layer_of(candidate):
    import keras

    from keras_attention import layers

    if candidate == "keras":
        return keras.layers.MultiHeadAttention(8, 64, sliding_window=256)
    if candidate in IMAGES:
        query_block, memory_block, causal = IMAGES[candidate]
        return layers.LocalAttention2D(8, 64, query_block, memory_block, causal=causal)
    query_block, memory_block, causal = OURS[candidate]
    return layers.LocalAttention1D(8, 64, query_block, memory_block, causal=causal)


def step_of(candidate, length):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    shape = (1, length // WIDTH, WIDTH, 512) if candidate in IMAGES else (1, length, 512)
    x, upstream = (tf.constant(rng.standard_normal(shape).astype("float32")) for _ in range(2))
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


def draw(found):
    def place(labels, options):
        return "image of 128 columns" if "×" in labels[0] else "sequence", options["length"]

    return pictures.curves(pictures.points(found, place), "positions")


if __name__ == "__main__":
    side_by_side.main(__file__)
