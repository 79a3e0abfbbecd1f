import keras
import numpy as np
import pytest

from keras_attention import layers
from keras_attention.layers import ConditionalBatchNormalization, LabelConcatenation, ProjectionHead
from keras_attention.layers.bases import checks
from keras_attention.layers.bases.checks import check_label


@pytest.mark.parametrize("value", [-1, np.int64(-1), True, 2.0, "2", None, np.ones(1, int), (2,)], ids=repr)
def test_require_batch_size_refuses(value):
    with pytest.raises(ValueError, match="`batch_size` must be an int, 0 or more, or a scalar tensor"):
        checks.require_batch_size(value)


def test_require_batch_size_accepts():
    for value in (0, 3, np.int32(3), keras.ops.convert_to_tensor(3), keras.KerasTensor((), "int32")):
        checks.require_batch_size(value)


@pytest.mark.parametrize("shape", [(5, 7), (1, 5, 7), (2, 5, 7), (2, 1, 7), (2, 4, 5, 7), (1, 1, 5, 7), (2, 4, 1, 1)])
def test_attention_masks_that_fit(shape):
    checks.check_attention_mask(np.ones(shape, bool), (2, 4, 5, 7), 1)
    checks.check_attention_mask(np.ones(shape, "int32"), (None, 4, None, None), 1)


@pytest.mark.parametrize("shape", [(7,), (7, 5), (2, 7), (3, 5, 7), (2, 3, 5, 7), (2, 4, 5, 6), (1, 2, 4, 5, 7)])
def test_attention_masks_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"Received: attention_mask.shape="):
        checks.check_attention_mask(np.ones(shape, bool), (2, 4, 5, 7), 1)


@pytest.mark.parametrize("shape", [(2, 4, 5, 7), (1, 4, 1, 7), (1, 4, 11), (2, 1, 11)])
def test_biases_that_fit(shape):
    checks.check_bias(np.ones(shape), (2, 4, 5, 7))
    checks.check_bias(np.ones(shape), (None, 4, None, None))


@pytest.mark.parametrize("shape", [(5, 7), (4, 5, 7), (2, 4, 7, 5), (1, 4, 12), (1, 3, 11)])
def test_biases_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"Received: attention_bias.shape="):
        checks.check_bias(np.ones(shape), (2, 4, 5, 7))


def test_padding_masks_of_images_may_have_fewer_axes():
    checks.check_padding(np.ones((2, 3), bool), "query_mask", (2, 3, 5), "the queries")
    with pytest.raises(ValueError, match="`query_mask` must have the shape of the queries"):
        checks.check_padding(np.ones((2, 5), bool), "query_mask", (2, 3, 5), "the queries")


def test_strings_as_flags_are_refused():
    checks.check_flags(causal=True, scores=0, asked=None)
    for value in ("yes", "", b"no", 0.0):
        with pytest.raises(ValueError, match="`causal` must be `True` or `False`. Received: causal="):
            checks.check_flags(scores=False, causal=value)
    x = np.ones((2, 5, 12), "float32")
    for layer in (layers.MultiHeadAttention(4, 3), layers.ScaledDotProductAttention()):
        for name in ("use_causal_mask", "return_attention_scores"):
            for inputs in (x, keras.Input((5, 12))):
                with pytest.raises(ValueError, match=f"`{name}` must be `True` or `False`. Received: {name}='no'"):
                    layer(inputs, **{name: "no"})


def test_symbolic_tensors_are_checked_too():
    with pytest.raises(ValueError, match="attention_bias"):
        checks.check_padding(keras.Input((5,)), "value_mask", (None, 5), "the keys")


LAYERS = [(ConditionalBatchNormalization, (2, 5, 7, 6)), (LabelConcatenation, (2, 5, 7, 6)), (ProjectionHead, (2, 6))]


def test_one_integer_label_per_sample_is_accepted():
    check_label(np.array([1, 2]), 2)
    check_label(np.array([1, 2], "uint8"), None)
    check_label(keras.Input((), dtype="int32"), 2)


@pytest.mark.parametrize("label", [np.zeros((2, 1), "int32"), np.zeros(3, "int32"), np.zeros(2, "float32")])
@pytest.mark.parametrize("layer, shape", LAYERS)
def test_other_labels_are_refused_by_every_layer(layer, shape, label):
    with pytest.raises(ValueError, match="`label` must be integers .*2.*Received: label.shape="):
        layer(num_classes=4)(np.ones(shape, "float32"), label)
