"""Exponential moving average of a network's weights, kept in a copy of the network."""

import keras
from keras import ops


def untrained_copy(network):
    """Copy of a network with the same weights, not trainable, named "<name>_average"."""
    if type(network).__module__.partition(".")[0] == "keras":
        copy = keras.models.clone_model(network)
    else:
        copy = type(network).from_config(network.get_config())
    copy.name = f"{network.name}_average"  # to tell them apart in `summary()`; files do not depend on it
    copy.set_weights(network.get_weights())
    copy.trainable = False
    return copy


def update_average(average, network, updates, limit):
    """average = d average + (1 - d) network, with d = min(limit, (1 + t) / (10 + t)) after t updates.

    Non-trainable weights (moving statistics, spectral vectors) are copied.
    """
    t = ops.cast(updates, "float32")
    decay = ops.minimum(limit, (1.0 + t) / (10.0 + t))
    trained = {id(v) for v in network.trainable_variables}
    for mean, new in zip(average.weights, network.weights, strict=True):
        if id(new) in trained:
            mean.assign(mean + ops.cast(1.0 - decay, mean.dtype) * (new - mean))
        else:
            mean.assign(new)
