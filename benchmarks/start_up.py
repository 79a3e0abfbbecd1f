"""Time to import the package, and to build and to trace each model factory: TensorFlow on a CPU.

    python benchmarks/start_up.py [--repeat 5] [--cores 0,1] [--only import]

Import: a new process for each run, beside that of Keras alone. Factories have their default sizes, the language models
a vocabulary of 8000. `build` creates a model with its weights; `forward` and `training step` trace a new `tf.function`
of a built model, the latter with gradients and an update by Adam, for inputs of 32 samples in which each size that the
model leaves open is 32. The second of two networks counts too. Needs Linux.
"""

import os
import subprocess
import sys

import side_by_side
import tables

WORDS, TWICE = {"vocabulary_size": 8000}, {"source_vocabulary_size": 8000, "target_vocabulary_size": 8000}
FACTORIES = {
    "transformer_base": WORDS,
    "transformer_big": WORDS,
    "rnn_search": TWICE,
    "luong_lstm": TWICE,
    "image_transformer": {},
    "recurrent_attention": {},
    "attention_resnet": {"attention": "cbam"},
    "non_local_resnet": {"num_blocks": 5},
    "sagan": {},
    "selection_gan": {},
}
ROWS = [(("import",), {"factory": None}, ("keras", "keras_attention"))]
ROWS += [((name,), {"factory": name}, ("build", "forward", "training step")) for name in FACTORIES]
COLUMNS = ("what", "candidate", "best s", "median s", "median more than the first")
REPEAT = 5
OPEN = 32  # samples, and each size that a model leaves open


def step_of(candidate, factory):
    """A callable that runs one step: an import, or what `candidate` says of a factory."""
    if factory is None:
        # With bytecode, which an installation has; the first run writes it.
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        command = [sys.executable, "-c", f"import {candidate}"]
        return lambda: subprocess.run(command, env=plain, check=True, capture_output=True)
    import keras

    from keras_attention import models

    def build():
        keras.backend.clear_session()
        networks = getattr(models, factory)(**FACTORIES[factory])
        return networks if isinstance(networks, tuple) else (networks,)

    if candidate == "build":
        return build
    networks = build()
    return lambda: [trace(network, candidate == "training step") for network in networks]


def trace(network, training):
    import keras
    import tensorflow as tf

    optimizer, variables = keras.optimizers.Adam(), network.trainable_variables
    specs = keras.tree.map_structure(
        lambda x: tf.TensorSpec([OPEN if n is None else n for n in x.shape], x.dtype), network.input
    )

    def forward(inputs):
        return network(inputs, training=False)

    def step(inputs):
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(network(inputs, training=True))
            loss = sum(tf.reduce_mean(x) for x in outputs)
        optimizer.apply(tape.gradient(loss, variables), variables)

    if training:
        optimizer.build(variables)
    tf.function(step if training else forward).get_concrete_function(specs)


def show(results, factory):
    """Times, and of imports the median difference to the adjacent runs of the first."""
    first = results.get("keras")
    for times, _ in results.values():
        more = first and f"{tables.median([a - b for a, b in zip(times, first[0])]):+.2f}"
        yield f"{min(times):.2f}", f"{tables.median(times):.2f}", more or ""


if __name__ == "__main__":
    side_by_side.main(__file__)
