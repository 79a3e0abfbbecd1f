"""SpectralNormalization as a wrapper: dtypes, regularizers, masks, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import SpectralNormalization
from tests.layers.helpers import numpy, random
from tests.layers.test_spectral_normalization import kernel_of, make
from tests.reference import spectral as reference


def test_dtype_is_that_of_the_layer():
    for layer in (
        SpectralNormalization(keras.layers.Dense(4), dtype="mixed_bfloat16"),
        SpectralNormalization(keras.layers.Dense(4, dtype="mixed_bfloat16")),
    ):
        twin = SpectralNormalization.from_config(layer.get_config())
        assert keras.backend.standardize_dtype(twin(random(2, 3)).dtype) == "bfloat16"


def test_a_kernel_regularizer_gets_the_stored_kernel():
    layer = SpectralNormalization(keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(1.0)))
    layer(random(2, 3))
    layer.layer.kernel.assign(2 * random(3, 4))
    [loss] = layer.losses
    np.testing.assert_allclose(numpy(loss), np.sum((2 * random(3, 4)) ** 2), rtol=1e-5)


@pytest.mark.parametrize("jit", [keras.backend.backend() == "jax"])
def test_an_activity_regularizer_of_the_wrapper_counts_as_that_of_any_layer(jit):
    """Once; whether it is divided by the batch depends on the version of Keras."""
    layer = SpectralNormalization(keras.layers.Dense(4), activity_regularizer=keras.regularizers.L1(1.0))
    x, losses = random(2, 3), []
    layer(x)
    sigma, _ = reference.spectral_norm(numpy(kernel_of(layer)), numpy(layer.u))
    plain = keras.layers.Dense(4, activity_regularizer=keras.regularizers.L1(1.0))
    plain.build(x.shape)
    plain.set_weights([numpy(kernel_of(layer)) / sigma, np.zeros(4)])
    for each in (layer, plain):
        inputs = keras.Input((3,))
        model = keras.Model(inputs, each(inputs))
        model.compile(keras.optimizers.SGD(0.0), lambda _, y: 0.0 * ops.sum(y, axis=-1), jit_compile=jit)
        losses.append(model.train_on_batch(x, np.zeros((2, 4))))
    assert losses[1] > 0.1
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_the_mask_of_an_embedding_is_propagated():
    layer = SpectralNormalization(keras.layers.Embedding(7, 4, mask_zero=True))
    tokens = np.array([[1, 0, 6], [2, 3, 0]])
    np.testing.assert_array_equal(numpy(layer.compute_mask(tokens)), tokens != 0)
    np.testing.assert_array_equal(numpy(layer(tokens)._keras_mask), tokens != 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"layer": "dense"}, "`layer` must be one of .*Received: layer='dense'"),
        ({"layer": keras.layers.ReLU()}, "`layer` must be one of .*Received"),
        ({"layer": keras.layers.SeparableConv2D(4, 3)}, "`layer` must be one of .*Received"),
        ({"layer": keras.layers.Dense(4, activity_regularizer="l2")}, "`layer` must not have .*`activity_regularizer`"),
        ({"iterations": 0}, "`iterations` must be a positive int. Received: iterations=0"),
        ({"epsilon": 0.0}, "`epsilon` must be a finite number greater than 0. Received: epsilon=0.0"),
    ],
)
def test_bad_arguments_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralNormalization(**{"layer": keras.layers.Dense(4), **arguments})


@pytest.mark.parametrize("change", ["quantize", "enable_lora"])
@pytest.mark.parametrize("kind", ["dense", "heads", "embedding"])
def test_quantization_and_lora_are_refused_before_they_change_the_layer(change, kind):
    layer, x, _ = make(kind)
    weights, expected = [w.path for w in layer.weights], numpy(layer(x))
    with pytest.raises(
        NotImplementedError, match=f"`{layer.layer.name}` is spectrally normalized, and supports neither"
    ):
        getattr(layer.layer, change)("int8" if change == "quantize" else 2)
    assert [w.path for w in layer.weights] == weights
    np.testing.assert_array_equal(numpy(layer(x)), expected)


@pytest.mark.parametrize("change", ["quantize", "enable_lora", "dtype"])
def test_a_quantized_layer_and_one_with_lora_are_refused_at_once(change):
    dense, kwargs = keras.layers.Dense(4), {}
    dense.build((2, 3))
    if change == "dtype":
        dense, kwargs = keras.layers.Dense(4), {"dtype": "int8_from_float32"}
    else:
        getattr(dense, change)("int8" if change == "quantize" else 2)
    with pytest.raises(ValueError, match="`layer` must be neither quantized nor have LoRA.*Received: .*('int8'|=2)"):
        SpectralNormalization(dense, **kwargs)


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
@pytest.mark.filterwarnings("ignore:.*is spectrally normalized")
def test_a_model_is_quantized_except_for_the_normalized_kernels(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    x = SpectralNormalization(keras.layers.Embedding(7, 4))(tokens)
    model = keras.Model(tokens, keras.layers.Dense(5)(SpectralNormalization(keras.layers.Dense(6))(x)))
    for i, w in enumerate(model.weights):
        w.assign(random(*w.shape, seed=i))
    x = np.array([[1, 0, 6], [2, 3, 1]])
    exact = numpy(model(x))
    with pytest.warns(UserWarning, match="is spectrally normalized"):
        model.quantize("int8")
    assert [str(w.dtype) for w in model.weights].count("int8") == 1
    quantized = numpy(model(x))
    assert 1e-4 < np.abs(quantized - exact).max() < 0.05 * np.abs(exact).max()
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(twin(x)), quantized, atol=1e-6)
