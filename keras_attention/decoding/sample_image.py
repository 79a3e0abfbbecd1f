"""Sampling and inpainting with autoregressive image models, value by value."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attention.decoding.loop import has_nan, require_answer, run, write
from keras_attention.decoding.sample import draw
from keras_attention.ops import logistic_mixture_sample, require_boolean
from keras_attention.ops.labels import require_labels
from keras_attention.ops.pixels import LIKELIHOODS
from keras_attention.ops.require import require_int, require_number, require_seed, require_size
from keras_attention.ops.runtime.random_numbers import uniform
from keras_attention.types import Tensor

PROTOCOL = ("start", "step", "to_sequence", "to_image", "likelihood", "channels", "num_mixtures")


def sample_image(
    model: Any,
    size: Sequence[int],
    batch_size: int | Tensor | None = None,
    *,
    label: Tensor | None = None,
    source: Tensor | None = None,
    temperature: float = 1.0,
    known: Tensor | None = None,
    known_mask: Tensor | None = None,
    seed: int | Tensor | keras.random.SeedGenerator | None = None,
) -> Tensor:
    r"""Samples images from an autoregressive model, in its generation order; with `known` pixels, inpainting.

    $$ x_i \sim p(x_i \mid x_{<i}, \mathrm{condition})^{1 / \tau} $$

    as in "Image Transformer" ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)), whose temperatures $\tau$ are
    0.8, 0.9 and 1. Written out, with B batch, Y rows, X columns, C channels, L steps:

        noise:  [B, L, E] uniform, sampled once, before the loop
        output: of step i, from the cache and the value of step i - 1
        value:  the known one where there is one; else the first whose cumulative weight exceeds the noise, or
                a sample of `ops.logistic_mixture_sample`

    The loop runs entirely inside the graph (`tf.function`, XLA, JAX `jit`, a SavedModel). The cache has a fixed size,
    so that every step costs the same.

    Known values (half of an image, say) are kept wherever they lie; only values after them in the generation order
    are conditioned on them.

    Where the model's output contains a NaN, as after divergence, the value is 0.

    Args:
        model: Object with the protocol of `models.ImageTransformer`: `start(size, batch_size, label, source)`,
            `step(values, cache, index)`, `to_sequence`, `to_image`, and the attributes `likelihood`, `channels` and
            `num_mixtures`.
        size: (rows, columns) of the images in pixels, ints.
        batch_size: Int or int32 scalar tensor B; `None` if a label, a source or known pixels give it.
        label: Integers [B], for a model with classes.
        source: Images [B, y, x, C], for a model with an encoder.
        temperature: Positive float; below 1 sharpens the distribution, above 1 flattens it.
        known: Images [B, Y, X, C], integers from 0 to 255, of which the pixels of `known_mask` are kept.
        known_mask: Boolean, [B, Y, X] or [Y, X]; True marks known pixels.
        seed: Int from 0 to 2**32 - 1 or an integer tensor, a scalar or [B], one seed an image, by which alone it is
            sampled (the same images at every call); `SeedGenerator` (new), or `None` for Keras's global generator.

    Returns:
        Int32 [B, Y, X, C], from 0 to 255.

    Raises:
        ValueError: If `model` does not have this protocol, an argument is out of range, or `known` is given without
            `known_mask`.

    Example:

    >>> from keras_attention import models
    >>> sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 16}
    >>> model = models.image_transformer(channels=1, query_block=4, memory_block=4, **sizes)
    >>> tuple(sample_image(model, (3, 5), batch_size=2).shape)
    (2, 3, 5, 1)
    """
    _require_model(model)
    size = require_size(size)
    require_number(temperature, "temperature", above=0)
    require_seed(seed, generator=True)
    known, known_mask = _require_known(known, known_mask, size, model.channels)
    batch_size = _batch_size(batch_size, label, source, known)
    cache = _start(model, size, batch_size, label, source)
    # From an image of zeros, so that the buffer has the shape of the model's sequences.
    blank = model.to_sequence(ops.zeros((batch_size, *size, model.channels), dtype="int32"))
    choose = _chooser(model, batch_size, blank.shape[1], temperature, seed)
    kept = [] if known is None else [model.to_sequence(known), model.to_sequence(known_mask)]

    def active(index, last, written, cache):
        return index < blank.shape[1]

    def advance(index, last, written, cache):
        output, cache = require_answer(model.step(last, cache, index), cache)
        output = ops.cast(output, "float32")
        values = choose(output, index)
        failed = has_nan(output)
        values = ops.where(failed if len(values.shape) == 1 else ops.expand_dims(failed, 1), 0, values)
        if kept:
            old, keep = (ops.take(x, index, axis=1) for x in kept)
            values = ops.where(keep, old, values)
        return index + 1, values, write(written, index, values), cache

    index = ops.convert_to_tensor(0, dtype="int32")
    return model.to_image(run(active, advance, (index, blank[:, 0], blank, cache))[2], size)


def _start(model, size, batch_size, label, source):
    """The model's cache; only an unconditional model is given the batch size."""
    if label is None and source is None:
        return model.start(size, batch_size=batch_size)
    return model.start(size, label=label, source=source)


