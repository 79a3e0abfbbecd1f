import keras
import pytest

from keras_attention import layers


@pytest.mark.parametrize("layer", [layers.ALiBi, layers.RelativePositionBias])
def test_masks_are_ignored_without_a_warning(layer):
    """Warnings are errors here: Keras has one for a layer that loses a mask."""
    x = keras.layers.Masking()(keras.Input((5, 12)))
    bias = layer(num_heads=3)(x)
    assert tuple(bias.shape) == (1, 3, 9) and getattr(bias, "_keras_mask", None) is None
