"""int8 quantization and LoRA of nested projections survive saving to `.keras`."""

import keras
import numpy as np
import pytest

from keras_attention.layers import TransformerEncoderBlock
from tests.layers.helpers import noisy, numpy, random

B, T, D = 2, 5, 12


def model_of(block):
    return keras.Sequential([keras.Input((None, D)), noisy(block, random(B, T, D))])


@pytest.mark.usefixtures("few_objects")
@pytest.mark.parametrize("first", ["lora", "int8"])
def test_int8_and_lora_together_survive_the_file(first, tmp_path):
    block = TransformerEncoderBlock(4, 9)
    model, attention = model_of(block), block.self_attention
    for step in ("lora", "int8") if first == "lora" else ("int8", "lora"):
        attention.enable_lora(2) if step == "lora" else attention.quantize("int8")
    x = random(B, T, D, seed=1)
    expected = numpy(model(x))
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    dense = twin.layers[0].self_attention.query_dense
    assert dense.lora_rank == 2 and dense.quantization_mode == "int8"
    # The file holds kernel and adapter merged into one int8 kernel, rounded once more.
    np.testing.assert_allclose(numpy(twin(x)), expected, atol=0.05 * np.abs(expected).max())


def test_one_quantized_projection_survives_the_file(tmp_path):
    block = TransformerEncoderBlock(4, 9)
    model = model_of(block)
    block.self_attention.value_dense.quantize("int8")
    x = random(B, T, D, seed=1)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    attention = twin.layers[0].self_attention
    assert attention.value_dense.quantization_mode == "int8" and attention.query_dense.quantization_mode is None
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class Adapted(keras.layers.Layer):
    """A user's layer that does not know of the quantization and LoRA of its block."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.block = TransformerEncoderBlock(4, 9)

    def build(self, input_shape):
        self.block.build(input_shape)

    def call(self, inputs):
        return self.block(inputs)


@pytest.mark.usefixtures("few_objects")
def test_adapters_inside_a_custom_layer_survive_both_kinds_of_file(tmp_path):
    models = [keras.Sequential([keras.Input((T, D)), Adapted()]) for _ in range(2)]
    block, x = models[0].layers[0].block, random(B, T, D, seed=1)
    block.self_attention.enable_lora(2)
    adapter = block.self_attention.value_dense.lora_kernel_b
    adapter.assign(random(*adapter.shape, seed=2))
    block.feed_forward.expand.quantize("int8")
    expected = numpy(models[0](x))
    models[0].save(tmp_path / "model.keras")
    models[0].save_weights(tmp_path / "model.weights.h5")
    models[1].load_weights(tmp_path / "model.weights.h5")
    for twin in (keras.models.load_model(tmp_path / "model.keras"), models[1]):
        np.testing.assert_allclose(numpy(twin(x)), expected, atol=1e-5)
        assert twin.layers[0].block.self_attention.value_dense.lora_rank == 2
        assert twin.layers[0].block.feed_forward.expand.quantization_mode == "int8"


def test_nothing_is_saved_without_adapters():
    layer, store = model_of(TransformerEncoderBlock(4, 9)).layers[0], {}
    layer.save_own_variables(store)
    assert "adapted" not in {**layer.get_build_config(), **store}
