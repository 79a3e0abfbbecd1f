from keras_attention.models.rnn_search import RNNSearch, rnn_search
from keras_attention.models.transformer import Transformer, transformer, transformer_base, transformer_big

__all__ = ["RNNSearch", "Transformer", "rnn_search", "transformer", "transformer_base", "transformer_big"]
