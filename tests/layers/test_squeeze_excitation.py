"""SqueezeExcitation against loops from the paper."""

import keras
import numpy as np
import pytest

from keras_attention.layers import ChannelAttention, SqueezeExcitation
from tests.layers.gate_weights import channel_weights, each_shape, each_variant, images, noisy
from tests.layers.helpers import numpy, random
from tests.reference import gates as reference


def blocks(variant, r, stages):
    """Parameters of the blocks in the stages of a ResNet-50: (number of blocks, channels) each."""
    count = 0
    for number, C in stages:
        layer = SqueezeExcitation(r, variant=variant)
        layer.build((None, None, None, C))
        count += number * layer.count_params()
    return count


RESNET_50 = ((3, 256), (4, 512), (6, 1024), (3, 2048))


def test_parameter_counts():
    """2 C² / r per block, and C / r + C more with biases; in ResNet-50 as in the authors' networks."""
    assert blocks("paper", 16, [(1, 64)]) == 2 * 64**2 // 16
    assert blocks("reference", 16, [(1, 64)]) == 2 * 64**2 // 16 + 64 // 16 + 64
    assert blocks("paper", 16, RESNET_50) == 28_071_976 - 25_557_032
    assert blocks("reference", 16, RESNET_50) == 28_088_024 - 25_557_032
    added = [blocks("reference", 16, [stage]) for stage in RESNET_50]
    assert added == [25_392, 133_248, 792_960, 1_579_392]
    inside = [(number, C // 4) for number, C in RESNET_50]
    assert blocks("reference", 16, inside) == 161_196  # after the 3 x 3 convolutions


@each_variant
def test_zero_weights_scale_by_one_half_and_an_open_gate_is_the_identity(variant):
    x = random(2, 5, 7, 6)
    layer = SqueezeExcitation(ratio=2, variant=variant)
    layer(x)
    for w in layer.weights:
        w.assign(np.zeros(w.shape))
    np.testing.assert_array_equal(numpy(layer(x)), 0.5 * x)
    if variant == "reference":
        layer.expand.bias.assign(np.full(6, 100.0))
        np.testing.assert_array_equal(numpy(layer(x)), x)


@each_variant
@each_shape
def test_is_equations_2_to_4(shape, variant):
    x = images(shape)
    layer = noisy(SqueezeExcitation(ratio=2, variant=variant), x)
    output, gates = layer(x, return_attention_scores=True)
    expected = reference.channel_gates(x, ("avg",), channel_weights(layer))
    assert np.ptp(expected, axis=0).max() > 0.1  # the gates depend on the image
    np.testing.assert_allclose(numpy(output), reference.gate_channels(x, expected), atol=1e-5)
    assert gates.shape == (2, *[1] * (len(shape) - 2), 6)
    np.testing.assert_allclose(numpy(gates).reshape(2, 6), expected, atol=1e-6)
    assert ((numpy(gates) > 0) & (numpy(gates) < 1)).all()


def test_permuting_positions_permutes_the_output():
    x = random(2, 35, 6)
    order = np.random.default_rng(1).permutation(35)
    layer = noisy(SqueezeExcitation(ratio=2), x)
    output, gates = layer(x, return_attention_scores=True)
    permuted, same = layer(x[:, order], return_attention_scores=True)
    np.testing.assert_allclose(numpy(permuted), numpy(output)[:, order], atol=1e-6)
    np.testing.assert_allclose(numpy(same), numpy(gates), atol=1e-6)


@each_variant
@each_shape
def test_channels_first_equals_channels_last(shape, variant):
    x = images(shape)
    last = noisy(SqueezeExcitation(ratio=2, variant=variant), x)
    first = SqueezeExcitation(ratio=2, variant=variant, data_format="channels_first")
    moved = np.moveaxis(x, -1, 1)
    first(moved)
    first.set_weights(last.get_weights())
    mask = random(*shape[:-1], seed=3) > 0
    for kwargs in ({}, {"mask": mask}):
        a, b = (layer(y, return_attention_scores=True, **kwargs) for layer, y in ((last, x), (first, moved)))
        for left, right in zip(a, b):
            np.testing.assert_allclose(np.moveaxis(numpy(left), -1, 1), numpy(right), atol=1e-6)


@pytest.mark.parametrize("C, ratio, hidden", [(12, 5, 2), (3, 16, 1), (1, 16, 1), (32, 16, 2)])
def test_hidden_channels_are_rounded_down_to_at_least_one(C, ratio, hidden):
    layer = SqueezeExcitation(ratio)
    layer.build((None, None, C))
    assert layer.reduce.kernel.shape == (C, hidden)


@each_variant
def test_equals_channel_attention_with_one_pool(variant):
    x = random(2, 5, 7, 6)
    squeeze = noisy(SqueezeExcitation(ratio=2, variant=variant), x)
    channel = ChannelAttention(ratio=2, pools=("avg",), variant=variant)
    channel(x)
    channel.set_weights(squeeze.get_weights())
    np.testing.assert_array_equal(numpy(channel(x)), numpy(squeeze(x)))


@each_shape
def test_padding_is_ignored(shape):
    x, mask = images(shape), random(*shape[:-1], seed=3) > 0
    mask[1] = False
    layer = noisy(SqueezeExcitation(ratio=2, variant="reference"), x)
    expected = reference.channel_gates(x, ("avg",), channel_weights(layer), mask)
    assert (
        np.abs(expected - reference.channel_gates(x * mask[..., None], ("avg",), channel_weights(layer))).max() > 0.01
    )
    expected = reference.gate_channels(x, expected) * mask[..., None]
    output = layer(np.where(mask[..., None], x, np.nan).astype("float32"), mask=mask)
    np.testing.assert_allclose(numpy(output), expected, atol=1e-5)


def test_a_keras_mask_is_used_and_propagated():
    tokens = np.array([[3, 1, 2, 0, 0], [1, 2, 3, 1, 2]])
    embedding = keras.layers.Embedding(4, 6, mask_zero=True)
    layer = noisy(SqueezeExcitation(ratio=2), np.zeros((2, 5, 6), "float32"))
    x = embedding(tokens)
    np.testing.assert_allclose(numpy(layer(x))[0, :3], numpy(layer(numpy(x)[:, :3]))[0], atol=1e-6)
    output = layer(x)
    np.testing.assert_array_equal(numpy(output._keras_mask), tokens != 0)


def test_a_mask_of_rows_masks_whole_rows():
    x, rows = random(2, 5, 7, 6), random(2, 5, seed=3) > 0
    layer = noisy(SqueezeExcitation(ratio=2), x)
    whole = np.broadcast_to(rows[..., None], (2, 5, 7))
    np.testing.assert_allclose(numpy(layer(x, mask=rows)), numpy(layer(x, mask=whole)), atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"ratio": 0}, "`ratio` must be a positive int. Received: ratio=0"),
        ({"variant": "code"}, "`variant` must be one of .*Received: variant='code'"),
        ({"data_format": "NHWC"}, "`data_format` must be one of .*Received: data_format='NHWC'"),
    ],
)
def test_bad_arguments_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        SqueezeExcitation(**arguments)


def test_bad_inputs_by_name():
    with pytest.raises(ValueError, match=r"`inputs` must be .*Received: inputs.shape=\(2, 6\)"):
        SqueezeExcitation()(random(2, 6))
    with pytest.raises(ValueError, match="`inputs` must be .*with a known C"):
        SqueezeExcitation()(keras.Input((5, 7, None)))
    for x in (random(2, 5, 7, 6), keras.Input((5, 7, 6))):
        with pytest.raises(ValueError, match=r"`mask` must have the shape of .*Received: mask.shape=\(2, 5, 6\)"):
            SqueezeExcitation()(x, mask=np.ones((2, 5, 6), bool))
