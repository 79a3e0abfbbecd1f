"""How a small SAGAN learns to make clothes, goes on after an interruption, and is examined on the way."""

import json
import sys

import keras
import numpy as np

from keras_attention import metrics, models, training

CLASSES, SIZE, NOISE = 10, 32, 64
RATES = {"generator": 1e-4, "discriminator": 4e-4}  # the paper's
MOMENTUM = (0.9, 0.9)  # of moving statistics; the published 0.9999 remembers the first of few updates
DECAY = 0.999


def prepared(images):
    """uint8 [B, 28, 28] -> float32 [B, 32, 32, 3] from -1 to 1: a black border, and grey as three equal colours."""
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    return np.repeat(framed[..., None] / np.float32(127.5) - np.float32(1), 3, axis=-1)


def batches(images, labels, batch_size, seed, first=0):
    """Batches from batch number `first` on, without end; batch k is the same whatever the first one is.

    The pictures are shuffled anew in each round; what is left over at its end is left out.
    """
    a_round = len(images) // batch_size
    number = first
    while True:
        order = np.random.default_rng((seed, number // a_round)).permutation(len(images))
        rows = order[number % a_round * batch_size :][:batch_size]
        yield prepared(images[rows]), labels[rows].astype("int32")
        number += 1


def build(channels, attention_at, seed):
    """A generator and a discriminator with new weights, as one model to train."""
    keras.utils.set_random_seed(seed)
    generator, discriminator = models.sagan(
        image_size=SIZE,
        num_classes=CLASSES,
        channels=channels,
        attention_at=attention_at,
        generator={"noise_dim": NOISE, "norm_momentum": MOMENTUM},
    )
    game = training.NoiseToImage(NOISE, CLASSES)
    return training.AdversarialModel(generator, discriminator, game, average_decay=DECAY, seed=seed)


def learn(model, images, labels, steps, batch_size, seed, folder, every, callbacks=(), jit_compile="auto"):
    """Trains up to update number `steps`, going on from the last checkpoint in `folder` if there is one.

    An epoch of Keras is `every` updates here; at its end a checkpoint is written, which holds both networks, the
    average, both optimizers, the sources of chance and, in its count, the position in the data.

    Returns:
        The number of updates that had been done before.
    """
    model.compile(
        *(keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in RATES.values()), jit_compile=jit_compile
    )
    checkpoints = training.KeepLastCheckpoints(folder, keep=2)
    if checkpoints.paths:
        model.load_weights(checkpoints.paths[-1])
    done = int(model.optimizer.iterations)
    if done < steps:
        model.fit(
            batches(images, labels, batch_size, seed, first=done),
            initial_epoch=done // every,
            epochs=steps // every,
            steps_per_epoch=every,
            shuffle=False,
            verbose=1 if sys.stderr.isatty() else 2,
            # The checkpoint comes last: where it lies, the examination of its update is written down.
            callbacks=[training.StopOnNotFinite(checkpoints, every=20), *callbacks, checkpoints],
        )
    return done


class Examination(keras.callbacks.Callback):
    """Measures at the end of each epoch how far what the average makes is from held-out pictures.

    Args:
        features: Function of images [B, Y, X, 3] from -1 to 1, which returns {"texture", "features"} of them, such as
            that of `offline_features`: FID compares the first, few numbers each, and KID the second.
        real: The same of held-out pictures, [N, D] each; N images are made.
        path: File that keeps {update: {name: value}}; what an earlier part of the run has written stays in it.
        seed: Int, of the noise: the same each time.
    """

    def __init__(self, features, real, path, seed=0):
        super().__init__()
        self.features, self.path = features, path
        self.frechet = metrics.FrechetDistance(extractor=None)
        count = len(real["features"])
        self.kernel = metrics.KernelDistance(extractor=None, subsets=50, subset_size=min(500, count))
        self.frechet.update_real(real["texture"])
        self.kernel.update_real(real["features"])
        self.inputs = noise(count, seed)

    def on_train_begin(self, logs=None):
        if not int(self.model.optimizer.iterations):
            self.examine(0)

    def on_epoch_end(self, epoch, logs=None):
        self.examine(int(self.model.optimizer.iterations), logs)

    def examine(self, update, logs=None):
        """Makes the images, measures them and writes the figures down."""
        model = self.model
        for metric in (self.frechet, self.kernel):
            metric.reset_generated()
        for part in parts(self.inputs, 250):
            found = self.features(model.average.predict(part, batch_size=250, verbose=0))
            self.frechet.update_generated(found["texture"])
            self.kernel.update_generated(found["features"])
        figures = {"FID": float(self.frechet.result()), "KID": self.kernel.result()}
        figures |= {name: float(value) for name, value in (logs or {}).items()}
        print(f"    after update {update}: FID {figures['FID']:.2f}, KID {figures['KID']:.4f}", flush=True)
        table = {int(k): v for k, v in read(self.path).items() if int(k) < update} | {update: figures}
        beside = self.path.with_name(f".{self.path.name}")
        beside.write_text(json.dumps(table, indent=1))
        beside.replace(self.path)


def read(path):
    """What an `Examination` has written: {update: {name: value}}."""
    return {int(k): v for k, v in json.loads(path.read_text()).items()} if path.is_file() else {}


def noise(count, seed):
    """Noise and classes in turn, for `count` images."""
    drawn = np.random.default_rng(seed).standard_normal((count, NOISE)).astype("float32")
    return {"noise": drawn, "label": (np.arange(count) % CLASSES).astype("int32")}


def parts(inputs, size):
    count = len(next(iter(inputs.values())))
    return [{name: x[i : i + size] for name, x in inputs.items()} for i in range(0, count, size)]
