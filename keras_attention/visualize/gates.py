"""Gates of channels and positions, read and drawn."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_attention.types import Figure, Nest
from keras_attention.visualize.inputs import short_names
from keras_attention.visualize.labels import drawable
from keras_attention.visualize.reading import choose_layers, read
from keras_attention.visualize.style import FONT_SIZE, HEAT, LETTER, PALETTE, SEQUENTIAL, WIDTH, colored, new_figure

ACROSS, HEIGHT = 2, 2.2  # panels in a row, and inches of a row
LETTERS = int(WIDTH / ACROSS / LETTER)  # in a line above a panel


def gates(
    model: keras.Layer, inputs: Nest, *, layers: str | Sequence[str] | None = None, **kwargs: Any
) -> dict[str, np.ndarray]:
    """Returns the gates of a model, from one eager call: between 0 and 1, what each factor of a gated layer was.

        gates[path]: [B, C] of channels; [B, Y, X] of the positions of images, [B, T] or [B, Z, Y, X] of other inputs

    Gates are those of `SqueezeExcitation`, `ChannelAttention` and `SpatialAttention`, and of the two in `CBAM`, whose
    paths end in `channel` and `spatial`. A layer of your own counts if its `call` takes `return_attention_scores`, for
    the gates as they are multiplied, and its method `shared_axes(rank)` returns the axes in which they have size 1.

    Args:
        model: `keras.Model` or any `keras.Layer` that contains gates, or is one.
        inputs: Inputs of the model: an array, or a list, tuple or dict of arrays.
        layers: Path, or list of paths, of gates or of what contains them. `None`: all gates.
        **kwargs: Further arguments of the call, such as `training`.

    Returns:
        Dict from the path of a layer to its gates, a NumPy array; see `attention_scores`.

    Raises:
        ValueError: If `model` is not a Keras model or layer, has no gates, or a path of `layers` is unknown.

    Example:

    >>> from keras_attention.layers import CBAM
    >>> found = gates(CBAM(ratio=4, name="cbam"), np.ones((2, 5, 7, 8), "float32"))
    >>> {path: array.shape for path, array in found.items()}
    {'channel': (2, 8), 'spatial': (2, 5, 7)}
    """

    def choose(found):
        return choose_layers({path: e for path, e in found.items() if hasattr(e[0], "shared_axes")}, layers)

    def take(layer, path, values):
        return ops.squeeze(values, layer.shared_axes(len(values.shape)))

    found = read(model, inputs, kwargs, choose, take)
    if not found:
        raise ValueError(f"No gate took part in the call of `model`. Received: model={model.name}")
    return found


def plot_gates(
    gates: dict[str, Any],
    image: ArrayLike | None = None,
    *,
    value_range: Sequence[float] | None = None,
    title: str | None = None,
) -> Figure:
    """Plots the gates of one sample, a panel per layer: those of channels as bars, those of positions as a map.

    All panels have the scale from 0 to 1.

    Args:
        gates: Dict from the path of a layer to its gates [C] or [Y, X], or the same with a batch of 1, such as
            `gates(model, inputs)` of one input.
        image: Array [Y, X, C] of 1 or 3 channels: maps are drawn over a gray copy of it. They may be coarser.
        value_range: Pair (black, white) of the image, see `overlay`.
        title: String above the figure.

    Returns:
        `matplotlib.figure.Figure`, 7 inches wide, with two panels in a row.

    Raises:
        ImportError: If matplotlib is not installed.
        ValueError: If `gates` are not those of one sample, or `image` is not an image.

    Example:

    >>> figure = plot_gates({"block/channel": np.full(8, 0.5), "block/spatial": np.eye(3)})
    >>> [axes.get_title() for axes in figure.axes]
    ['channel', 'spatial']
    """
    panels = {path: _of_one_sample(path, values) for path, values in gates.items()}
    gray = None if image is None else _gray(image, value_range)
    style, names, [title] = drawable(short_names(list(panels)), [title or ""])
    down = math.ceil(len(panels) / ACROSS)
    figure = new_figure(WIDTH, down * HEIGHT + 0.3 * bool(title))
    axes = list(figure.subplots(down, ACROSS, squeeze=False).flat)
    for panel, name, values in zip(axes, names, panels.values()):
        panel.set_title(textwrap.fill(name, LETTERS), fontsize=FONT_SIZE, **style)
        _draw_channels(panel, values) if values.ndim == 1 else _draw_map(panel, values, gray)
    for panel in axes[len(panels) :]:
        panel.remove()
    if title:
        figure.suptitle(title, fontsize=FONT_SIZE, **style)
    return figure


def _draw_channels(panel, values):
    panel.stairs(values, fill=True, color=PALETTE[0])
    panel.set(xlim=(0, len(values)), ylim=(0, 1), xlabel="channel")


def _draw_map(panel, values, gray):
    panel.set_axis_off()
    if gray is None:
        panel.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1)
        return
    Y, X = gray.shape
    panel.imshow(gray, cmap="gray", vmin=0, vmax=1)
    panel.imshow(values, cmap=HEAT, alpha=0.65, vmin=0, vmax=1, extent=(-0.5, X - 0.5, Y - 0.5, -0.5))


def _of_one_sample(path, values):
    """Gates [C] or [Y, X]."""
    values = np.asarray(values, "float32")
    # Of [1, C] the first axis is a batch: a map of one row would be no map.
    values = values[0] if values.ndim > 1 and len(values) == 1 else values
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise ValueError(
            "`gates` must be those of one sample, {path: [C] or [Y, X]}, such as `gates(model, inputs)` of one input. "
            f"Received: `{path}` of shape {values.shape}"
        )
    return values


def _gray(image, value_range):
    image = colored(image, value_range)
    if image.ndim != 3:
        raise ValueError(f"`image` must be one image [Y, X, C]. Received: image.shape={image.shape}")
    return image.mean(axis=-1)
