"""Argument checks of SelectionGAN's networks, one by one and together."""

from keras_attention.layers import MultiScaleSpatialPooling
from keras_attention.models.parts.arguments import optional_int
from keras_attention.ops.require import is_int, require_bool, require_int, require_rate

CONDITIONS = ("source", "semantics")


def _sides(value, name):
    """Returns a positive int or a pair of them."""
    sides = value if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or not all(is_int(n) and n > 0 for n in sides):
        raise ValueError(
            f"`{name}` must be a positive int or a pair of them, (rows, columns). Received: {name}={value!r}"
        )
    return tuple(map(int, sides)) if sides is value else int(value)


def _conditions(value, name):
    """Returns a list or tuple of one or both of `CONDITIONS`."""
    listed = list(value) if isinstance(value, list | tuple) else []
    if not listed or any(listed.count(x) > 1 or x not in CONDITIONS for x in listed):
        raise ValueError(f"`{name}` must be one or both of {CONDITIONS}. Received: {name}={value!r}")
    return value


def _pool_sizes(value, name):
    """Returns pool sizes valid for `MultiScaleSpatialPooling`, or `()`."""
    return MultiScaleSpatialPooling(value).pool_sizes if value != () and value != [] else ()


CHECKS = {
    "image_size": _sides,
    "condition": _conditions,
    **dict.fromkeys(("cycle", "uncertainty", "legacy_unused_conv", "synchronized"), require_bool),
    **dict.fromkeys(("num_candidates", "num_downs"), optional_int),
    "pool_sizes": _pool_sizes,
    **dict.fromkeys(("width", "semantics_width", "selection_channels"), require_int),
    **dict.fromkeys(("image_channels", "semantics_channels", "condition_channels", "num_layers"), require_int),
    "dropout": require_rate,
}


def complete(arguments):
    """Checks arguments together, fills in `num_downs`, and returns (rows, columns)."""
    size = arguments["image_size"]
    sides = tuple(size) if isinstance(size, list | tuple) else (size, size)
    if arguments["num_downs"] is None:
        arguments["num_downs"] = next((n for n in (8, 7) if all(side % 2**n == 0 for side in sides)), 5)
    downs = arguments["num_downs"]
    if downs < 2 or any(side % 2**downs for side in sides):
        raise ValueError(
            "The sides of `image_size` must be multiples of 2^num_downs, with `num_downs` at least 2. Received: "
            f"image_size={size!r}, num_downs={downs}"
        )
    if arguments["legacy_unused_conv"] and (arguments["num_candidates"] is None or not arguments["pool_sizes"]):
        raise ValueError(
            '`legacy_unused_conv` belongs to the multi-scale pooling of the second stage (ablation "H"). Received: '
            f"num_candidates={arguments['num_candidates']}, pool_sizes={arguments['pool_sizes']}"
        )
    if arguments["num_candidates"] is None:
        return sides
    images = 2 * arguments["image_channels"]
    if arguments["selection_channels"] <= images:
        raise ValueError(
            f"`selection_channels` must be more than the {images} channels of the source and the first image. "
            f"Received: selection_channels={arguments['selection_channels']}"
        )
    return sides
