"""Training that resumes from its last checkpoint."""

import itertools
import math

import keras
from examining import Examination
from progress import Progress
from runs import recorded

from keras_attention import training


def train(model, batches, steps, folder, every, shown, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    A checkpoint holds the weights, the optimizer and, in its count of updates, the position in the data; beside it are
    the RNG states: an interrupted run that resumes has the result of an uninterrupted one.

    Args:
        model: Compiled model.
        batches: Function of a number k that returns the endless data from batch k on.
        steps: Number of all updates.
        folder: Folder of the checkpoints.
        every: Updates between checkpoints; the last update is saved, too.
        shown: {name of a logged value: its format}, for the progress bar.
        callbacks: Further callbacks. They are called before a checkpoint is saved: where there is one, there are the
            results of its examination. Of those with an `every`, the losses are finite when they are due.

    Returns:
        The number of updates done by earlier runs.
    """
    checkpoints = training.KeepLastCheckpoints(folder, keep=1, every=every)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    states, draws = rng_states(model), folder / "rng.json"
    if checkpoints.paths:
        model.load_weights(checkpoints.paths[-1])
        saved = recorded(draws).get(int(model.optimizer.iterations))
        for state, value in zip(states, saved, strict=True) if saved else ():
            state.assign(value)
    done = int(model.optimizer.iterations)
    if done < steps:
        often = [callback.every for callback in callbacks if hasattr(callback, "every")]
        stop = training.StopOnNotFinite(checkpoints, every=math.gcd(20, *often))
        # The second one saves the last update, which may not be a multiple of `every`.
        last = training.KeepLastCheckpoints(folder, keep=1)
        bar = Progress(done, steps, shown)
        drawing = [Examination(draws_of, draws, every, steps)] if states else []
        watching = [stop, *callbacks, *drawing, checkpoints, last, bar]
        try:
            model.fit(batches(done), steps_per_epoch=steps - done, shuffle=False, verbose=0, callbacks=watching)
        finally:
            bar.close()
    return done


def draws_of(model):
    """The values of the RNG states of a model: Keras saves those of its dropout nowhere."""
    return [keras.ops.convert_to_numpy(state).tolist() for state in rng_states(model)]


def rng_states(model):
    """The variables of a model that are neither weights nor metrics."""
    others = {id(variable) for variable in [*model.weights, *model.metrics_variables]}
    return [variable for variable in model.variables if id(variable) not in others]


def generated(make, seed, first, signature):
    """An endless `tf.data.Dataset` of new batches from batch `first` on; batch k does not depend on `first`.

    Args:
        make: Function of a `numpy.random.Generator` that returns a batch.
        seed: Int.
        first: Int, number of skipped batches.
        signature: Tuple of `tf.TensorSpec`, of a batch.
    """
    import numpy as np
    import tensorflow as tf

    def generate():
        for number in itertools.count(first):
            yield make(np.random.default_rng((seed, number)))

    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)
