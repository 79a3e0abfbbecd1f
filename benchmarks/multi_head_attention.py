"""Time of `MultiHeadAttention` beside `keras.layers.MultiHeadAttention` at short lengths, on a CPU: TensorFlow.

    python benchmarks/multi_head_attention.py [--repeat 15] [--cores 0,1] [--only eager]

Self-attention, B8, 256 features, N8 H32, float32, in eager mode, in a graph and compiled by XLA. A training step is
forward and backward to the weights and the input. Padding is the Keras mask of the input, as an embedding sets it.
A run is five steps; times are the mean of a step. Each candidate runs in its own process on the same pinned cores;
they alternate, one run each. Needs Linux.
"""

import side_by_side
import tables

BATCH, FEATURES, HEADS = 8, 256, 8
LENGTHS = (16, 128, 512)
STEPS = 5  # per run: a single step is too short to time
CANDIDATES = ("ours", "keras")
ROWS = [
    ((mode, run, mask, str(length)), {"mode": mode, "run": run, "mask": mask, "length": length}, CANDIDATES)
    for mode in ("eager", "graph", "XLA")
    for run in ("forward", "training step")
    for mask in ("no mask", "padding", "causal")
    for length in LENGTHS
]
COLUMNS = ("mode", "run", "mask", "T = S", "candidate", "best ms", "median ms", "median of ours / keras")
REPEAT = 15


def layer_of(candidate):
    import keras

    from keras_attention import layers

    kind = layers.MultiHeadAttention if candidate == "ours" else keras.layers.MultiHeadAttention
    return kind(HEADS, FEATURES // HEADS)


def step_of(candidate, mode, run, mask, length):
    """A callable that runs `STEPS` steps, not yet traced."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    layer = layer_of(candidate)
    x = tf.constant(np.random.default_rng(0).standard_normal((BATCH, length, FEATURES)).astype("float32"))
    layer.build(x.shape, x.shape)
    weights = [weight.value for weight in layer.trainable_weights]
    real = tf.constant(np.arange(length) < length - np.arange(BATCH)[:, None] % 5)

    def forward(x, real):
        if mask == "padding":
            x._keras_mask = real  # as an embedding sets it; Keras's layer removes it again
        return layer(x, x, use_causal_mask=mask == "causal")

    def both(x, real):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = forward(x, real)
        return output, tape.gradient(output, [x, *weights])

    step = forward if run == "forward" else both
    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "XLA")

    def steps():
        for _ in range(STEPS):
            output = step(x, real)
        return keras.tree.flatten(output)[0].numpy()

    return steps


def show(results, **_):
    """Times of a step, and the median ratio of adjacent runs, which see the same load of the machine."""
    for candidate, (times, _) in results.items():
        best, median = (f"{1e3 * take(times) / STEPS:.2f}" for take in (min, tables.median))
        yield best, median, tables.ratio(results, "ours", "keras") if candidate == "ours" else ""


def compact(found):
    """A line for each mode, run and mask, with all lengths: median ms of ours and of Keras's, and their ratio."""
    lines = {}
    for ((*labels, _), *_), results in found:
        ran = tables.measured(results)
        times = (f"{1e3 * tables.median(ran[name][0]) / STEPS:.3g}" if name in ran else "failed" for name in CANDIDATES)
        lines.setdefault(tuple(labels), []).append(f"{', '.join(times)}: {tables.ratio(ran, *CANDIDATES)}")
    return (*COLUMNS[:3], *map(str, LENGTHS)), [(*labels, *cells) for labels, cells in lines.items()]


if __name__ == "__main__":
    side_by_side.main(__file__)
