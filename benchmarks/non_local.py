"""Time and memory of non-local blocks over large maps and clips, on a CPU.

    python benchmarks/non_local.py [--repeat 3] [--cores 0,1] [--only clip]

A block of 64 channels, forward and backward to its weights and its input, TensorFlow in a graph, float32, batch size 1:
maps of 32 to 96 rows and a clip of 8 x 56 x 56. "ours" is the layer with its defaults; "all pairs" the same layer with
`return_attention_scores=True`. Each candidate runs in its own process on the same pinned cores; those of a row
alternate, one run each. Memory is the peak of the process during the first run minus what it held with its input. Needs
Linux. All pairs of an unpooled clip would take 2.5 GB per tensor: not run.
"""

import math

import pictures
import side_by_side
from tables import SECONDS, seconds

CHANNELS = 64
INPUTS = {f"map {side} x {side}": (1, side, side, CHANNELS) for side in (32, 64, 96)}
INPUTS["clip"] = (1, 8, 56, 56, CHANNELS)
PAIRWISE = ("embedded_gaussian", "dot_product", "concatenation")


def rows(what, pool, candidates):
    """A row for each pairwise function, on this input, with pooled keys or not."""
    positions = math.prod(INPUTS[what][1:-1])
    size = f"{positions} × {positions // 4 if pool else positions}"
    for pairwise in PAIRWISE:
        yield (what, size, pairwise), {"what": what, "pool": pool, "pairwise": pairwise}, candidates


ROWS = [
    *(row for what in INPUTS if what != "clip" for row in rows(what, None, ("ours", "all pairs"))),
    *rows("clip", "after", ("ours", "all pairs")),
    *rows("clip", None, ("ours",)),
]
COLUMNS = ("input", "positions × keys", "pairwise", "candidate", *SECONDS)
REPEAT = 3
show = seconds


def step_of(candidate, what, pool, pairwise):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    from keras_attention import NonLocalBlock

    x = tf.constant(np.random.default_rng(0).standard_normal(INPUTS[what]).astype("float32"))
    layer = NonLocalBlock(pairwise, pool=pool)
    layer.build(x.shape)
    layer.norm.gamma.assign(np.ones(CHANNELS))  # at zero, gradients would vanish

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            if candidate == "ours":
                z = layer(x, training=True)
            else:
                z, _ = layer(x, training=True, return_attention_scores=True)
            loss = tf.reduce_mean(z * z)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    step = tf.function(run).get_concrete_function(x)
    return lambda: step(x)


def draw(found):
    whole = [(row, results) for row, results in found if row[1]["pool"] is None]
    points = pictures.points(whole, lambda labels, _: (labels[2], int(labels[1].split(" ")[0])))
    return pictures.curves(points, "positions = keys")


if __name__ == "__main__":
    side_by_side.main(__file__)
