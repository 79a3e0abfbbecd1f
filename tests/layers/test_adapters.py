"""int8 and LoRA of projections deep inside a layer come back from `.keras`."""

import keras
import numpy as np
import pytest

from keras_attention.layers import TransformerEncoderBlock
from tests.layers.helpers import noisy, numpy, random

B, T, D = 2, 5, 12


def model_of(block):
    return keras.Sequential([keras.Input((None, D)), noisy(block, random(B, T, D))])


@pytest.mark.parametrize("first", ["lora", "int8"])
def test_both_at_once(first, tmp_path):
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
    # The file holds kernel and adapter as one int8 kernel, rounded once more.
    np.testing.assert_allclose(numpy(twin(x)), expected, atol=0.05 * np.abs(expected).max())


def test_one_projection_alone(tmp_path):
    block = TransformerEncoderBlock(4, 9)
    model = model_of(block)
    block.self_attention.value_dense.quantize("int8")
    x = random(B, T, D, seed=1)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    attention = twin.layers[0].self_attention
    assert attention.value_dense.quantization_mode == "int8" and attention.query_dense.quantization_mode is None
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), atol=1e-5)


def test_nothing_is_written_where_nothing_was_done():
    assert "adapted" not in model_of(TransformerEncoderBlock(4, 9)).layers[0].get_build_config()
