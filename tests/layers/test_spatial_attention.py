"""SpatialAttention against loops from the paper of CBAM."""

import numpy as np
import pytest

from keras_attention.layers import SpatialAttention
from tests.layers.gate_weights import SHAPES, each_shape, each_variant, noisy, spatial_weights
from tests.layers.helpers import numpy, random
from tests.pairs import all_pairs
from tests.reference import gates as reference


@pytest.mark.parametrize(
    ("shape", "variant", "kernel_size"), all_pairs([*SHAPES.values()], ["paper", "reference"], [3, 7])
)
def test_is_equation_3(shape, variant, kernel_size):
    """Also of maps smaller than the kernel: the border is padded with zeros."""
    x = random(*shape)
    layer = noisy(SpatialAttention(kernel_size, variant=variant), x)
    output, gates = layer(x, return_attention_scores=True)
    expected = reference.spatial_gates(x, **spatial_weights(layer))
    assert gates.shape == (*shape[:-1], 1)
    np.testing.assert_allclose(numpy(gates)[..., 0], expected, atol=1e-5)
    np.testing.assert_allclose(numpy(output), reference.gate_positions(x, expected), atol=1e-5)


@each_variant
@each_shape
def test_channels_first_equals_channels_last(shape, variant):
    x = random(*shape)
    last = noisy(SpatialAttention(3, variant=variant), x)
    first = SpatialAttention(3, variant=variant, data_format="channels_first")
    moved = np.moveaxis(x, -1, 1)
    first(moved)
    first.set_weights(last.get_weights())
    mask = random(*shape[:-1], seed=3) > 0
    for kwargs in ({}, {"mask": mask}):
        a, b = (layer(y, return_attention_scores=True, **kwargs) for layer, y in ((last, x), (first, moved)))
        for left, right in zip(a, b):
            np.testing.assert_allclose(np.moveaxis(numpy(left), -1, 1), numpy(right), atol=1e-6)


def test_a_new_gate_of_the_reference_is_one_half():
    x = random(2, 5, 7, 6)
    layer = SpatialAttention(variant="reference")
    for training in (True, False):
        output, gates = layer(x, training=training, return_attention_scores=True)
        np.testing.assert_array_equal(numpy(gates), 0.5)
        np.testing.assert_array_equal(numpy(output), 0.5 * x)


def test_gates_do_not_depend_on_the_order_of_channels():
    x = random(2, 5, 7, 6)
    layer = noisy(SpatialAttention(), x)
    gates = [numpy(layer(y, return_attention_scores=True)[1]) for y in (x, x[..., [3, 0, 5, 1, 4, 2]])]
    np.testing.assert_allclose(*gates, atol=1e-6)


def test_mean_and_max_of_one_channel_are_equal():
    x = random(2, 5, 7, 1)
    layer = noisy(SpatialAttention(), x)
    before = numpy(layer(x))
    layer.conv.kernel.assign(numpy(layer.conv.kernel)[:, :, ::-1])
    np.testing.assert_allclose(numpy(layer(x)), before, atol=1e-6)


@pytest.mark.parametrize("kernel_size, weights", [(3, 18), (7, 98)])
def test_parameter_counts(kernel_size, weights):
    paper, published = SpatialAttention(kernel_size), SpatialAttention(kernel_size, variant="reference")
    for layer in (paper, published):
        layer.build((None, None, None, 64))
    assert paper.count_params() == weights
    assert published.count_params() == weights + 4
    assert sum(int(np.prod(w.shape)) for w in published.trainable_variables) == weights + 2


def test_the_reference_pools_the_max_before_the_mean():
    """With an identity batch normalization and the slices of the kernel swapped, both variants are equal."""
    x = random(2, 5, 7, 6)
    paper = noisy(SpatialAttention(), x)
    published = SpatialAttention(variant="reference")
    published(x)
    kernel = numpy(paper.conv.kernel)
    published.set_weights([kernel, np.full(1, np.sqrt(1 + 1e-5)), np.zeros(1), np.zeros(1), np.ones(1)])
    assert np.abs(numpy(published(x)) - numpy(paper(x))).max() > 0.01
    published.conv.kernel.assign(kernel[:, :, ::-1])
    np.testing.assert_allclose(numpy(published(x)), numpy(paper(x)), atol=1e-5)


def test_the_batch_normalization_has_the_published_momentum_and_epsilon():
    """PyTorch's momentum 0.01 is Keras's 0.99; epsilon 1e-5."""
    x = random(2, 5, 7, 6)
    layer = noisy(SpatialAttention(variant="reference"), x)
    mean = numpy(layer.norm.moving_mean)
    pools = np.stack([x.max(-1), x.mean(-1)], -1)
    logits = numpy(layer.conv(pools))
    layer(x, training=True)
    np.testing.assert_allclose(numpy(layer.norm.moving_mean), 0.99 * mean + 0.01 * logits.mean(), atol=1e-5)
    assert layer.norm.epsilon == 1e-5


@each_variant
@each_shape
def test_padding_is_read_as_zeros(shape, variant):
    x, mask = random(*shape), random(*shape[:-1], seed=3) > -0.5
    layer = noisy(SpatialAttention(3, variant=variant), x)
    expected = reference.gate_positions(x, reference.spatial_gates(x, mask=mask, **spatial_weights(layer)))
    output = layer(np.where(mask[..., None], x, np.nan).astype("float32"), mask=mask)
    np.testing.assert_allclose(numpy(output), expected * mask[..., None], atol=1e-5)


@pytest.mark.parametrize("kernel_size", [4, 0])
def test_bad_kernel_sizes(kernel_size):
    with pytest.raises(
        ValueError, match=f"`kernel_size` must be a positive int, and odd. Received: kernel_size={kernel_size}"
    ):
        SpatialAttention(kernel_size)
