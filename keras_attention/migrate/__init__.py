"""Conversion of weights: from tensorflow-addons, Keras, KerasHub, PyTorch, transformers and CTranslate2."""

from keras_attention.decoding.decoder_step import decoder_step
from keras_attention.migrate.attention_resnet import attention_resnet
from keras_attention.migrate.attention_wrapper import attention_wrapper
from keras_attention.migrate.beam_search import beam_search
from keras_attention.migrate.bert import bert
from keras_attention.migrate.ctranslate2 import read_ctranslate2
from keras_attention.migrate.gpt import gpt2, llama
from keras_attention.migrate.keras_hub_transformer import keras_hub_transformer
from keras_attention.migrate.keras_multi_head_attention import keras_multi_head_attention
from keras_attention.migrate.memory_attention import (
    bahdanau_attention,
    bahdanau_monotonic_attention,
    luong_attention,
    luong_monotonic_attention,
)
from keras_attention.migrate.multi_head_attention import multi_head_attention
from keras_attention.migrate.to_torch import to_torch
from keras_attention.migrate.torch_multi_head_attention import torch_multi_head_attention
from keras_attention.migrate.torch_transformer import torch_transformer
from keras_attention.migrate.vision_transformer import vision_transformer
from keras_attention.migrate.whisper import whisper

__all__ = [
    "attention_resnet",
    "attention_wrapper",
    "bahdanau_attention",
    "bahdanau_monotonic_attention",
    "beam_search",
    "bert",
    "decoder_step",
    "gpt2",
    "keras_hub_transformer",
    "keras_multi_head_attention",
    "llama",
    "luong_attention",
    "luong_monotonic_attention",
    "multi_head_attention",
    "read_ctranslate2",
    "to_torch",
    "torch_multi_head_attention",
    "torch_transformer",
    "vision_transformer",
    "whisper",
]
