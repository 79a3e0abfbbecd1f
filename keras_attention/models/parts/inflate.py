"""Inflation: initializes a video ResNet from the weights of an image ResNet."""

import keras
import numpy as np
from keras import ops


def inflate_weights(source: keras.Model, model: keras.Model) -> list[str]:
    """Inflates the weights of an image (or less inflated video) ResNet into a video ResNet.

        kernel[t]: [k, k, C, F] = kernel of the image network [k, k, C, F] / frames      for each frame t of `frames`

    as in "Quo Vadis, Action Recognition?" ([Carreira and Zisserman, 2017](https://arxiv.org/abs/1705.07750)) and
    section 4.1 of "Non-local Neural Networks" ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)). On a static clip
    the outputs then equal those of `source`, except near the first and last frames, where kernels read zero padding.

    Layers are matched by name; `AttentionResNet` without attention and `NonLocalResNet` use the same names, so that
    ImageNet weights can be used. Not written: logits with another number of classes, and layers that only one of the
    models has, such as non-local blocks.

    Args:
        source: `keras.Model` to read from.
        model: `keras.Model` to write to.

    Returns:
        List of names of the written layers.

    Raises:
        ValueError: If no layer names match, the shapes of two layers do not match, or the source is an
            `AttentionResNet` with SE, CBAM or other gates, or with `layout="caffe"`.

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
                    f"The weights of `{layer.name}` must have the same shapes, except for the frames of a kernel. "
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
    """Raises for layouts and attentions with which layers of the same name compute something else."""
    layout, attention = getattr(source, "layout", "torch"), getattr(source, "attention", None)
    if layout != "torch" or attention not in (None, "non_local"):
        raise ValueError(
            '`source` must have `layout="torch"` and no attention except non-local blocks. '
            f"Received: layout={layout!r}, attention={attention!r}"
        )


def _fit(value, shape):
    """`value` with this shape, inflated over time if needed; `None` if the shapes do not match."""
    if len(value.shape) == 4 and len(shape) == 5:
        value = np.expand_dims(value, 0)
    if len(shape) == 5 and value.shape[0] == 1:
        value = np.repeat(value, shape[0], axis=0) / shape[0]
    return value if tuple(value.shape) == shape else None
