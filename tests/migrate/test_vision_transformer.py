"""Vision Transformers of transformers, timm and torchvision: stored weights and outputs of the libraries."""

import numpy as np
import pytest

from keras_attention import migrate
from tests.goldens import cases
from tests.layers.helpers import numpy

GOLDENS = cases("vision_transformer")
SIZE = (6, 12)
each_golden = pytest.mark.parametrize("name", GOLDENS)


def golden(name):
    """Weights, image [B, Y, X, C] and outputs in float32; `image_size` where it is not a square."""
    found = dict(GOLDENS[name])
    weights = {key: x.astype("float32") for key, x in found.pop("weights").items()}
    found = {key: x.astype("float32") for key, x in found.items()}
    image = found.pop("image").transpose(0, 2, 3, 1)
    return weights, image, found, {} if image.shape[1] == image.shape[2] else {"image_size": SIZE}


@each_golden
def test_answers_as_the_library(name):
    weights, image, expected, size = golden(name)
    model = migrate.vision_transformer(weights, 3, **size, name="converted")
    assert model.name == "converted" and model.dropout == 0
    assert model.epsilon == (1e-12 if "transformers" in name else 1e-6)
    np.testing.assert_allclose(numpy(model(image)), expected["output"], atol=1e-5)
    if "hidden" in expected:
        np.testing.assert_allclose(numpy(model.encode(image)), expected["hidden"], atol=1e-5)
    for found, scores in zip(model.attention_scores(image), expected.get("scores", ())):
        np.testing.assert_allclose(numpy(found), scores, atol=1e-5)


def test_goldens_are_of_all_libraries():
    assert {name.partition("-")[0] for name in GOLDENS} == {"transformers", "timm", "torchvision"}
    assert all(np.std(golden["output"]) > 0.1 for golden in GOLDENS.values())
    older, newer = (set(GOLDENS[f"transformers-{kind}"]["weights"]) for kind in ("classifier", "state-dict"))
    assert "vit.encoder.layer.0.attention.attention.query.weight" in older
    assert "vit.layers.0.attention.q_proj.weight" in newer


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "timm")) for n in GOLDENS])
def test_the_output_depends_on_every_weight(name):
    """Except for key biases, which cancel in the softmax."""
    weights, image, expected, size = golden(name)
    model, rng = migrate.vision_transformer(weights, 3, **size), np.random.default_rng(0)
    for weight in model.weights:
        before = numpy(weight)
        weight.assign(before + 0.3 * rng.standard_normal(before.shape))
        moved = np.abs(model.predict_on_batch(image) - expected["output"]).max()
        assert moved > 1e-4 or weight.path.endswith("key/bias"), weight.path
        weight.assign(before)


def test_prefixes_and_older_names():
    weights, image, expected, size = golden("transformers-classifier")
    model = migrate.vision_transformer({f"module.{name}": x for name, x in weights.items()}, 3, **size)
    np.testing.assert_allclose(numpy(model(image)), expected["output"], atol=1e-5)
    weights, image, expected, _ = golden("torchvision")
    older = {".mlp.0.": ".mlp.linear_1.", ".mlp.3.": ".mlp.linear_2."}
    for new, old in older.items():
        weights = {name.replace(new, old): x for name, x in weights.items()}
    np.testing.assert_allclose(numpy(migrate.vision_transformer(weights, 3)(image)), expected["output"], atol=1e-5)


def test_arguments_of_the_model_and_no_head():
    weights, image, expected, size = golden("timm")
    weights = {name: x for name, x in weights.items() if not name.startswith("head.")}
    model = migrate.vision_transformer(weights, 3, **size, epsilon=1e-3, dropout=0.25)
    assert (model.epsilon, model.dropout, model.num_classes) == (1e-3, 0.25, None)
    features = numpy(migrate.vision_transformer(weights, 3, **size)(image))
    np.testing.assert_allclose(features, expected["hidden"][:, 0], atol=1e-5)


def without(weights, name):
    return {key: x for key, x in weights.items() if key != name}


def test_wrong_weights_raise_errors_with_their_names():
    weights, _, _, size = golden("timm")
    half = weights["blocks.1.attn.qkv.weight"][:25]
    for given, message in (
        (without(weights, "blocks.1.norm2.bias"), "must have an array for `block_1/feed_forward_norm/beta`"),
        (without(weights, "pos_embed"), "must have an array for `positions/table`"),
        ({**weights, "blocks.1.ls1.gamma": np.ones(12)}, "only contain weights of the model. Received: blocks.1.ls1"),
        ({**weights, "fc_norm.weight": np.ones(12)}, "only contain weights of the model. Received: fc_norm.weight"),
        ({**weights, "head.weight": np.ones((5, 7))}, r"`head.weight` must fit \(5, 12\). Received: \(5, 7\)"),
        ({**weights, "head.bias": np.ones((1, 5))}, r"`head.bias` must fit \(5,\). Received: \(1, 5\)"),
        ({**weights, "blocks.1.attn.qkv.weight": half}, r"`blocks.1.attn.qkv.weight` must hold .*\(25, 12\)"),
        ({**weights, "classifier.weight": np.ones((5, 12))}, "one of `head.weight` and `classifier.weight`"),
        ({**weights, "patch_embed.proj.weight": np.ones((12, 3))}, r"must be \[D, C, P, Q\]. Received: \(12, 3\)"),
        (list(weights), "`weights` must be a mapping"),
    ):
        with pytest.raises(ValueError, match=message):
            migrate.vision_transformer(given, 3, **size)


def test_positions_of_another_size_are_refused():
    weights, _, _, _ = golden("timm")
    with pytest.raises(ValueError, match=r"`pos_embed` must fit \(9, 12\). Received: \(1, 13, 12\)"):
        migrate.vision_transformer(weights, 3, image_size=(4, 12))
    with pytest.raises(
        ValueError, match=r"`image_size` must be given: .* `pos_embed` .*square. Received: \(1, 13, 12\)"
    ):
        migrate.vision_transformer(weights, 3)
    with pytest.raises(ValueError, match="`image_size` must be a multiple of `patch_size`"):
        migrate.vision_transformer(weights, 3, image_size=(7, 12))


def test_a_classifier_beside_a_pooler_is_refused():
    weights, _, _, size = golden("transformers-model")
    head = {"classifier.weight": np.ones((5, 12)), "classifier.bias": np.ones(5)}
    with pytest.raises(ValueError, match="beside a pooler.*Received: classifier.weight, pooler.dense.weight"):
        migrate.vision_transformer({**weights, **head}, 3, **size)


def test_num_heads_must_divide_the_width():
    weights, _, _, size = golden("timm")
    with pytest.raises(ValueError, match="`model_dim` must be divisible by `num_heads`.*num_heads=5"):
        migrate.vision_transformer(weights, 5, **size)
