"""Files that an earlier version wrote still load, and answer as they did: one of every layer and every factory."""

import inspect
import io
import tarfile

import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.goldens import ARCHIVES

FILES = {}
for path in ARCHIVES:
    with tarfile.open(path) as archive:
        FILES |= {member.name: archive.extractfile(member).read() for member in archive}
NAMES = sorted(name.removesuffix(".keras") for name in FILES if name.endswith(".keras"))


# Layers without a file of their own, which are parts of the files of models and of other layers.
PARTS = {"FirstLocation", "GatedRecurrentCell", "ImageGrid", "LocationPolicy", "SplitChannels", "UnusedConvolution"}


def test_every_layer_has_a_file():
    names = {name.partition("-")[0] for name in NAMES}
    classes = {name for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    assert classes - PARTS <= names, "write its file by the version that has it first"
    assert {"transformer", "sagan", "selection_gan", "vision_transformer", "bert", "gpt", "whisper"} < names and len(
        NAMES
    ) > 60


@pytest.mark.parametrize("name", NAMES)
def test_answers_as_when_it_was_saved(name, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(FILES[f"{name}.keras"])
    numbers = np.load(io.BytesIO(FILES[f"{name}.npz"]))
    given = {key.partition("/")[2]: x for key, x in numbers.items() if key.startswith("input/")}
    model = keras.models.load_model(path)
    if "0" in given:  # without names; a single one may have come back as a list of one
        given = keras.tree.pack_sequence_as(model.input, [given[str(i)] for i in range(len(given))])
    answers = keras.tree.flatten(model(given))
    assert len(answers) == sum(key.startswith("output/") for key in numbers)
    for i, found in enumerate(answers):
        found = keras.ops.convert_to_numpy(keras.ops.cast(found, "float32"))
        np.testing.assert_allclose(found, numbers[f"output/{i}"], atol=1e-5, rtol=1e-4)
