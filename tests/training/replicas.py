"""Trains models on one device and on several replicas: `python -m tests.training.replicas COUNT PARTS FOLDER`.

Prints what `test_replicas.py` compares, as JSON. A process of its own, as TensorFlow counts its devices once.
"""

import contextlib
import json
import pathlib
import sys
from unittest import mock

import keras
import numpy as np

from keras_attention import layers, models, training

rng = np.random.default_rng(0)
SGD, L2 = keras.optimizers.SGD, {"kernel_regularizer": keras.regularizers.L2(0.1)}


def data(*shape):
    return rng.uniform(-1, 1, (8, *shape)).astype("float32")


TOKENS = rng.integers(1, 11, (8, 6)).astype("int32")
TOKENS[np.arange(6) >= np.array([6, 6, 5, 6, 1, 2, 1, 1])[:, None]] = 0  # unequal padding of the halves
LABELS = rng.integers(0, 3, 8)
SENTENCES, PICTURES = {"source": TOKENS, "target": TOKENS}, data(9, 8, 3)
VIEWS = {"source": data(6, 5, 3), "semantics": data(6, 5, 3), "image": data(6, 5, 3)}
LABELLED = {"image": data(16, 16, 3), "noise": data(5), "label": LABELS}


class GivenNoise(training.NoiseToImage):
    def batch(self, x, y):
        return dict(x)

    def generator_inputs(self, batch, seed):
        return {name: batch[name] for name in ("noise", "label") if name in batch}


def noise_gan(optimizer=SGD):
    noise, image = keras.Input((3,), name="noise"), keras.Input((5,), name="image")
    networks = keras.Model({"noise": noise}, keras.layers.Dense(5, **L2)(noise))
    networks = networks, keras.Model({"image": image}, keras.layers.Dense(1, **L2)(image))
    model = training.AdversarialModel(*networks, GivenNoise(3, loss="bce"), average_decay=0.9, seed=5)
    model.compile(optimizer(0.1), optimizer(0.4))
    return model


def image_gan():
    names = ("source", "semantics", "image", "source")
    source, semantics, image, real = (keras.Input((6, 5, 3), name=name) for name in names)
    x, pair = keras.ops.concatenate([source, semantics], -1), keras.ops.concatenate([image, real], -1)
    channels = {"first_image": (3, "tanh"), "image": (3, "tanh"), "uncertainty": (1, "sigmoid")}
    outputs = {n: keras.layers.Conv2D(c, 3, padding="same", activation=a)(x) for n, (c, a) in channels.items()}
    generator = keras.Model({"source": source, "semantics": semantics}, outputs)
    discriminator = keras.Model({"image": image, "source": real}, {"logits": keras.layers.Conv2D(1, 3)(pair)})
    model = training.AdversarialModel(generator, discriminator, training.SelectionGANObjective(total_variation=1e-3))
    model.compile(SGD(1e-3), SGD(1e-2))
    return model


def sagan():
    sizes = {"image_size": 16, "num_classes": 3, "channels": 2, "attention_at": 8, "noise_dim": 5}
    networks = models.sagan(**sizes, synchronized=True, norm_momentum=(0.5, 0.6))
    model = training.AdversarialModel(*networks, GivenNoise(5, num_classes=3, loss="hinge"), average_decay=0.9)
    model.compile(SGD(1e-2), SGD(1e-2))
    return model


def glimpses():
    model = models.recurrent_attention(num_classes=3, units=7, glimpse_units=6, location_units=5, num_glimpses=2)
    model.parts.action.kernel.regularizer = keras.regularizers.L2(0.1)
    model.compile(SGD(0.05), training.HybridLoss())
    return model


def transformer():
    model = models.transformer(11, num_layers=1, model_dim=8, num_heads=2, intermediate_dim=12, dropout=0.0)
    model.compile(SGD(0.1), training.LabelSmoothedCrossEntropy(), metrics=[training.TokenAccuracy()])
    return model


def rnn_search():
    model = models.rnn_search(11, 13, embedding_dim=5, units=6, attention_units=7, maxout_units=3)
    model.compile(SGD(0.5), training.LabelSmoothedCrossEntropy())
    return model


