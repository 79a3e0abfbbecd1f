"""Steps on several replicas are those of one device with the whole batch."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.backend import BACKEND

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="`tf.distribute` needs TensorFlow")
SCRIPT = """
import json, sys

import keras
import numpy as np
import tensorflow as tf

from keras_attention import models, training

count = int(sys.argv[1])
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
devices = [f"CPU:{i}" for i in range(count)]
strategy = tf.distribute.MirroredStrategy(devices) if count > 1 else tf.distribute.get_strategy()
rng = np.random.default_rng(0)
sgd, l2 = keras.optimizers.SGD, {"kernel_regularizer": keras.regularizers.L2(0.1)}


class GivenNoise(training.NoiseToImage):
    def batch(self, x, y):
        return dict(x)

    def generator_inputs(self, batch, seed):
        return {"noise": batch["noise"]}


class Nothing(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return 0.0 * keras.ops.sum(y_pred["logits"])


def trained(make, x, y=None, steps=3):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = make()
    history = model.fit(x, y, batch_size=8, epochs=steps, shuffle=False, verbose=0).history
    weights = [float(np.sum(np.square(w))) for w in model.get_weights()]
    return {"weights": weights, "history": {key: values for key, values in history.items()}}


def noise_gan():
    noise, image = keras.Input((3,), name="noise"), keras.Input((5,), name="image")
    networks = keras.Model({"noise": noise}, keras.layers.Dense(5, **l2)(noise))
    networks = networks, keras.Model({"image": image}, keras.layers.Dense(1, **l2)(image))
    model = training.AdversarialModel(*networks, GivenNoise(3, loss="bce"), average_decay=0.9)
    model.compile(sgd(0.1), sgd(0.4))
    return model


def image_gan():
    names = ("source", "semantics", "image", "source")
    source, semantics, image, real = (keras.Input((6, 5, 3), name=name) for name in names)
    x, pair = keras.ops.concatenate([source, semantics], -1), keras.ops.concatenate([image, real], -1)
    channels = {"first_image": (3, "tanh"), "image": (3, "tanh"), "uncertainty": (1, "sigmoid")}
    outputs = {n: keras.layers.Conv2D(c, 3, padding="same", activation=a)(x) for n, (c, a) in channels.items()}
    generator = keras.Model({"source": source, "semantics": semantics}, outputs)
    discriminator = keras.Model({"image": image, "source": real}, {"logits": keras.layers.Conv2D(1, 3)(pair)})
    model = training.AdversarialModel(
        generator, discriminator, training.SelectionGANObjective(total_variation=1e-3)
    )
    model.compile(sgd(1e-3), sgd(1e-2))
    return model


def glimpses():
    model = models.recurrent_attention(units=7, glimpse_units=6, location_units=5, num_glimpses=2)
    model.parts.action.kernel.regularizer = keras.regularizers.L2(0.1)
    model.compile(sgd(0.5), Nothing())
    return model


def transformer():
    model = models.transformer(11, num_layers=1, model_dim=8, num_heads=2, intermediate_dim=12, dropout=0.0)
    model.compile(sgd(0.1), training.LabelSmoothedCrossEntropy(), metrics=[training.TokenAccuracy()])
    return model


def data(*shape):
    return rng.uniform(-1, 1, (8, *shape)).astype("float32")


tokens = rng.integers(1, 11, (8, 6)).astype("int32")
tokens[np.arange(6) >= np.array([6, 6, 5, 6, 1, 2, 1, 1])[:, None]] = 0  # unequal padding of the halves
images = {"source": data(6, 5, 3), "semantics": data(6, 5, 3), "image": data(6, 5, 3)}
print(json.dumps({
    "noise_gan": trained(noise_gan, {"image": data(5), "noise": data(3)}),
    "image_gan": trained(image_gan, images),
    "glimpses": trained(glimpses, data(28, 28, 1), rng.integers(0, 10, 8)),
    "transformer": trained(transformer, {"source": tokens, "target": tokens}, tokens),
}))
"""


def run(count):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", SCRIPT, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def one():
    return run(1)


@pytest.mark.parametrize("count", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_steps_are_those_of_one_device(count, one):
    several = run(count)
    for name, expected in one.items():
        np.testing.assert_allclose(several[name]["weights"], expected["weights"], rtol=2e-5, err_msg=name)
        for key, values in expected["history"].items():
            np.testing.assert_allclose(several[name]["history"][key], values, rtol=2e-5, err_msg=f"{name} {key}")
