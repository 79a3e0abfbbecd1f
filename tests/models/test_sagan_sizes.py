"""SAGAN: published parameter counts, shapes of the stages, positions of the attention, bad arguments."""

import numpy as np
import pytest

from keras_attention import models
from keras_attention.layers import SelfAttention2D
from tests.models.helpers import without_memory


def size(weights):
    return sum(int(np.prod(w.shape)) for w in weights)


def both(**kwargs):
    """(trainable, all) parameters of the generator and of the discriminator."""
    with without_memory():
        return [(size(model.trainable_variables), model.count_params()) for model in models.sagan(**kwargs)]


def by_stage(model):
    """Trainable parameters by the first word of the layers' names, attention apart."""
    counts = {}
    for layer in model.layers:
        stage = "attention" if isinstance(layer, SelfAttention2D) else layer.name.split("_")[0]
        counts[stage] = counts.get(stage, 0) + size(layer.trainable_variables)
    return {stage: count for stage, count in counts.items() if count}


def test_parameter_counts_of_the_published_networks():
    with without_memory():
        generator, discriminator = models.sagan()
    assert size(generator.trainable_variables) == 42_078_852
    assert generator.count_params() == 42_111_623
    assert by_stage(generator) == {
        "first": 2_113_536,
        "block1": 24_022_016,
        "block2": 10_675_712,
        "block3": 3_437_312,
        "attention": 81_921,
        "block4": 1_243_520,
        "block5": 502_976,
        "last": 1_859,
    }
    assert size(discriminator.trainable_variables) == 39_463_618
    assert discriminator.count_params() == 39_472_843
    assert by_stage(discriminator) == {
        "block1": 38_976,
        "block2": 229_760,
        "attention": 20_481,
        "block3": 918_272,
        "block4": 3_671_552,
        "block5": 14_683_136,
        "block6": 18_876_416,
        "logits": 1_025_025,
    }


def test_parameter_counts_of_the_baselines():
    [(generator, _), (discriminator, _)] = both(baseline="sngan_projection")
    assert (generator, discriminator) == (41_996_931, 30_041_857)
    [(generator, _), (discriminator, _)] = both(baseline="ac_gan")
    assert generator == 41_996_931
    assert discriminator == 39_463_618 - 20_481 - 1_024_000 + 1_025_000


def test_parameter_counts_of_small_networks():
    [(generator, _), (discriminator, _)] = both(channels=8, num_classes=10)
    assert (generator, discriminator) == (747_828, 603_098)


SHAPES = {
    32: [(8, 4), (16, 2), (32, 1)],
    64: [(8, 8), (16, 4), (32, 2), (64, 1)],
    128: [(8, 16), (16, 8), (32, 4), (64, 2), (128, 1)],
    256: [(8, 16), (16, 16), (32, 8), (64, 4), (128, 2), (256, 1)],
}


@pytest.mark.parametrize("image_size", SHAPES)
def test_shapes_of_the_stages(image_size):
    """Rows, and channels in units of 3; the discriminator has the generator's in reverse order."""
    with without_memory():
        generator, discriminator = models.sagan(image_size, num_classes=5, channels=3, attention_at=16)
    shapes = SHAPES[image_size]
    for number, (rows, width) in enumerate(shapes, 1):
        assert generator.get_layer(f"block{number}_add").output.shape == (None, rows, rows, 3 * width)
        shape = discriminator.get_layer(f"block{len(shapes) + 1 - number}_add").output.shape
        assert shape == (None, rows // 2, rows // 2, 3 * width)
    last = discriminator.get_layer("last_relu").output
    assert last.shape == (None, 4, 4, 3 * shapes[0][1])
    for model in (generator, discriminator):
        [attention] = [layer for layer in model.layers if isinstance(layer, SelfAttention2D)]
        assert attention.output.shape[1:3] == (16, 16) and attention.spectral_normalization


def test_attention_follows_attention_at_and_attention_kwargs():
    with without_memory():
        two_sizes = models.sagan(
            32, 5, channels=8, attention_at=(16, 8), attention_kwargs={"variant": "paper", "reduction": 4}
        )
        without = models.sagan(32, 5, channels=2, attention_at=None)
    for model in two_sizes:
        attentions = [layer for layer in model.layers if isinstance(layer, SelfAttention2D)]
        assert sorted(layer.output.shape[1] for layer in attentions) == [8, 16]
        assert all(layer.variant == "paper" and layer.reduction == 4 for layer in attentions)
    for model in without:
        assert not any(isinstance(layer, SelfAttention2D) for layer in model.layers)


def test_sngan_initializes_and_normalizes_as_published():
    generator, discriminator = models.sagan(32, 5, channels=16, baseline="sngan_projection")
    norm, last = generator.get_layer("block1_norm1"), generator.get_layer("last_norm")
    assert (norm.momentum, norm.epsilon, last.momentum, last.epsilon) == (0.9, 2e-5, 0.9, 2e-5)
    for layer, gain in (("block2_conv1", 2**0.5), ("block2_shortcut", 1), ("last_conv", 1)):
        kernel = np.asarray(generator.get_layer(layer).get_weights()[0])
        fans = np.prod(kernel.shape[:3]), np.prod(kernel.shape[:2]) * kernel.shape[3]
        np.testing.assert_allclose(np.abs(kernel).max(), gain * (6 / sum(fans)) ** 0.5, rtol=0.05)
    assert discriminator.get_layer("block2_conv1").layer.filters == 16  # its input channels, not its 32 output channels
    assert not any("/u" in w.path for w in generator.weights)


def test_sagan_normalizes_as_published():
    with without_memory():
        generator, _ = models.sagan(32, 5, channels=2, attention_at=16)
    norm, last = generator.get_layer("block1_norm1"), generator.get_layer("last_norm")
    assert (norm.momentum, norm.epsilon, last.momentum, last.epsilon) == (0.999, 1e-5, 0.9999, 1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_size": 48}, "`image_size` must be a power of 2 .*Received: image_size=48"),
        ({"image_size": 4}, "`image_size` must be a power of 2 .*Received: image_size=4"),
        ({"image_size": 0}, "`image_size` must be a positive int"),
        ({"num_classes": 0}, "`num_classes` must be `None` or a positive int"),
        ({"channels": 0}, "`channels` must be a positive int"),
        ({"attention_at": 32}, "`attention_at` must be .*\\(8, 16\\).*Received: attention_at=32"),
        ({"attention_at": (8, 12)}, "`attention_at` must be .*Received: attention_at=\\(8, 12\\)"),
        ({"baseline": "dcgan"}, "`baseline` must be one of .*Received: baseline='dcgan'"),
        ({"generator": {"noise_dim": 0}}, "`noise_dim` must be a positive int"),
        ({"generator": {"norm_momentum": 0.9}}, "`norm_momentum` must be two floats in .*Received: norm_momentum=0.9"),
        ({"generator": {"output_channels": 0}}, "`output_channels` must be a positive int"),
        ({"discriminator": {"conditioning": "acgan"}}, "`conditioning` must be one of .*Received: conditioning="),
        ({"image_size": 16, "discriminator": {"conditioning": "concatenation"}}, "needs images of at least 32 pixels"),
        ({"discriminator": {"hidden_width": 3}}, "`hidden_width` must be one of .*Received: hidden_width=3"),
        ({"discriminator": {"input_channels": 0}}, "`input_channels` must be a positive int"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.sagan(**{"image_size": 32, "num_classes": 5, "channels": 2, "attention_at": 8, **arguments})
