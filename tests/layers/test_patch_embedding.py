import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import pooling as reference


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_projects_each_patch(data_format):
    x = random(2, 4, 9, 5)
    given = x if data_format == "channels_last" else x.transpose(0, 3, 1, 2)
    layer = noisy(layers.PatchEmbedding((2, 3), 7, data_format=data_format), given)
    kernel, bias = numpy(layer.projection.kernel), numpy(layer.projection.bias)
    expected = np.array([reference.patches(image, kernel, bias) for image in x])
    np.testing.assert_allclose(numpy(layer(given)), expected, atol=1e-5)


def test_images_of_any_size():
    layer = layers.PatchEmbedding(3, 7)
    output = layer(keras.Input((None, None, 5)))
    assert tuple(output.shape) == (None, None, 7)
    assert tuple(layer(random(2, 6, 9, 5)).shape) == (2, 6, 7)
    assert tuple(layer(random(1, 3, 12, 5)).shape) == (1, 4, 7)


@pytest.mark.parametrize("shape", [(2, 5, 9, 5), (2, 4, 10, 5)])
def test_sizes_that_are_no_multiple_are_refused(shape):
    message = (
        rf"multiples of `patch_size`. Received: inputs.shape=\({', '.join(map(str, shape))}\), patch_size=\(2, 3\)"
    )
    layer = layers.PatchEmbedding((2, 3), 7)
    with pytest.raises(ValueError, match=message):
        layer(random(*shape))
    layer.build((None, None, None, 5))
    with pytest.raises(ValueError, match=message):
        layer(random(*shape))
    with pytest.raises(ValueError, match="multiples of `patch_size`"):
        layer(keras.Input(shape[1:]))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"`patch_size` must be two ints .*patch_size=\(2, 3, 4\)"):
        layers.PatchEmbedding((2, 3, 4), 7)
    with pytest.raises(ValueError, match=r"\[B, Y, X, C\].*\(2, 5, 7\)"):
        layers.PatchEmbedding(2, 7)(random(2, 5, 7))
