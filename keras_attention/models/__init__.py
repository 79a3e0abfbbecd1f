from keras_attention.models.attention_resnet import AttentionResNet, attention_resnet
from keras_attention.models.luong import LuongLSTM, luong_lstm
from keras_attention.models.rnn_search import RNNSearch, rnn_search
from keras_attention.models.transformer import Transformer, transformer, transformer_base, transformer_big

__all__ = [
    "AttentionResNet",
    "LuongLSTM",
    "RNNSearch",
    "Transformer",
    "attention_resnet",
    "luong_lstm",
    "rnn_search",
    "transformer",
    "transformer_base",
    "transformer_big",
]
