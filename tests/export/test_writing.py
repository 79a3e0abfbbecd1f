"""A SavedModel that cannot be written is an `OSError`, and nothing of it stays."""

import keras
import numpy as np
import pytest

from keras_attention import export
from tests.training.test_files import full_disk

if keras.backend.backend() != "tensorflow":
    pytest.skip("exports are made on TensorFlow", allow_module_level=True)


def test_a_full_disk_is_an_os_error_and_leaves_the_versions(tmp_path):
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(9000)(x))
    (tmp_path / "1").mkdir()
    with full_disk(60_000), pytest.raises(OSError, match="The export cannot be written .*File too large"):
        export.export_saved_model(model, tmp_path, verify=False)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    path = export.export_saved_model(model, tmp_path, verify=False)
    assert path.name == "2" and np.sum([f.stat().st_size for f in path.rglob("*")]) > 4 * 9000 * 4
