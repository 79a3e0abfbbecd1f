"""Weights of a network for images in one for clips."""

import numpy as np
from keras import ops


def inflate_weights(source, model):
    """Gives a network for clips the weights of one for images, or of one for clips with fewer inflated kernels.

        kernel[t]: [k, k, C, F] = kernel of the image network [k, k, C, F] / frames      for each frame t of `frames`

    as in "Quo Vadis, Action Recognition?" ([Carreira and Zisserman, 2017](https://arxiv.org/abs/1705.07750)) and
    section 4.1 of "Non-local Neural Networks" ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)). On a clip that
    stands still the network then computes what it did, but near the clip's two ends, where a kernel reaches beyond it.

    Layers are found by name. An `AttentionResNet` without attention and a `NonLocalResNet` call theirs alike, so that
    weights of ImageNet come along. The logits are left as they are if their number differs, and so are layers that only
    one of the networks has, such as non-local blocks.

    Args:
        source: `keras.Model` to read from.
        model: `keras.Model` to write to.

    Returns:
        List of the names of the layers that were written.

    Raises:
        ValueError: If no layer has its namesake, the shapes of two do not fit, or the source is an `AttentionResNet`
            with gates, or of the layout of Caffe: the network for clips has neither.

    Example:

    >>> from keras_attention import models
    >>> image = models.AttentionResNet((1, 1), width=4, num_classes=10)
    >>> clip = models.NonLocalResNet((1, 1), width=4, num_classes=7, inflation="3x1x1")
    >>> written = models.inflate_weights(image, clip)
    >>> "stem_conv" in written, "logits" in written
    (True, False)
    """
    _require_torch_without_gates(source)
    sources = {layer.name: layer for layer in source.layers if layer.weights}
    written = []
    for layer in model.layers:
        if layer.weights and layer.name in sources:
            given = [ops.convert_to_numpy(w) for w in sources[layer.name].weights]
            values = [_fit(value, tuple(w.shape)) for value, w in zip(given, layer.weights)]
            if len(given) != len(layer.weights) or any(value is None for value in values):
                if layer.name == "logits":
                    continue
                shapes = [[tuple(x.shape) for x in side] for side in (given, layer.weights)]
                raise ValueError(
                    f"The weights of `{layer.name}` must fit, but for the frames of a kernel. "
                    f"Received: source {shapes[0]}, model {shapes[1]}"
                )
            for w, value in zip(layer.weights, values):
                w.assign(value)
            written.append(layer.name)
    if not written:
        raise ValueError(
            f"No layer of `model` has the name of one of `source`. Received: source={source.name}, model={model.name}"
        )
    return written


def _require_torch_without_gates(source):
    """With strides elsewhere, or with gates, layers of the same names compute something else."""
    layout, attention = getattr(source, "layout", "torch"), getattr(source, "attention", None)
    if layout != "torch" or attention not in (None, "non_local"):
        raise ValueError(
            "`source` must have the layout of PyTorch and no attention but non-local blocks. "
            f"Received: layout={layout!r}, attention={attention!r}"
        )


def _fit(value, shape):
    """The value in this shape, spread over time if need be; `None` if it does not fit."""
    if len(value.shape) == 4 and len(shape) == 5:
        value = value[None]
    if len(shape) == 5 and value.shape[0] == 1:
        value = np.repeat(value, shape[0], axis=0) / shape[0]
    return value if tuple(value.shape) == shape else None
