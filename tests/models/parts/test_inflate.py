"""Inflation of image ResNets into video ResNets."""

import keras
import numpy as np
import pytest

from keras_attention.models import AttentionResNet, NonLocalResNet, inflate_weights
from tests.layers.helpers import numpy, random
from tests.models.test_attention_resnet import noisy

SIZES = {"blocks": (1, 2), "width": 4, "num_classes": 3}


def stage(model, name):
    return keras.Model(model.input, model.get_layer(name).output)


@pytest.mark.parametrize("inflation", ["3x1x1", "3x3x3"])
def test_inflated_convolution_of_a_static_clip_matches_the_image_inside(inflation):
    image, clip = noisy(AttentionResNet(**SIZES)), NonLocalResNet(**SIZES, inflation=inflation, temporal_stride=1)
    inflate_weights(image, clip)
    x = random(2, 20, 22, 3)
    still = np.repeat(x[:, None], 9, axis=1)
    expected = numpy(stage(image, "stem_relu")(x))
    got = numpy(stage(clip, "stem_relu")(still))
    for frame in range(2, 7):
        np.testing.assert_allclose(got[:, frame], expected, atol=1e-4)
    assert np.abs(got[:, 0] - expected).max() > 1e-2, "the first frame has zero padding"


def test_i3d_of_a_static_clip_matches_the_image_network_inside():
    """Far from the ends: each inflated kernel extends the effect of zero padding."""
    image, clip = noisy(AttentionResNet(**SIZES)), NonLocalResNet(**SIZES, inflation="3x1x1", temporal_stride=1)
    inflate_weights(image, clip)
    x = random(1, 20, 22, 3)
    expected = numpy(stage(image, "stage2_block2_out")(x))
    got = numpy(stage(clip, "stage2_block2_out")(np.repeat(x[:, None], 24, axis=1)))
    np.testing.assert_allclose(got[:, 6], expected, atol=1e-3)


def test_c2d_of_a_static_clip_matches_the_image_network():
    image, clip = noisy(AttentionResNet(**SIZES)), NonLocalResNet(**SIZES)
    written = inflate_weights(image, clip)
    assert set(written) == {layer.name for layer in clip.layers if layer.weights}
    x = random(2, 20, 22, 3)
    np.testing.assert_allclose(numpy(clip(np.repeat(x[:, None], 8, axis=1))), numpy(image(x)), atol=1e-3)


def test_c2d_inflates_into_i3d_with_non_local_blocks():
    c2d = noisy(NonLocalResNet(**SIZES))
    i3d = NonLocalResNet(**{**SIZES, "num_classes": 5}, non_local={"res3": (0,)}, inflation="3x1x1")
    written = inflate_weights(c2d, i3d)
    assert "logits" not in written and "stage2_block1_non_local" not in written
    kernel = numpy(i3d.get_layer("stem_conv").kernel)
    assert kernel.shape[0] == 5
    np.testing.assert_allclose(kernel.sum(0), numpy(c2d.get_layer("stem_conv").kernel)[0], atol=1e-5)
    np.testing.assert_allclose(kernel[0], kernel[4])
    second = "stage2_block2_conv1"  # not inflated
    np.testing.assert_array_equal(numpy(i3d.get_layer(second).kernel), numpy(c2d.get_layer(second).kernel))


def test_models_that_do_not_match_raise():
    small = {**SIZES, "blocks": (1,)}
    clip = NonLocalResNet(**small)
    with pytest.raises(ValueError, match="`stem_conv`"):
        inflate_weights(AttentionResNet(**{**small, "width": 5}), clip)
    for name, arguments in (("layout='caffe'", {"layout": "caffe"}), ("attention='se'", {"attention": "se"})):
        with pytest.raises(ValueError, match=f"`source` must.*{name}"):
            inflate_weights(AttentionResNet(**small, **arguments), clip)
    with pytest.raises(ValueError, match="No layer"):
        inflate_weights(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), clip)
