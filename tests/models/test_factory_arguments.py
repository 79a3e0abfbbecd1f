"""All factories raise for invalid and unknown arguments, by name and before a layer is built."""

import inspect

import keras
import pytest

from keras_attention import models
from keras_attention.models.parts.arguments import own_arguments
from tests.layers.arguments import assert_refuses

WORDS = {"source_vocabulary_size": 11, "target_vocabulary_size": 13}
DICTS = {"attention_kwargs": "dict", "non_local": "dict", "non_local_kwargs": "dict"}
# factory: valid arguments, classes that it builds, kinds of arguments whose default does not tell it
FACTORIES = {
    "attention_resnet": ({}, ["AttentionResNet"], {"attention": "choice", "blocks": "blocks", **DICTS}),
    "bert": ({}, ["BERT"], {"num_segments": "int"}),
    "whisper": ({}, ["Whisper"], {}),
    "gpt": ({}, ["GPT"], {"rotary": "dict", "attention": "dict", "norm": "choice"}),
    "llama": ({}, ["GPT"], {"rotary": "dict", "attention": "dict", "norm": "choice"}),
    "image_transformer": ({}, ["ImageTransformer"], {"num_classes": "int", "max_size": "ints"}),
    "luong_lstm": (WORDS, ["LuongLSTM"], {}),
    "non_local_resnet": ({}, ["NonLocalResNet"], {"inflation": "choice", "blocks": "blocks", **DICTS}),
    "recurrent_attention": ({}, ["RecurrentAttention"], {}),
    "rnn_search": (WORDS, ["RNNSearch"], {"attention": "bool"}),
    "sagan": (
        {},
        ["SAGANGenerator", "SAGANDiscriminator"],
        {"baseline": "choice", "generator": "dict", "discriminator": "dict", "norm_momentum": "rates", **DICTS},
    ),
    "selection_gan": (
        {},
        ["SelectionGANGenerator"],
        {"condition": "choices", "num_downs": "int", "image_size": "ints"},
    ),
    "transformer": ({"vocabulary_size": 11}, ["Transformer"], {}),
    "transformer_base": ({}, ["Transformer"], {}),
    "transformer_big": ({}, ["Transformer"], {}),
    "vision_transformer": (
        {},
        ["VisionTransformer"],
        {"image_size": "ints", "num_classes": "int", "representation_dim": "int"},
    ),
}
# Set by the factory, not arguments of it.
FIXED = {
    "llama": ("max_length",),
    "attention_resnet": ("blocks", "bottleneck"),
    "non_local_resnet": ("blocks", "non_local"),
}
each_factory = pytest.mark.parametrize("name", FACTORIES)


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch):
    def build(*args, **kwargs):
        raise AssertionError("a model is built")

    monkeypatch.setattr(keras, "Input", build)


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def arguments(name):
    """All arguments of the factory, with their defaults or other valid values."""
    good, classes, _ = FACTORIES[name]
    found = {}
    for cls in classes:
        cls = getattr(models, cls)
        found |= {k: v for k, v in defaults(cls.__init__).items() if k in own_arguments(cls)}
    found = {k: v for k, v in found.items() if k not in FIXED.get(name, ())}
    return {**found, **defaults(getattr(models, name)), **good}


def test_every_factory_is_tested():
    factories = {name for name in models.__all__ if inspect.isfunction(getattr(models, name))}
    assert factories == {*FACTORIES, "inflate_weights", "layout_map"}, "the last two build none"


@each_factory
def test_valid_arguments_build_a_model(name):
    with pytest.raises(AssertionError, match="a model is built"):
        getattr(models, name)(**FACTORIES[name][0])


@each_factory
def test_bad_arguments_raise_by_name(name):
    good, _, kinds = FACTORIES[name]
    assert_refuses(lambda **bad: getattr(models, name)(**{**good, **bad}), arguments(name), kinds)


@each_factory
def test_unknown_arguments_raise_by_name(name):
    good, factory = FACTORIES[name][0], getattr(models, name)
    known = arguments(name)
    typed = "dropuot" if "dropout" in known else "channles" if "channels" in known else "wdith"
    meant = {"dropuot": "dropout", "channles": "channels", "wdith": "width"}[typed]
    with pytest.raises(ValueError) as raised:
        factory(**good, **{typed: 0.9, "zzz": 3})
    message = str(raised.value)
    assert f"`{typed}` (did you mean `{meant}`?), `zzz`. It has: " in message
    assert f"Received: {typed}=0.9, zzz=3" in message and f" {meant}," in message


def test_arguments_in_dicts_are_checked():
    for network in ("generator", "discriminator"):
        with pytest.raises(ValueError, match="has no argument `chanels` .did you mean `channels`"):
            models.sagan(**{network: {"chanels": 3}})
    with pytest.raises(ValueError, match="`hidden_width` must be one of .*Received: hidden_width=3"):
        models.sagan(hidden_width=3)
    with pytest.raises(ValueError, match="`discriminator_width` must be a positive int"):
        models.selection_gan(64, discriminator_width=1.5)
    for make in (
        lambda: models.attention_resnet(18, "se", attention_kwargs={"rato": 3}),
        lambda: models.non_local_resnet(non_local_kwargs={"rato": 3}),
        lambda: models.sagan(attention_kwargs={"rato": 3}),
    ):
        with pytest.raises(ValueError, match="rato"):
            make()


def test_model_dim_must_be_divisible_by_num_heads():
    sizes = {"model_dim": 12, "num_heads": 5}
    for make in (
        lambda: models.transformer(11, **sizes),
        lambda: models.image_transformer(**sizes),
        lambda: models.vision_transformer(**sizes),
    ):
        with pytest.raises(ValueError, match="`model_dim` must be divisible by `num_heads`.*model_dim=12, num_heads=5"):
            make()
