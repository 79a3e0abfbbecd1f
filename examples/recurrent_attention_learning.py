"""Training, resuming and evaluation of recurrent visual attention."""

import functools

import cluttered_digits
import convolutions
import keras
import numpy as np
from resuming import train

from keras_attention import analyze, models, training

# The glimpses of the paper: their size, their scales, and their number.
GLIMPSES = {
    "centred": {"size": 8, "scales": 1, "num_glimpses": 6},
    "translated": {"size": 12, "scales": 3, "num_glimpses": 8},
    "cluttered": {"size": 12, "scales": 3, "num_glimpses": 8},
    "cluttered-100": {"size": 12, "scales": 4, "num_glimpses": 8},
}
# Weights of REINFORCE: with clutter most predictions are wrong at first, and its gradient is mostly noise.
WEIGHTS = {"centred": 1.0, "translated": 0.1, "cluttered": 0.1, "cluttered-100": 0.1}
EXAMINED = (0, 0, 0, 1)  # seed of the canvases of the test images; those of training are shorter
# What REINFORCE trains: the policy and the core, the policy alone, or nothing (gradients pass through the locations).
TAUGHT = {"core": {"detach": False}, "policy": {"detach": True}, "none": {"soft": True, "detach": True}}


def build(task, seed, taught="core", **arguments):
    """Builds a recurrent attention model with initial weights; `taught` is a name of `TAUGHT`."""
    keras.utils.set_random_seed(seed)
    return models.recurrent_attention(**{**GLIMPSES[task], **TAUGHT[taught], "seed": seed, **arguments})


def baseline(name, task, seed, **arguments):
    """Builds a convolutional network of the cost of the glimpses of this task, or the paper's."""
    side, _ = cluttered_digits.TASKS[task]
    if name == "convolutions, published":
        return convolutions.published(side, seed)
    return convolutions.of_cost(cost(build(task, seed, **arguments), task), side, seed)


def cost(model, task):
    """Multiply-adds of the model for an image of the task."""
    side, _ = cluttered_digits.TASKS[task]
    return analyze.complexity(model, (1, side, side, 1)).multiply_adds


def loss_of(model, weight=1.0):
    """The hybrid loss with this weight of REINFORCE; cross-entropy for a network without locations."""
    if not looks(model):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return training.HybridLoss(reinforce_weight=0.0 if model.soft else weight)


def batches(task, images, labels, batch_size, seed, first=0):
    """Endless batches from batch `first` on; batch k does not depend on `first`."""
    per_epoch, number = len(images) // batch_size, first
    while True:
        order = np.random.default_rng((seed, number // per_epoch)).permutation(len(images))
        rows = order[number % per_epoch * batch_size :][:batch_size]
        rng = np.random.default_rng((seed, number // per_epoch, number))
        yield cluttered_digits.canvases(task, images[rows], rng, images), labels[rows]
        number += 1


def learn(model, task, images, labels, steps, batch_size, seed, folder, weight=1.0, rate=1e-3, every=500, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    A checkpoint holds the weights, the optimizer, the RNG states and, in its count of updates, the position in the
    data.

    Returns:
        The number of updates done by earlier runs.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=5.0)
    # XLA halves the time of soft glimpses and saves up to a quarter of that of others; convolutions it makes slower.
    # PyTorch's compiler would take a minute before the first update.
    compiled = looks(model) and keras.backend.backend() != "torch"
    model.compile(optimizer, loss_of(model, weight), metrics=["accuracy"], jit_compile=compiled)
    data = functools.partial(batches, task, images, labels, batch_size, seed)
    shown = {"loss": "loss {:.3f}", "accuracy": "accuracy {:.1%}"}
    return train(model, data, steps, folder, every, shown, callbacks)


def examined(task, images, sources):
    """The test images, the same for the same `sources`, the training digits that their clutter is cropped from."""
    return cluttered_digits.canvases(task, images, np.random.default_rng(EXAMINED), sources)


def looks(model):
    """Whether the model sees glimpses, not the whole image."""
    return isinstance(model, models.RecurrentAttention)


def answers(model, pictures, draws=0, batch_size=500):
    """Predicted classes and locations: with mean locations, or with probabilities averaged over `draws` sampled paths.

    Returns:
        int [N]; float32 [N, T, 2], or `None` for a model without glimpses.
    """
    classes, locations = [], []
    for start in range(0, len(pictures), batch_size):
        part = pictures[start : start + batch_size]
        outputs = model.predict_on_batch(part)
        if not looks(model):
            outputs = {"logits": outputs, "locations": None}
        logits = outputs["logits"]
        if draws:
            logits = keras.ops.convert_to_numpy(model.mean_probabilities(part, draws))
        classes.append(np.argmax(logits, -1))
        locations.append(outputs["locations"])
    return np.concatenate(classes), np.concatenate(locations) if looks(model) else None
