"""Batch normalization with the statistics of all replicas."""

import keras


def synchronize(model):
    """Makes every batch normalization in a model compute its statistics of the batches of all replicas together.

    Only on TensorFlow: a program of JAX sees the whole batch.
    """
    if keras.backend.backend() != "tensorflow":
        return
    for layer in model._flatten_layers(include_self=False):
        if hasattr(layer, "synchronized"):
            layer.synchronized = True
