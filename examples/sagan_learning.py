"""Training, resuming and evaluation of a small SAGAN and its baselines."""

import keras
import numpy as np
from resuming import train
from sagan_data import SIZE

from keras_attention import metrics, models, training

CLASSES, NOISE = 10, 64
RATES = {"generator": 1e-4, "discriminator": 4e-4}  # the paper's
MOMENTUM = (0.9, 0.9)  # of moving statistics; the published 0.9999 is too slow for few updates
DECAY = 0.999
MEASURES = {"FID": 2, "intra-FID": 2, "KID": 4, "IS": 2}  # and their digits after the point
SHOWN = {"discriminator_loss": "D {:.2f}", "generator_loss": "G {:.2f}"}


def batches(draw, images, labels, batch_size, seed, first=0):
    """Endless batches from batch `first` on; batch k does not depend on `first`.

    The images are shuffled in each epoch; an incomplete batch at its end is dropped. `draw` is that of a task of
    `sagan_data`.
    """
    per_epoch = len(images) // batch_size
    number = first
    while True:
        order = np.random.default_rng((seed, number // per_epoch)).permutation(len(images))
        rows = order[number % per_epoch * batch_size :][:batch_size]
        yield draw(images[rows], np.random.default_rng((seed, 1, number))), labels[rows].astype("int32")
        number += 1


def build(system, channels, attention_at, seed):
    """Builds the generator and the discriminator of a system, as one model to train.

    Args:
        system: Dict of arguments of `models.sagan`.
        channels, attention_at: As of `models.sagan`; systems without attention ignore the second.
        seed: Int.
    """
    keras.utils.set_random_seed(seed)
    given = {"image_size": SIZE, "num_classes": CLASSES, "channels": channels, "attention_at": attention_at}
    given |= system | {"generator": {"noise_dim": NOISE, "norm_momentum": MOMENTUM}}
    if "baseline" in given:
        del given["attention_at"]  # they have none
    generator, discriminator = models.sagan(**given)
    weight = 1.0 if "classes" in discriminator.output_names else None
    objective = training.NoiseToImage(NOISE, CLASSES, classifier_weight=weight)
    return training.AdversarialModel(generator, discriminator, objective, average_decay=DECAY, seed=seed)


def learn(model, data, steps, folder, every, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    A checkpoint holds both networks, the average, both optimizers, the vectors of spectral normalization, the RNG
    states and, in its count of updates, the position in the data. `data(first)` returns batches.

    Returns:
        The number of updates done by earlier runs.
    """
    return train(compiled(model), data, steps, folder, every, SHOWN, callbacks)


def compiled(model, rates=RATES):
    """The model with the paper's optimizers: Adam without momentum, with a learning rate for each network."""
    optimizers = (keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in rates.values())
    # On TensorFlow's CPU an update takes 1.6 times as long with XLA.
    model.compile(*optimizers, jit_compile=keras.backend.backend() == "jax")
    return model


def examiner(features, real, labels, seed=0, others=None):
    """A function that measures FID, intra-FID, KID, IS and others of the images of a model's average.

    Args:
        features: Function of images [B, Y, X, 3] from -1 to 1, which returns {"texture", "features", "probabilities"}
            of them, such as that of `offline_features`: FID and intra-FID use the first, of few dimensions, KID the
            second, IS the third.
        real: Features of the held-out images, [N, D] each; N images are generated.
        labels: int [N], the classes of the held-out images.
        seed: Int, seed of the noise, which is the same each time.
        others: {name: function of images, which returns a number for each}, whose means are measured too.
    """
    found = {
        "FID": metrics.FrechetDistance(extractor=None),
        "intra-FID": metrics.IntraClassFrechetDistance(CLASSES, extractor=None),
        "KID": metrics.KernelDistance(extractor=None, subsets=50, subset_size=min(500, len(labels))),
        "IS": metrics.InceptionScore(extractor=None),
    }
    found["FID"].update_real(real["texture"])
    found["intra-FID"].update_real(real["texture"], labels)
    found["KID"].update_real(real["features"])
    inputs = noise(len(labels), seed)

    def examine(model):
        for name in ("FID", "intra-FID", "KID"):
            found[name].reset_generated()
        found["IS"].reset_state()
        numbers = {name: [] for name in others or {}}
        for part in parts(inputs, 250):
            images = model.average.predict(part, batch_size=250, verbose=0)
            of = features(images)
            found["FID"].update_generated(of["texture"])
            found["intra-FID"].update_generated(of["texture"], part["label"])
            found["KID"].update_generated(of["features"])
            found["IS"].update_state(of["probabilities"])
            for name, values in numbers.items():
                values.extend(others[name](images))
        results = {name: float(metric.result()) for name, metric in found.items()}
        return results | {name: float(np.mean(values)) for name, values in numbers.items()}

    return examine


def generated_by(model, count, seed):
    """Images of the model's average, and their classes."""
    inputs = noise(count, seed)
    return model.average.predict(inputs, batch_size=250, verbose=0), inputs["label"]


def noise(count, seed):
    """Random noise, and all classes in turn, for `count` images."""
    normal = np.random.default_rng(seed).standard_normal((count, NOISE)).astype("float32")
    return {"noise": normal, "label": (np.arange(count) % CLASSES).astype("int32")}


def parts(inputs, size):
    count = len(next(iter(inputs.values())))
    return [{name: x[i : i + size] for name, x in inputs.items()} for i in range(0, count, size)]
