"""One suite over every public layer: masks, padding and dropout keep the attention contract."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from tests.layers.conformance import arrays, cases_with, close, make, numpy, symbols


def padding(case):
    """Masks in which the last positions of each sequence are padding, differently for each of the batch."""
    masks = []
    for shape in case.inputs:
        dims = shape[: 1 + len(case.dynamic)]
        mask = np.ones(dims, bool)
        mask[0, ..., -1] = False
        mask[1, ..., -2:] = False
        masks.append(mask)
    return masks


def masked_model(case, layer):
    """(inputs, masks) -> the outputs at real positions."""
    inputs = symbols(case)
    masks = [keras.Input(batch_shape=m.shape, dtype="bool") for m in padding(case)]
    output = layer(*inputs, **dict(zip(case.masks, masks)), **case.call)
    real = ops.reshape(masks[0], (*masks[0].shape, *[1] * (len(output.shape) - len(masks[0].shape))))
    return keras.Model([*inputs, *masks], ops.where(real, output, ops.zeros_like(output)))


@pytest.mark.parametrize("garbage", [np.nan, 1e4], ids=["nan", "garbage"])
@cases_with("masks")
def test_padding_never_leaks(case, garbage):
    trained = {}
    for fill in (0.5, garbage):
        layer = make(case)
        model = masked_model(case, layer)
        x = [
            np.where(np.expand_dims(m, tuple(range(m.ndim, a.ndim))), a, fill).astype("float32")
            for a, m in zip(arrays(case), padding(case))
        ]
        output = numpy(model([*x, *padding(case)]))
        assert np.isfinite(output).all()
        if case.weights:
            model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
            model.train_on_batch([*x, *padding(case)], np.ones(case.output, "float32"))
        trained[fill] = (output, [numpy(w) for w in layer.trainable_variables])
    close(trained[garbage], trained[0.5], atol=1e-5)


@cases_with("masks")
def test_padding_is_not_attended_to(case):
    """Cutting the padding off gives the same as masking it."""
    layer = make(case)
    x = [a[:1] for a in arrays(case)]
    masks = {name: m[:1] for name, m in zip(case.masks, padding(case))}
    last = max(case.dynamic)
    cut = [np.take(a, range(a.shape[last] - 1), last) for a in x]
    masked = numpy(layer(*x, **masks, **case.call))
    close(np.take(masked, range(masked.shape[last] - 1), last), numpy(layer(*cut, **case.call)))


@cases_with("masks")
def test_float_masks_are_refused(case):
    shapes = {name: mask.shape for name, mask in zip(case.masks, padding(case))}
    if "attention_mask" in inspect.signature(case.layer.call).parameters:
        shapes["attention_mask"] = (1, 1)
    for name, shape in shapes.items():
        with pytest.raises(ValueError, match="attention_bias"):
            case.layer(**case.init)(*arrays(case), **{name: np.zeros(shape, "float32")}, **case.call)


@cases_with("dropout")
def test_dropout_configured_changes_nothing_at_inference(case):
    x = arrays(case)
    plain, dropping = make(case), make(case, **case.dropout)
    dropping.set_weights(plain.get_weights())  # dropout draws seeds while a layer is built, and shifts all others
    close(numpy(plain(*x, **case.call)), numpy(dropping(*x, **case.call)))
    close(numpy(plain(*x, **case.call)), numpy(dropping(*x, training=False, **case.call)))
    assert np.abs(numpy(plain(*x, **case.call)) - numpy(dropping(*x, training=True, **case.call))).max() > 1e-3


@cases_with("dropout")
def test_scores_asked_for_never_change_the_output_of_training(case):
    x = arrays(case)
    one, two = (make(case, seed=7, **case.dropout) for _ in range(2))
    output = numpy(one(*x, training=True, **case.call))
    close(output, numpy(two(*x, training=True, return_attention_scores=True, **case.call)[0]))
    assert np.abs(output - numpy(one(*x, training=True, **case.call))).max() > 1e-3, "the same mask twice"