def resnet(synchronized=False):
    gate = {"attention": "cbam", "attention_kwargs": {"variant": "reference"}}
    model = models.AttentionResNet((1,), False, **gate, num_classes=3, width=4, stem="3x3", synchronized=synchronized)
    model.get_layer("stage1_block1_attention").spatial.norm.gamma.assign([0.7])
    model.compile(SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def synchronized_resnet():
    return resnet(synchronized=True)


CASES = {
    "noise_gan": (noise_gan, {"image": data(5), "noise": data(3)}, None),
    "image_gan": (image_gan, VIEWS, None),
    "sagan": (sagan, LABELLED, None),
    "glimpses": (glimpses, data(28, 28, 1), LABELS),
    "transformer": (transformer, SENTENCES, TOKENS),
    "rnn_search": (rnn_search, SENTENCES, TOKENS),
    "resnet": (resnet, PICTURES, LABELS),
    "synchronized_resnet": (synchronized_resnet, PICTURES, LABELS),
}


def constant_noise(shape, seed):
    return keras.ops.full(shape, 0.3)


def trained(strategy, case, steps=3):
    make, x, y = CASES[case]
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = make()
    noise = np.random.default_rng(1)
    for weight in model.trainable_variables:
        weight.assign(weight + 0.1 * noise.standard_normal(weight.shape))
    places = (("location_policy", "normal"), ("first_location", "uniform"))
    with contextlib.ExitStack() as stack:
        for module, name in places:
            stack.enter_context(mock.patch(f"keras_attention.layers.{module}.{name}", constant_noise))
        history = model.fit(x, y, batch_size=8, epochs=steps, shuffle=False, verbose=0).history
    return {"weights": named(model), "apart": apart(model), "history": history}


def named(model):
    return {f"{i} {w.name}": np.ravel(w).tolist() for i, w in enumerate(model.weights)}


def apart(model):
    """Names of the variables whose values are not the same on all replicas."""
    found = []
    for variable in [*model.variables, *model.optimizer.variables]:
        first, *others = copies(variable)
        if any((first != other).any() for other in others):
            found.append(variable.path)
    return found


def copies(variable):
    return [np.asarray(value) for value in getattr(variable.value, "values", [variable.value])]


def random_parts():
    """By name: functions of samples [B, 9, 11] whose outputs [B, ...] depend on random numbers."""
    random = {"dropout": 0.5, "seed": 3}
    noise, seeds = training.NoiseToImage(4), keras.random.SeedGenerator(3)
    ram = models.recurrent_attention(size=3, num_glimpses=1, seed=3)
    heads, one_head = layers.MultiHeadAttention(3, 5, **random), layers.ScaledDotProductAttention(**random)
    local = layers.LocalAttention1D(2, 5, query_block=2, memory_block=3, **random)
    for layer in (heads, one_head, local):
        layer(np.ones((1, 9, 11), "float32"), *([] if layer is local else [np.ones((1, 9, 11), "float32")]))
    return {
        "noise": lambda x: noise.generator_inputs({"image": x}, seeds)["noise"],
        "glimpses": lambda x: ram(keras.ops.expand_dims(x, -1), training=True)["locations"],
        "heads": lambda x: heads(x, x, training=True),
        "one_head": lambda x: one_head(x, x, training=True),
        "local": lambda x: local(x, training=True),
    }


def distinct(strategy, count):
    """Of 8 equal samples: how many different outputs each random part has."""
    import tensorflow as tf

    with strategy.scope():
        parts = random_parts()
    x = np.repeat(rng.standard_normal((1, 9, 11)), 8 // count, axis=0).astype("float32")

    def different(part):
        outputs = tf.function(lambda: strategy.run(part, (tf.constant(x),)), autograph=False)()
        rows = np.concatenate([np.asarray(y) for y in strategy.experimental_local_results(outputs)])
        return len(np.unique(np.reshape(rows, (8, -1)), axis=0))

    return {name: different(part) for name, part in parts.items()}


def resumed(before, after, folder):
    """After three updates: without an interruption, and continued after two from each kind of file, on `after`."""

    def model(strategy):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            return noise_gan(keras.optimizers.Adam)

    def fit(model, epochs, *callbacks, start=0):
        _, x, y = CASES["noise_gan"]
        options = {"batch_size": 8, "shuffle": False, "verbose": 0}
        model.fit(x, y, epochs=epochs, initial_epoch=start, callbacks=list(callbacks), **options)
        state = [*model.variables, *model.optimizer.variables]
        return [np.ravel(v).tolist() for v in state if "mean" not in v.path.split("/")[0]]

    kept = training.KeepLastCheckpoints(folder / "kept")
    backup = {"backup_dir": folder / "backup", "delete_checkpoint": False}
    straight, interrupted = model(before), model(before)
    expected = fit(straight, 3)
    fit(interrupted, 2, kept, keras.callbacks.BackupAndRestore(**backup))
    interrupted.save(folder / "model.keras")
    with after.scope():
        loaded = keras.models.load_model(folder / "model.keras", custom_objects={"GivenNoise": GivenNoise})
    again = model(after)
    again.load_weights(kept.paths[-1])
    found = {"save": fit(loaded, 3, start=2), "KeepLastCheckpoints": fit(again, 3, start=2)}
    found["BackupAndRestore"] = fit(model(after), 3, keras.callbacks.BackupAndRestore(**backup))
    return {"expected": expected, **found}


def main(count, parts, folder):
    import tensorflow as tf

    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    one = tf.distribute.get_strategy()
    several = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])
    found = {part: [trained(one, part), trained(several, part)] for part in parts if part in CASES}
    if "distinct" in parts:
        found["distinct"] = [distinct(one, 1), distinct(several, count)]
    if "resumed" in parts:
        found["fewer"] = resumed(several, one, folder / "fewer")
        found["more"] = resumed(one, several, folder / "more")
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2].split(","), pathlib.Path(sys.argv[3]))
