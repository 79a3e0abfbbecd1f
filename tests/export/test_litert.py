import numpy as np
import pytest

from keras_attention.export import export_litert
from tests.export import models
from tests.export.subjects import FACTORIES, LAYERS, assert_same, parameters

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
SUBJECTS = [*LAYERS, *FACTORIES]
QUICK = ("LocalAttention1D", "GatedRecurrentUnit", "GlimpseSensor")
ANY_SIZE = ("MultiHeadAttention", "BahdanauAttention", "SelfAttention2D", "NonLocalBlock")


def run(path, data):
    return interpreter.Interpreter(model_path=str(path)).get_signature_runner()(**data)


@pytest.mark.parametrize("subject", parameters(SUBJECTS, QUICK))
def test_known_sizes(subject, tmp_path):
    model = subject.model()
    data = subject.data(model)
    path = export_litert(model, tmp_path / "model.tflite", input_signature=subject.specs(model), verify=data)
    assert_same(model, data, run(path, data))


@pytest.mark.parametrize("subject", [x for x in SUBJECTS if x.name in ANY_SIZE], ids=str)
def test_any_size(subject, tmp_path):
    model = subject.model()
    path = export_litert(model, tmp_path / "model.tflite", verify=subject.data(model))
    data = subject.data(model, more=2)
    assert_same(model, data, run(path, data))


def test_padding_is_ignored(tmp_path):
    """The mask of an embedding, by new axes of unknown sizes."""
    model = models.classifier()
    path = export_litert(model, tmp_path / "model.tflite")
    tokens = np.array([[3, 5, 0, 0, 0], [2, 0, 0, 0, 0]], "int32")
    assert_same(model, {"tokens": tokens}, run(path, {"tokens": tokens}))


def test_an_operation_that_is_not_built_in_is_named(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"older")
    with pytest.raises(ValueError, match="must be made of operations that LiteRT has built in"):
        export_litert(models.singular_values(), path)
    assert path.read_bytes() == b"older" and list(tmp_path.iterdir()) == [path]


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must be the local path of a `\.tflite` file"):
        export_litert(models.table(), tmp_path / "model.onnx")
