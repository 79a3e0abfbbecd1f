"""Networks of transformers with random weights: the same logits, attention and generated tokens."""

import functools

import numpy as np
import pytest

from keras_attention import decoding, migrate
from tests.goldens import cases
from tests.layers.helpers import numpy

GOLDENS = cases("gpt")
ROTARY = {"max_wavelength": 50.0}
SCALING = {"kind": "llama3", "factor": 4.0, "low_frequency_factor": 1.0, "high_frequency_factor": 4.0}
SCALING |= {"original_length": 16}
NETWORKS = {
    "gpt2": (migrate.gpt2, {}),
    "llama": (migrate.llama, {"rotary": {**ROTARY, "scaling": SCALING}, "epsilon": 1e-5}),
    "qwen3": (migrate.llama, {"rotary": ROTARY, "epsilon": 1e-6}),
}
each = pytest.mark.parametrize("name", NETWORKS)


@functools.cache
def converted(name):
    convert, given = NETWORKS[name]
    return convert(GOLDENS[name]["weights"], num_heads=6, **given)


@each
def test_logits_and_attention_are_those_of_transformers(name):
    found, model = GOLDENS[name], converted(name)
    np.testing.assert_allclose(
        numpy(model(found["tokens"])), found["logits"], atol=1e-5 * np.abs(found["logits"]).max()
    )
    scores = np.stack([numpy(x) for x in model.attention_scores(found["tokens"])])
    np.testing.assert_allclose(scores, found["scores"], atol=1e-5)
    tied = {"gpt2": True, "llama": False, "qwen3": True}[name]
    assert model.tie_embeddings == tied and model.count_params() == count(found["weights"], tied)


def count(weights, tied):
    return sum(x.size for name, x in weights.items() if not (tied and name == "lm_head.weight"))


@each
def test_generated_tokens_of_left_padded_prompts_are_those_of_transformers(name):
    found, model = GOLDENS[name], converted(name)
    cache = model.start(found["tokens"], 5, mask=found["mask"])
    end = {"llama": 2}.get(name)  # of its config; that of GPT-2 is beyond this vocabulary
    tokens = numpy(decoding.greedy(model.step, cache, found["tokens"][:, -1], 5, end))
    np.testing.assert_array_equal(tokens, found["generated"])
    assert len({tuple(row) for row in tokens}) == 2


@each
def test_wrong_weights_are_refused_by_name(name):
    convert, given = NETWORKS[name]
    weights = GOLDENS[name]["weights"]
    norm = next(key for key in weights if "layernorm" in key or "ln_" in key)

    def refused(message, changed, **more):
        with pytest.raises(ValueError, match=message):
            convert(changed, **{"num_heads": 6, **given, **more})

    refused("must have an array for", {k: x for k, x in weights.items() if k != norm})
    refused("must only contain weights of the model. Received: extra.weight", {**weights, "extra.weight": np.ones(3)})
    refused(f"`{norm}` must fit", {**weights, norm: np.ones(3)})
    refused("`weights` must be a mapping.*list", list(weights))
    refused("num_heads", weights, num_heads=7)


def test_fused_projections_must_be_three():
    weights = GOLDENS["gpt2"]["weights"]
    name = "transformer.h.0.attn.c_attn.weight"
    with pytest.raises(ValueError, match=f"`{name}` must hold query, key, value"):
        migrate.gpt2({**weights, name: weights[name][:, :-1]}, num_heads=6)


def test_names_of_a_file_without_a_head_and_with_buffers():
    weights = {k.removeprefix("transformer."): x for k, x in GOLDENS["gpt2"]["weights"].items() if "lm_head" not in k}
    weights["h.0.attn.bias"] = np.tril(np.ones((1, 1, 16, 16)))
    model = migrate.gpt2(weights, num_heads=6)
    np.testing.assert_array_equal(numpy(model.weights[0]), numpy(converted("gpt2").weights[0]))
