"""Writes `.keras` files of new layers and model factories, with inputs and outputs, into a new archive.

Archives are of the versions that had these first; see `README.md`.
"""

import io
import pathlib
import sys
import tarfile
import tempfile

import keras
import numpy as np

from keras_attention import models
from tests.goldens import FOLDER
from tests.layers.cases import CASES
from tests.layers.conformance import answer, arrays, functional
from tests.layers.helpers import random
from tests.models import helpers, image_helpers, test_sagan, test_selection_gan
from tests.models.factories import INPUTS, NETWORKS

ROLES = ("generator", "discriminator")
MODELS = {
    "recurrent_attention": "RecurrentAttention",
    "non_local": "NonLocalResNet",
    "luong": "LuongLSTM",
    "rnn_search": "RNNSearch",
    "transformer": "Transformer",
    "vision_transformer": "VisionTransformer",
    "bert": "BERT",
    "gpt": "GPT",
    "whisper": "Whisper",
}


def of_layers():
    """Yields (name, model, inputs): for each layer, the first case of each number of weights."""
    for case in {(case.layer, case.weights): case for case in reversed(CASES)}.values():
        yield str(case), functional(case), arrays(case)


def of_factories():
    for name, network in MODELS.items():
        yield name, helpers.noisy(NETWORKS[network]()), INPUTS[network]
    for variant in ("2d-learned", "mixture-super-resolution-pre-norm"):
        model = image_helpers.small(**{**image_helpers.VARIANTS[variant], "num_layers": 1})
        yield f"image_transformer-{variant}", model, image_helpers.inputs_of(model)
    resnet = models.AttentionResNet((1, 1), True, "cbam", {"ratio": 2}, 3, 4, "3x3")
    yield "attention_resnet", helpers.noisy(resnet), random(2, 6, 5, 3)
    for role, model in zip(ROLES, test_sagan.small(), strict=True):
        yield f"sagan-{role}", model, test_sagan.call_on(model)
    for role, model in zip(ROLES, test_selection_gan.small(legacy_unused_conv=True), strict=True):
        sizes = {name: [n or size for n, size in zip(x.shape, (2, 32, 40, 3))] for name, x in model.input.items()}
        yield f"selection_gan-{role}", model, {name: np.tanh(random(*size)) for name, size in sizes.items()}


def outputs_of(model, inputs):
    """The outputs of the model as a flat list of NumPy arrays."""
    alone = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs
    return [np.asarray(x) for x in keras.tree.flatten(answer(lambda x: model(x), alone))]


def main(archive, *names):
    """Writes the files of these layers and factories, or of all."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(FOLDER / archive, "x:xz") as archive:
        for generate in (of_layers, of_factories):
            for name, model, inputs in generate():
                if names and name.partition("-")[0] not in names:
                    continue
                path = pathlib.Path(folder) / f"{name}.keras"
                model.save(path)
                given = dict(enumerate(inputs)) if isinstance(inputs, list) else inputs
                given = given if isinstance(given, dict) else {0: given}
                numbers = {f"input/{key}": x for key, x in given.items()}
                numbers |= {f"output/{i}": x for i, x in enumerate(outputs_of(model, inputs))}
                buffer = io.BytesIO()
                np.savez(buffer, **numbers)
                path.with_suffix(".npz").write_bytes(buffer.getvalue())
                for file in (path, path.with_suffix(".npz")):
                    archive.add(file, file.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
