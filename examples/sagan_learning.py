"""Training, resuming and evaluation of a small SAGAN and its baselines."""

import sys

import keras
import numpy as np
from runs import record
from sagan_data import SIZE

from keras_attention import metrics, models, training

CLASSES, NOISE = 10, 64
RATES = {"generator": 1e-4, "discriminator": 4e-4}  # the paper's
MOMENTUM = (0.9, 0.9)  # of moving statistics; the published 0.9999 is too slow for few updates
DECAY = 0.999
MEASURES = {"FID": 2, "intra-FID": 2, "KID": 4, "IS": 2}  # and their digits after the point


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

    A Keras epoch is `every` updates here; at its end a checkpoint is saved: both networks, the average, both
    optimizers, the RNG states and, in the count of updates, the position in the data. `data(first)` returns batches.

    Returns:
        The number of updates done by earlier runs.
    """
    optimizers = (keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in RATES.values())
    # On TensorFlow's CPU an update takes 1.6 times as long with XLA.
    model.compile(*optimizers, jit_compile=keras.backend.backend() == "jax")
    checkpoints = training.KeepLastCheckpoints(folder, keep=2)
    if checkpoints.paths:
        model.load_weights(checkpoints.paths[-1])
    done = int(model.optimizer.iterations)
    if done < steps:
        model.fit(
            data(first=done),
            initial_epoch=done // every,
            epochs=steps // every,
            steps_per_epoch=every,
            shuffle=False,
            verbose=1 if sys.stderr.isatty() else 2,
            # The checkpoint comes last: if it exists, so do the results of its evaluation.
            callbacks=[training.StopOnNotFinite(checkpoints, every=20), *callbacks, checkpoints],
        )
    return done


class Examination(keras.callbacks.Callback):
    """Callback that measures FID, intra-FID, KID, IS and others of the average's images after each epoch.

    Args:
        features: Function of images [B, Y, X, 3] from -1 to 1, which returns {"texture", "features", "probabilities"}
            of them, such as that of `offline_features`: FID and intra-FID use the first, of few dimensions, KID the
            second, IS the third.
        real: Features of the held-out images, [N, D] each; N images are generated.
        labels: int [N], the classes of the held-out images.
        path: File of {update: {name: value}}; results of earlier parts of the run are kept.
        seed: Int, seed of the noise, which is the same each time.
        others: {name: function of images, which returns a number for each}, whose means are measured too.
    """

    def __init__(self, features, real, labels, path, seed=0, others=None):
        super().__init__()
        self.features, self.path, self.others = features, path, others or {}
        count = len(labels)
        self.frechet = metrics.FrechetDistance(extractor=None)
        self.of_classes = metrics.IntraClassFrechetDistance(CLASSES, extractor=None)
        self.kernel = metrics.KernelDistance(extractor=None, subsets=50, subset_size=min(500, count))
        self.score = metrics.InceptionScore(extractor=None)
        self.frechet.update_real(real["texture"])
        self.of_classes.update_real(real["texture"], labels)
        self.kernel.update_real(real["features"])
        self.inputs = noise(count, seed)

    def on_train_begin(self, logs=None):
        if not int(self.model.optimizer.iterations):
            self.examine(0)

    def on_epoch_end(self, epoch, logs=None):
        self.examine(int(self.model.optimizer.iterations), logs)

    def measures(self):
        return self.frechet, self.of_classes, self.kernel, self.score

    def examine(self, update, logs=None):
        """Generates images, measures them and saves the results."""
        model = self.model
        for metric in (self.frechet, self.of_classes, self.kernel):
            metric.reset_generated()
        self.score.reset_state()
        numbers = {name: [] for name in self.others}
        for part in parts(self.inputs, 250):
            images = model.average.predict(part, batch_size=250, verbose=0)
            found = self.features(images)
            self.frechet.update_generated(found["texture"])
            self.of_classes.update_generated(found["texture"], part["label"])
            self.kernel.update_generated(found["features"])
            self.score.update_state(found["probabilities"])
            for name, measure in self.others.items():
                numbers[name].extend(measure(images))
        results = {name: float(metric.result()) for name, metric in zip(MEASURES, self.measures())}
        results |= {name: float(np.mean(values)) for name, values in numbers.items()}
        values = ", ".join(f"{name} {value:.{MEASURES.get(name, 2)}f}" for name, value in results.items())
        results |= {name: float(value) for name, value in (logs or {}).items()}
        print(f"    after update {update}: {values}", flush=True)
        record(self.path, update, results)


def noise(count, seed):
    """Random noise, and all classes in turn, for `count` images."""
    normal = np.random.default_rng(seed).standard_normal((count, NOISE)).astype("float32")
    return {"noise": normal, "label": (np.arange(count) % CLASSES).astype("int32")}


def parts(inputs, size):
    count = len(next(iter(inputs.values())))
    return [{name: x[i : i + size] for name, x in inputs.items()} for i in range(0, count, size)]
