"""OpenVINO reads SavedModels."""

import pytest

from keras_attention.export import export_saved_model
from tests.export.subjects import FACTORIES, LAYERS, assert_same, parameters

openvino = pytest.importorskip("openvino")


@pytest.mark.parametrize("subject", parameters([*LAYERS, *FACTORIES], ["GatedRecurrentUnit"]))
def test_any_size(subject, tmp_path):
    model = subject.model()
    path = export_saved_model(model, tmp_path, lengths={}, verify=subject.data(model))
    compiled = openvino.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    taken = {name for given in compiled.inputs for name in given.names}
    data = subject.data(model, more=2)
    outputs = compiled({name: x for name, x in data.items() if name in taken}).items()
    renamed = {f"{name}_1": name for name in taken}  # an output with the name of an input
    assert_same(model, data, {renamed.get(x.get_any_name(), x.get_any_name()): value for x, value in outputs})
