from keras_attention.models.attention_resnet import AttentionResNet, attention_resnet
from keras_attention.models.bert import BERT, bert
from keras_attention.models.gpt import GPT, gpt, llama
from keras_attention.models.image_transformer import ImageTransformer, image_transformer
from keras_attention.models.layout_map import layout_map
from keras_attention.models.luong import LuongLSTM, luong_lstm
from keras_attention.models.non_local_resnet import NonLocalResNet, non_local_resnet
from keras_attention.models.parts.inflate import inflate_weights
from keras_attention.models.recurrent_attention import RecurrentAttention, recurrent_attention
from keras_attention.models.rnn_search import RNNSearch, rnn_search
from keras_attention.models.sagan import SAGANDiscriminator, SAGANGenerator, sagan
from keras_attention.models.selection_gan import PatchDiscriminator, SelectionGANGenerator, selection_gan
from keras_attention.models.transformer import Transformer, transformer, transformer_base, transformer_big
from keras_attention.models.vision_transformer import VisionTransformer, vision_transformer
from keras_attention.models.whisper import Whisper, whisper

__all__ = [
    "AttentionResNet",
    "BERT",
    "GPT",
    "ImageTransformer",
    "LuongLSTM",
    "NonLocalResNet",
    "PatchDiscriminator",
    "RNNSearch",
    "RecurrentAttention",
    "SAGANDiscriminator",
    "SAGANGenerator",
    "SelectionGANGenerator",
    "Transformer",
    "VisionTransformer",
    "Whisper",
    "attention_resnet",
    "bert",
    "gpt",
    "image_transformer",
    "inflate_weights",
    "layout_map",
    "llama",
    "luong_lstm",
    "non_local_resnet",
    "recurrent_attention",
    "rnn_search",
    "sagan",
    "selection_gan",
    "transformer",
    "transformer_base",
    "transformer_big",
    "vision_transformer",
    "whisper",
]
