import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.helpers import noisy, numpy, random
from tests.reference import decoder_only as reference


def test_is_equation_4():
    x = random(2, 5, 12)
    layer = noisy(layers.RMSNormalization(epsilon=0.1), x)
    expected = reference.rms_norm(x, numpy(layer.scale), epsilon=0.1)
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)


def test_large_inputs_do_not_overflow_in_half_precision():
    x = 1000 * random(2, 5, 12)
    output = numpy(keras.ops.cast(layers.RMSNormalization(dtype="float16")(x), "float32"))
    np.testing.assert_allclose(output, reference.rms_norm(x, np.ones(12)), atol=5e-3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`epsilon`.*epsilon=0"):
        layers.RMSNormalization(epsilon=0)
    with pytest.raises(ValueError, match=r"last axis of `inputs` must be known.*\(2, None\)"):
        layers.RMSNormalization().build((2, None))