def _require_model(model):
    mixture = getattr(model, "likelihood", None) != "categorical"
    missing = [name for name in PROTOCOL if not hasattr(model, name) and (mixture or name != "num_mixtures")]
    if missing or model.likelihood not in LIKELIHOODS:
        raise ValueError(
            f"`model` must be an autoregressive model of images, such as `models.ImageTransformer`, with {PROTOCOL} "
            f"and a likelihood of {LIKELIHOODS}. Received: a {type(model).__name__} without {missing}"
        )


def _chooser(model, batch_size, steps, temperature, seed):
    """A function (output, index) -> values. All random numbers are sampled here: JAX traces the loop only once."""
    categorical = model.likelihood == "categorical"
    numbers = 1 if categorical else model.num_mixtures + model.channels
    noise = uniform((batch_size, steps, numbers), seed)

    def choose(output, index):
        here = ops.take(noise, index, axis=1)
        if categorical:
            return ops.cast(draw(output, here[:, 0], temperature), "int32")
        return logistic_mixture_sample(output, model.channels, here, temperature)

    return choose


def _require_known(known, mask, size, channels):
    """Known images as int32 [B, Y, X, C] and their mask as boolean of the same shape."""
    if known is None and mask is None:
        return None, None
    if known is None or mask is None:
        given = "known" if mask is None else "known_mask"
        raise ValueError(f"`known` and `known_mask` must be given together. Received: only {given}")
    known, mask = ops.cast(known, "int32"), ops.convert_to_tensor(mask)
    wanted = (*size, channels)
    if tuple(known.shape[1:]) != wanted or tuple(mask.shape)[-2:] != wanted[:2] or not 2 <= len(mask.shape) <= 3:
        raise ValueError(
            f"`known` must be [B, {wanted[0]}, {wanted[1]}, {wanted[2]}] and `known_mask` [B, Y, X] or [Y, X]. "
            f"Received: known.shape={tuple(known.shape)}, known_mask.shape={tuple(mask.shape)}"
        )
    mask = require_boolean(mask, "known_mask")
    mask = mask if len(mask.shape) == 3 else ops.expand_dims(mask, 0)
    mask = ops.broadcast_to(ops.expand_dims(mask, -1), ops.shape(known))
    require_labels(ops.where(mask, known, 0), "known", 256)
    return known, mask


def _batch_size(batch_size, *given):
    for x in given:
        if x is not None:
            return ops.shape(ops.convert_to_tensor(x))[0]
    if batch_size is None:
        raise ValueError("`batch_size` must be given if no other argument determines it. Received: batch_size=None")
    if not hasattr(batch_size, "shape"):
        require_int(batch_size, "batch_size")
    return batch_size
