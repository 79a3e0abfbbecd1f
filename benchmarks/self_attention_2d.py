"""Time and memory of SAGAN's self-attention over large feature maps, on a CPU.

    python benchmarks/self_attention_2d.py [--repeat 3] [--cores 0,1] [--only "128 x 128"]

`SelfAttention2D` of 64 channels over one map, forward and backward to its weights and its input, TensorFlow in a graph,
float32. "ours" is the layer with its defaults; "whole map" the same layer with `return_attention_scores=True`. Each
candidate runs in its own process on the same pinned cores; those of a row alternate, one run each. Memory is the peak
of the process during the first run minus what it held with its input; "scores MB" is the size of the scores alone.
Needs Linux. The whole unpooled map of 128 x 128 would take 1074 MB per tensor: not run.
"""

import pictures
import side_by_side
from tables import SECONDS, seconds

CHANNELS = 64
BOTH = ("ours", "whole map")


def row(size, variant, candidates):
    positions = size * size
    keys = positions // 4 if variant == "reference" else positions
    labels = (f"{size} x {size}", variant, f"{positions} x {keys}", f"{4 * positions * keys / 1e6:.0f}")
    return labels, {"size": size, "variant": variant}, candidates


ROWS = [
    row(32, "reference", BOTH),
    row(32, "paper", BOTH),
    row(64, "reference", BOTH),
    row(64, "paper", BOTH),
    row(128, "reference", BOTH),
    row(128, "paper", BOTH[:1]),
]
COLUMNS = ("map", "variant", "positions x keys", "scores MB", "candidate", *SECONDS)
REPEAT = 3
show = seconds


def step_of(candidate, size, variant):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    from keras_attention import SelfAttention2D

    x = tf.constant(np.random.default_rng(0).standard_normal((1, size, size, CHANNELS)).astype("float32"))
    layer = SelfAttention2D(variant)
    layer.build(x.shape)
    layer.gamma.assign(1.0)  # at zero, gradients would vanish

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x) if candidate == "ours" else layer(x, return_attention_scores=True)[0]
            loss = tf.reduce_mean(y * y)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    step = tf.function(run).get_concrete_function(x)
    return lambda: step(x)


def draw(found):
    points = pictures.points(found, lambda _, options: (f"{options['variant']} variant", options["size"] ** 2))
    return pictures.curves(points, "positions of the map")


if __name__ == "__main__":
    side_by_side.main(__file__)
