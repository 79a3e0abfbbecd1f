"""Training, resuming and evaluation of SelectionGAN on pairs of views."""

import functools

import keras
import numpy as np
from cross_view_data import painted
from resuming import train

from keras_attention import metrics, models, training

RATE = 2e-4
ADVERSARIAL = {"first_image": 1.0, "image": 4.0}
SHOWN = {
    "pixel_loss": "pixels {:.1f}",
    "adversarial_loss": "adversarial {:.2f}",
    "discriminator_loss": "discriminator {:.2f}",
}
MEASURES = {
    "SSIM": metrics.StructuralSimilarity,
    "PSNR": metrics.PeakSignalToNoiseRatio,
    "SD": metrics.SharpnessDifference,
}


def prepared(views, rows, flipped=False):
    """Some of the views in the format of `SelectionGANObjective`: float32 between -1 and 1.

    Map and view are flipped together: left in the map is left in the view.
    """
    chosen = {name: views[name][rows] for name in ("source", "image", "semantics")}
    chosen["semantics"] = painted(chosen["semantics"])
    flipped = np.broadcast_to(flipped, len(rows))[:, None, None, None]
    return {name: np.where(flipped, x[:, :, ::-1], x).astype("float32") / 127.5 - 1 for name, x in chosen.items()}


def batches(views, batch_size, seed, first=0):
    """Endless batches from batch `first` on; batch k does not depend on `first`.

    The views are shuffled in each epoch, and flipped at random.
    """
    per_epoch = len(views["image"]) // batch_size
    number = first
    while True:
        order = np.random.default_rng((seed, number // per_epoch)).permutation(len(views["image"]))
        rows = order[number % per_epoch * batch_size :][:batch_size]
        flipped = np.random.default_rng((seed, number // per_epoch, number)).random(batch_size) < 0.5
        batch = prepared(views, rows, flipped)
        yield {name: batch[name] for name in ("source", "semantics")}, batch["image"]
        number += 1


def build(size, ablation, options, seed):
    """Builds the compiled `AdversarialModel` of a step of the ablation.

    Adam as in the published code, with linear decay of the learning rate in the second half. Weights move by about the
    learning rate per update, and a narrow layer has fewer of them: the generator's rate is the published one for the
    published width, and grows as the width shrinks.

    Args:
        size: Rows and columns of the images.
        ablation: "A" to "H".
        options: `width`, `channels` and `discriminator`, numbers of channels; `steps`; `adversarial`, a factor of the
            published weights of the adversarial loss.
        seed: Int.
    """
    keras.utils.set_random_seed(seed)
    second = {"selection_channels": options.channels} if ablation in "FGH" else {}
    generator, discriminator = models.selection_gan(
        size, ablation, discriminator_width=options.discriminator, width=options.width, **second
    )
    objective = training.SelectionGANObjective(
        condition=generator.condition,
        adversarial_weights={name: options.adversarial * weight for name, weight in ADVERSARIAL.items()},
        total_variation=1e-6 if ablation in "GH" else 0.0,
    )
    model = training.AdversarialModel(generator, discriminator, objective, seed=seed)
    steps = options.steps
    schedules = (
        training.LinearDecay(rate, steps - steps // 2, max(1, steps // 2)) for rate in (RATE * 64 / options.width, RATE)
    )
    model.compile(
        *(keras.optimizers.Adam(schedule, beta_1=0.5, epsilon=1e-8) for schedule in schedules), jit_compile=False
    )
    return model


def learn(model, views, steps, batch_size, seed, folder, every=100, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    A checkpoint holds both networks, both optimizers, the RNG states and, in the count of updates, the position in the
    data.

    Returns:
        The number of updates done by earlier runs.
    """
    data = functools.partial(batches, views, batch_size, seed)
    return train(model, data, steps, folder, every, SHOWN, callbacks)


def painted_views(model, views, batch_size=25):
    """All outputs of the generator for these views, in inference mode: dict of arrays."""
    parts = []
    for first in range(0, len(views["image"]), batch_size):
        batch = prepared(views, np.arange(first, min(first + batch_size, len(views["image"]))))
        inputs = {name: batch[name] for name in model.generator.condition}
        parts.append(model.generator.predict_on_batch(inputs))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def stages(outputs, views):
    """{stage: {metric: mean}} of the generator's outputs for these views."""
    return {stage: measured(outputs[stage], views) for stage in ("first_image", "image") if stage in outputs}


def of_maps(outputs, views):
    """What attention and uncertainty of generated images tell.

    Returns:
        Dict: "candidates", the number of used ones, exp of the entropy of the mean attention; "spread", the standard
        deviation of the uncertainty over all pixels; "correlation", of the uncertainty with the absolute error.
    """
    mean = outputs["attention"].mean(axis=(0, 1, 2))
    truth = prepared(views, np.arange(len(views["image"])))["image"]
    error, doubt = np.abs(outputs["image"] - truth).mean(axis=-1), outputs["uncertainty"][..., 0]
    return {
        "candidates": float(np.exp(-np.sum(mean * np.log(mean + 1e-12)))),
        "spread": float(doubt.std()),
        "correlation": float(np.corrcoef(doubt.ravel(), error.ravel())[0, 1]),
    }


def mean_view(views, number):
    """The mean of these views `number` times, what a generator that ignores its input can generate at best."""
    mean = views["image"].mean(axis=0, dtype="float32") / 127.5 - 1
    return np.broadcast_to(mean, (number, *mean.shape))


def measured(images, views):
    """{metric: mean over the images} of generated images [N, SIZE, SIZE, 3] and the true ones."""
    truth = prepared(views, np.arange(len(views["image"])))["image"]
    found = {}
    for name, kind in MEASURES.items():
        metric = kind()
        for first in range(0, len(truth), 50):
            metric.update_state(truth[first : first + 50], images[first : first + 50])
        found[name] = float(metric.result())
    return found
