from keras_attention.models.transformer import Transformer, transformer, transformer_base, transformer_big

__all__ = ["Transformer", "transformer", "transformer_base", "transformer_big"]
