import keras
import pytest

from keras_attention.export.checks import require_extra, require_model, require_verify
from tests.export import models


def test_models():
    require_model(models.table(), "export_onnx")
    with pytest.raises(ValueError, match="`model` must be a Keras model. Received: 3"):
        require_model(3, "export_onnx")
    with pytest.raises(ValueError, match="must be built: call unbuilt once"):
        require_model(keras.Sequential([keras.layers.Dense(3)], name="unbuilt"), "export_onnx")


def test_verification():
    for value in (True, False, {}, {"x": [1]}):
        require_verify(value)
    with pytest.raises(ValueError, match="`verify`"):
        require_verify("yes")


def test_a_missing_package_names_the_extra():
    require_extra("keras")
    with pytest.raises(ImportError, match=r"needs nowhere_to_be_found: .* 'keras-attention-layers\[export\]'"):
        require_extra("keras", "nowhere_to_be_found")
