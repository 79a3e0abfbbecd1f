"""Conformance suite of every public layer: masks, padding, dropout."""

import functools
import inspect

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.conformance import (
    BACKEND,
    FIRST,
    answer,
    arrays,
    block,
    bounds,
    built,
    cases_with,
    close,
    each,
    expected,
    kept,
    numpy,
    symbols,
)
from tests.layers.paths import CHEAP, stepping
from tests.layers.visibility import padding

# Layers whose output has other positions than the input, or none, or an axis of heads, which Keras's masks lack.
OF_OTHER_POSITIONS = (
    "ALiBi",
    "AttentionPooling",
    "FirstLocation",
    "GlimpseNetwork",
    "GlimpseSensor",
    "ImageGrid",
    "LocationPolicy",
    "LogMelSpectrogram",
    "MultiChannelAttentionSelection",
    "MultiScaleSpatialPooling",
    "PatchEmbedding",
    "RelativePositionBias",
    "ScaledDotProductAttention",
    "SplitChannels",
)


def masked_model(case, layer):
    """(inputs, masks) -> the outputs where the first mask is True, if they have positions; zeros elsewhere."""
    inputs = symbols(case)
    masks = [keras.Input(batch_shape=m.shape, dtype="bool") for m in padding(case)]
    output = layer(*inputs, **dict(zip(case.masks, masks)), **case.call)
    if case.pooled:
        return keras.Model([*inputs, *masks], output)
    real = ops.reshape(masks[0], (*masks[0].shape, *[1] * (len(output.shape) - len(masks[0].shape))))
    return keras.Model([*inputs, *masks], ops.where(real, output, ops.zeros_like(output)))


@kept
def padded(case):
    """`stepping` of the masked model."""
    layer = built(case)
    model = masked_model(case, layer)
    return stepping(
        layer,
        lambda *x: model(list(x)),
        lambda *x: ops.mean(ops.square(model(list(x), training=True) - 1)),
        CHEAP,
    )


@kept
def trained(case, garbage):
    """The outputs at positions that take part, and the updates of the weights by a step of SGD.

    garbage: Whether the padding holds NaN and 10,000 by turns, or 0.5.
    """
    built(case)
    x = []
    for a, m in zip(arrays(case), padding(case)):
        fill = np.where(np.indices(m.shape).sum(0) % 2, 1e4, np.nan) if garbage else np.full(m.shape, 0.5)
        m, fill = (np.expand_dims(y, tuple(range(m.ndim, a.ndim))) for y in (m, fill))
        x.append(np.where(m, a, fill).astype("float32"))
    output, _, gradients = padded(case)(*x, *padding(case))
    return output, [0.01 * g for g in gradients]


@cases_with("masks")
def test_padding_never_leaks(case):
    output, steps = trained(case, True)
    assert np.isfinite(output).all()
    close((output, steps), trained(case, False), atol=1e-5)


@cases_with("masks")
def test_padding_is_not_attended_to(case):
    """Cutting the padding off gives the same as masking it."""
    layer = built(case)
    x = [a[:1] for a in arrays(case)]
    masks = {name: m[:1] for name, m in zip(case.masks, padding(case))}
    last = max(case.dynamic)
    cut = [np.take(a, range(a.shape[last] - 1), last) for a in x]
    masked = answer(lambda *x: layer(*x, **masks, **case.call), *x)
    if not case.pooled:
        masked = np.take(masked, range(masked.shape[last] - 1), last)
    close(masked, answer(lambda *x: layer(*x, **case.call), *cut))


@each(case for case in FIRST if not any(bounds(case)) and str(case) not in OF_OTHER_POSITIONS)
def test_keras_masks_are_propagated(case):
    """Keras warns of layers that do not support masking."""
    output = case.layer(**case.init)(*[keras.layers.Masking()(x) for x in symbols(case)], **case.call)
    assert tuple(output._keras_mask.shape) == tuple(output.shape[: output._keras_mask.ndim])


@cases_with("masks")
def test_float_masks_are_refused(case):
    shapes = {name: mask.shape for name, mask in zip(case.masks, padding(case))}
    if "attention_mask" in inspect.signature(case.layer.call).parameters:
        shapes["attention_mask"] = (1, 1)
    for name, shape in shapes.items():
        with pytest.raises(ValueError, match="attention_bias"):
            built(case)(*arrays(case), **{name: np.zeros(shape, "float32")}, **case.call)


@cases_with("dropout", slow=block)
def test_dropout_is_off_at_inference(case):
    x = arrays(case)
    plain, dropping = built(case), built(case, **case.dropout)
    # Dropout takes seeds while a layer is built, which changes all later ones.
    dropping.set_weights(plain.get_weights())
    close(expected(case), answer(functools.partial(dropping, **case.call), *x))
    close(expected(case), answer(functools.partial(dropping, training=False, **case.call), *x))
    trained = answer(functools.partial(dropping, training=True, **case.call), *x)
    assert np.abs(expected(case) - trained).max() > 1e-3


@cases_with("dropout", slow=block)
def test_return_attention_scores_does_not_change_the_output_in_training(case):
    x, call = arrays(case), {"training": True, **case.call}
    dropping = built(case, seed=7, **case.dropout)
    output = answer(functools.partial(dropping, **call), *x)
    if BACKEND != "jax":  # there `answer` does not update the seed
        assert np.abs(output - numpy(dropping(*x, **call))).max() > 1e-3, "the same mask twice"
    built(case, seed=7, **case.dropout)  # resets the seed
    close(output, answer(functools.partial(dropping, return_attention_scores=True, **call), *x)[0])
