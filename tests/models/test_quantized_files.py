"""Quantized models compute the same after saving and loading."""

import keras
import numpy as np
import pytest

from keras_attention import models
from tests.layers.helpers import numpy, random
from tests.models import helpers
from tests.models.image_helpers import VARIANTS, small

RECURRENT = {"embedding_dim": 5, "units": 6}
IDS = {"source": np.array([[5, 7, 2], [3, 2, 0]]), "target": np.array([[1, 4, 6, 2], [1, 2, 0, 0]])}
GLIMPSES = {"num_glimpses": 2, "size": 3, "glimpse_units": 7, "location_units": 5, "units": 8}
MODELS = {
    "recurrent_attention": (lambda: models.recurrent_attention(**GLIMPSES), lambda: random(4, 9, 11, 1)),
    "se": (lambda: models.AttentionResNet((1,), False, "se", {"ratio": 2}, 3, 4, "3x3"), lambda: random(2, 6, 5, 3)),
    "non_local": (
        lambda: models.NonLocalResNet((1,), {"res2": (0,)}, num_classes=3, width=4, temporal_stride=1),
        lambda: random(2, 4, 8, 11, 3),
    ),
    "luong": (lambda: models.luong_lstm(11, 13, num_layers=1, **RECURRENT), lambda: IDS),
    "rnn_search": (lambda: models.rnn_search(11, 13, **RECURRENT), lambda: IDS),
    "transformer": (helpers.small, lambda: helpers.INPUTS),
    "image_transformer": (
        lambda: small(**{**VARIANTS["2d"], "num_layers": 1}),
        lambda: np.random.default_rng(0).integers(0, 256, (2, 3, 4, 3)).astype("int32"),
    ),
}
SLOW = ("transformer",)
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in MODELS]


def answer(model, inputs):
    outputs = model(inputs)
    return numpy(outputs["logits"] if isinstance(outputs, dict) else outputs)


@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
@pytest.mark.parametrize("name", NAMES)
def test_save_and_load_after_int8(name, tmp_path):
    make, inputs = MODELS[name]
    model, inputs = make(), inputs()
    for i, weight in enumerate(model.trainable_variables):  # initial outputs of some models are almost zero
        weight.assign(numpy(weight) + 0.3 * random(*weight.shape, seed=i))
    exact = answer(model, inputs)
    model.quantize("int8")
    quantized = answer(model, inputs)
    assert np.abs(quantized - exact).max() > 1e-4
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(answer(twin, inputs), quantized, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_save_and_load_of_a_model_quantized_before_its_first_call(tmp_path):
    model, x = models.recurrent_attention(**GLIMPSES), random(2, 9, 11, 1)
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(answer(twin, x), answer(model, x), atol=1e-5)
    assert any(w.dtype == "int8" for w in twin.weights)
