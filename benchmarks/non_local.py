"""Time and memory of non-local blocks over large maps and clips, on a CPU.

    python benchmarks/non_local.py [--repeat 3] [--cores 0,1] [--only map]

A block of 64 channels, forward and backward to its weights and its input, TensorFlow in a graph, float32, batch size 1:
a map of 64 x 64 and a clip of 8 x 56 x 56. "ours" is the layer with its defaults; "all pairs" the same layer with
`return_attention_scores=True`. Each candidate runs in its own process on the same pinned cores; those of a row
alternate, one run each. Memory is the peak of the process during the first run minus what it held with its input. Needs
Linux. All pairs of an unpooled clip would take 2.5 GB per tensor: not run.
"""

import side_by_side

CHANNELS = 64
INPUTS = {"map": (1, 64, 64, CHANNELS), "clip": (1, 8, 56, 56, CHANNELS)}
KEYS = {("map", None): "4096 × 4096", ("clip", "after"): "25088 × 6272", ("clip", None): "25088 × 25088"}
PAIRWISE = ("embedded_gaussian", "dot_product", "concatenation")


def rows(what, pool, candidates):
    """A row for each pairwise function, on this input, with pooled keys or not."""
    for pairwise in PAIRWISE:
        yield (what, KEYS[what, pool], pairwise), {"what": what, "pool": pool, "pairwise": pairwise}, candidates


ROWS = [
    *rows("map", None, ("ours", "all pairs")),
    *rows("clip", "after", ("ours", "all pairs")),
    *rows("clip", None, ("ours",)),
]


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


if __name__ == "__main__":
    columns = ("input", "positions × keys", "pairwise", "candidate", *side_by_side.SECONDS)
    side_by_side.main(__doc__.splitlines()[0], ROWS, step_of, columns, repeat=3)
