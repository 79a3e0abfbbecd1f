"""Argument checks of SAGAN's networks, one by one and together."""

import math

import keras

from keras_attention.layers import SelfAttention2D
from keras_attention.models.parts.arguments import (
    checked,
    keywords,
    one_of,
    optional_int,
    own_arguments,
    positive_number,
)
from keras_attention.models.parts.sagan import SMALLEST
from keras_attention.ops.require import is_int, is_number, require_bool, require_int

CONDITIONINGS = ("projection", "concatenation", "classifier", None)
CONCATENATE_AT = 16  # size of the feature map that the class embedding is concatenated to


def without(other, model, kwargs):
    """`kwargs` without the arguments that only the other network has."""
    alone = set(own_arguments(other)) - set(own_arguments(model))
    return {name: value for name, value in kwargs.items() if name not in alone}


def complete(model, values):
    """Checks and completes the arguments of a network."""
    arguments = checked(model, values, CHECKS)
    SelfAttention2D(**arguments["attention_kwargs"])  # raises for unknown or invalid arguments
    at = _attended_sizes(arguments)
    arguments["attention_at"] = at[0] if len(at) == 1 else at or None
    joined = arguments["num_classes"] and arguments.get("conditioning") == "concatenation"
    if joined and arguments["image_size"] < 2 * CONCATENATE_AT:
        raise ValueError(
            f'`conditioning="concatenation"` needs images of at least {2 * CONCATENATE_AT} pixels: the class '
            f"embedding is concatenated to a map of {CONCATENATE_AT} x {CONCATENATE_AT}. "
            f"Received: image_size={arguments['image_size']}"
        )
    return arguments


def _two_rates(values, name):
    """`values` as a tuple; raises unless they are two rates."""
    pair = isinstance(values, list | tuple) and len(values) == 2
    if not pair or not all(is_number(value) and 0 <= value < 1 for value in values):
        raise ValueError(f"`{name}` must be two floats in [0, 1). Received: {name}={values!r}")
    return tuple(map(float, values))


def _attended_sizes(arguments):
    """Checks `image_size` and `attention_at`, and returns the latter as a tuple."""
    image_size, at = arguments["image_size"], arguments["attention_at"]
    if image_size < 2 * SMALLEST or image_size & (image_size - 1):
        raise ValueError(
            f"`image_size` must be a power of 2 of at least {2 * SMALLEST}, to be halved down to {SMALLEST}. "
            f"Received: image_size={image_size}"
        )
    at = () if at is None else tuple(at) if isinstance(at, (list, tuple)) else (at,)
    possible = tuple(2**i for i in range(3, int(math.log2(image_size))))
    if not all(is_int(size) and size in possible for size in at):
        raise ValueError(
            f"`attention_at` must be a size of feature maps that both networks have, one of {possible} with "
            f"image_size={image_size}, a tuple of them, or `None`. Received: attention_at={arguments['attention_at']!r}"
        )
    return tuple(int(size) for size in at)


CHECKS = {
    **dict.fromkeys(("image_size", "channels", "noise_dim", "output_channels", "input_channels"), require_int),
    "num_classes": optional_int,
    "attention_at": lambda value, name: value,  # checked together with `image_size`
    "attention_kwargs": keywords,
    **dict.fromkeys(("spectral_normalization", "synchronized"), require_bool),
    **dict.fromkeys(("kernel_gain", "norm_epsilon"), positive_number),
    "norm_momentum": _two_rates,
    "conditioning": one_of(CONDITIONINGS),
    "hidden_width": one_of(("out", "in")),
}


def keep(model, arguments, dtype):
    """Sets the dtype policy of a model, and its arguments as attributes.

    Only after `super().__init__`: on PyTorch a model takes no attributes before.
    """
    if dtype is not None:
        model.dtype_policy = keras.dtype_policies.get(dtype)
    model._arguments = arguments
    for name, value in arguments.items():
        setattr(model, name, value)
