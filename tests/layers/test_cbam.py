"""CBAM against loops from the paper and from what is known of its published code."""

import numpy as np
import pytest

from keras_attention.layers import CBAM
from tests.layers.gate_weights import SHAPES, channel_weights, each_variant, images, noisy, spatial_weights
from tests.layers.helpers import numpy, random
from tests.pairs import all_pairs
from tests.reference import gates as reference


def expected(layer, x):
    """Output, channel gates [B, C] and spatial gates [B, *S], in the order of the layer."""

    def channel(y):
        return reference.channel_gates(y, layer.pools, channel_weights(layer.channel))

    def spatial(y):
        return reference.spatial_gates(y, **spatial_weights(layer.spatial))

    if layer.order == "spatial_channel":
        spatial_gates = spatial(x)
        between = reference.gate_positions(x, spatial_gates)
        channels = channel(between)
        return reference.gate_channels(between, channels), channels, spatial_gates
    channels = channel(x)
    between = reference.gate_channels(x, channels)
    spatial_gates = spatial(x if layer.order == "parallel" else between)
    return reference.gate_positions(between, spatial_gates), channels, spatial_gates


@pytest.mark.parametrize(
    ("shape", "variant", "order"),
    all_pairs([*SHAPES.values()], ["paper", "reference"], ["channel_spatial", "spatial_channel", "parallel"]),
)
def test_is_equation_1_in_every_order(shape, variant, order):
    x = images(shape)
    layer = noisy(CBAM(ratio=2, kernel_size=3, variant=variant, order=order), x)
    output, gates = layer(x, return_attention_scores=True)
    whole, channels, spatial_gates = expected(layer, x)
    np.testing.assert_allclose(numpy(output), whole, atol=1e-5)
    np.testing.assert_allclose(numpy(gates["channel"]).reshape(channels.shape), channels, atol=1e-5)
    np.testing.assert_allclose(numpy(gates["spatial"])[..., 0], spatial_gates, atol=1e-5)


def test_parameter_counts():
    """2 C² / r + 98 in the paper; its code adds biases and a batch normalization with two statistics."""
    for variant, more, frozen in (("paper", 0, 0), ("reference", 4 + 64 + 2, 2)):
        layer = CBAM(variant=variant)
        layer.build((None, None, None, 64))
        assert layer.count_params() == 2 * 64**2 // 16 + 98 + more + frozen
        assert sum(int(np.prod(w.shape)) for w in layer.non_trainable_variables) == frozen


@each_variant
def test_zero_weights_scale_by_a_quarter(variant):
    x = random(2, 5, 7, 6)
    layer = CBAM(ratio=2, variant=variant)
    layer(x)
    for w in layer.trainable_variables:
        w.assign(np.zeros(w.shape))
    np.testing.assert_array_equal(numpy(layer(x)), 0.25 * x)


def test_gates_broadcast_and_lie_between_0_and_1():
    x = random(2, 5, 7, 6)
    _, gates = noisy(CBAM(ratio=2), x)(x, return_attention_scores=True)
    assert gates["channel"].shape == (2, 1, 1, 6)
    assert gates["spatial"].shape == (2, 5, 7, 1)
    for gate in gates.values():
        assert ((numpy(gate) > 0) & (numpy(gate) < 1)).all()


def test_the_order_of_the_gates_matters():
    x = random(2, 5, 7, 6)
    first = noisy(CBAM(ratio=2), x)
    outputs = [numpy(first(x))]
    for order in ("spatial_channel", "parallel"):
        layer = CBAM(ratio=2, order=order)
        layer(x)
        layer.set_weights(first.get_weights())
        outputs.append(numpy(layer(x)))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(outputs[i] - outputs[j]).max() > 0.01


def test_the_spatial_gate_is_invariant_to_permuted_channels():
    """Channels of the input and of the network's weights are permuted together: the output is equivariant."""
    x, order = random(2, 5, 7, 6), [3, 0, 5, 1, 4, 2]
    layer = noisy(CBAM(ratio=2), x)
    output, gates = layer(x, return_attention_scores=True)
    reduce, expand = layer.channel.reduce, layer.channel.expand
    reduce.kernel.assign(numpy(reduce.kernel)[order])
    expand.kernel.assign(numpy(expand.kernel)[:, order])
    moved, same = layer(x[..., order], return_attention_scores=True)
    np.testing.assert_allclose(numpy(moved), numpy(output)[..., order], atol=1e-6)
    np.testing.assert_allclose(numpy(same["spatial"]), numpy(gates["spatial"]), atol=1e-6)


@each_variant
def test_channels_first_equals_channels_last(variant):
    x = random(2, 5, 7, 6)
    last = noisy(CBAM(ratio=2, variant=variant), x)
    first = CBAM(ratio=2, variant=variant, data_format="channels_first")
    moved = np.moveaxis(x, -1, 1)
    first(moved)
    first.set_weights(last.get_weights())
    np.testing.assert_allclose(np.moveaxis(numpy(last(x)), -1, 1), numpy(first(moved)), atol=1e-6)


def test_padding_is_ignored():
    """Cutting it off gives the same output, and NaN in it does not spread."""
    x, mask = random(2, 5, 7, 6), np.ones((2, 5, 7), bool)
    mask[:, :, 4:] = False
    layer = noisy(CBAM(ratio=2, variant="reference"), x)
    output = numpy(layer(np.where(mask[..., None], x, np.nan).astype("float32"), mask=mask))
    np.testing.assert_allclose(output[:, :, :4], numpy(layer(x[:, :, :4])), atol=1e-5)
    assert not output[:, :, 4:].any()


def test_bad_arguments_by_name():
    with pytest.raises(ValueError, match="`order` must be one of .*Received: order='channel_first'"):
        CBAM(order="channel_first")
    with pytest.raises(ValueError, match="`ratio` must be a positive int"):
        CBAM(ratio=-1)
