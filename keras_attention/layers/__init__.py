from keras_attention.layers.alibi import ALiBi
from keras_attention.layers.learned_position_encoding import LearnedPositionEncoding
from keras_attention.layers.relative_position_bias import RelativePositionBias
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.layers.sinusoidal_position_encoding import SinusoidalPositionEncoding

__all__ = [
    "ALiBi",
    "LearnedPositionEncoding",
    "RelativePositionBias",
    "RotaryEmbedding",
    "SinusoidalPositionEncoding",
]
