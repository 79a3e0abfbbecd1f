"""Small generators and discriminators, in place of SAGAN's."""

import keras
import numpy as np

from keras_attention import training
from keras_attention.layers import SpectralNormalization

Z, K, C = 3, 4, 5  # noise, classes, numbers in an "image"


def generator(classes=True, dropout=0.2):
    """With every kind of state: moving statistics, spectral vectors and the RNG state of dropout."""
    inputs = {"noise": keras.Input((Z,), name="noise")}
    x = SpectralNormalization(keras.layers.Dense(7))(inputs["noise"])
    if classes:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
        x = keras.layers.Concatenate()([x, keras.layers.Embedding(K, 2)(inputs["label"])])
    x = keras.layers.LeakyReLU(0.2)(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(C)(keras.layers.Dropout(dropout)(x)))


def discriminator(classes=True, head=False):
    inputs = {"image": keras.Input((C,), name="image")}
    x = keras.layers.LeakyReLU(0.2)(SpectralNormalization(keras.layers.Dense(6))(inputs["image"]))
    if classes:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
        x = keras.layers.Concatenate()([x, SpectralNormalization(keras.layers.Embedding(K, 2))(inputs["label"])])
    outputs = {"logits": SpectralNormalization(keras.layers.Dense(1))(x)}
    if head:
        outputs["classes"] = keras.layers.Dense(K)(x)
    return keras.Model(inputs, outputs)


def plain():
    """A generator and a discriminator of one layer and an embedding of the class each, whose steps are fast."""
    noise, image = keras.Input((Z,), name="noise"), keras.Input((C,), name="image")
    labels = [keras.Input((), dtype="int32", name="label") for _ in range(2)]
    generated = keras.layers.Dense(C)(noise) + keras.layers.Embedding(K, C)(labels[0])
    features = keras.layers.Dense(2)(image) + keras.layers.Embedding(K, 2)(labels[1])
    return (
        keras.Model({"noise": noise, "label": labels[0]}, generated),
        keras.Model({"image": image, "label": labels[1]}, keras.layers.Dense(1)(features)),
    )


def model(classes=True, head=False, seed=0, compiled=True, rates=(1e-2, 4e-2), objective=None, networks=None, **kwargs):
    """An `AdversarialModel` with random weights.

    networks: Function that returns a generator and a discriminator; by default, those with every kind of state.
    """
    keras.utils.set_random_seed(seed)
    objective = {"classifier_weight": 0.5 if head else None, "value_range": None, **(objective or {})}
    options = {key: kwargs.pop(key) for key in ("jit_compile", "run_eagerly") if key in kwargs}
    gan = training.AdversarialModel(
        *(networks() if networks else (generator(classes), discriminator(classes, head))),
        training.NoiseToImage(Z, K if classes else None, **objective),
        seed=seed,
        **kwargs,
    )
    rng = np.random.default_rng(seed)
    for weight in (*gan.generator.trainable_weights, *gan.discriminator.trainable_weights):
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    if gan.average is not None:
        gan.average.set_weights(gan.generator.get_weights())
    if compiled:
        gan.compile(*(keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in rates), **options)
    return gan


def data(count=22, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, count).astype("int32")
    return (rng.normal(size=(count, C)) + labels[:, None]).astype("float32"), labels


def snapshot(variables):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
