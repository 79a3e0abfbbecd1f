from keras_attention.layers.alibi import ALiBi
from keras_attention.layers.attention_pooling import AttentionPooling
from keras_attention.layers.attention_rnn import AttentionRNN
from keras_attention.layers.bahdanau_attention import BahdanauAttention
from keras_attention.layers.bahdanau_monotonic_attention import BahdanauMonotonicAttention
from keras_attention.layers.bias import Bias
from keras_attention.layers.cbam import CBAM
from keras_attention.layers.channel_attention import ChannelAttention
from keras_attention.layers.class_token import ClassToken
from keras_attention.layers.conditional_batch_normalization import ConditionalBatchNormalization
from keras_attention.layers.feed_forward import FeedForward
from keras_attention.layers.first_location import FirstLocation
from keras_attention.layers.gated_feed_forward import GatedFeedForward
from keras_attention.layers.gated_recurrent_cell import GatedRecurrentCell
from keras_attention.layers.gated_recurrent_unit import GatedRecurrentUnit
from keras_attention.layers.get_attention import get_attention
from keras_attention.layers.glimpse_network import GlimpseNetwork
from keras_attention.layers.glimpse_sensor import GlimpseSensor
from keras_attention.layers.image_grid import ImageGrid
from keras_attention.layers.image_transformer_block import ImageTransformerBlock
from keras_attention.layers.label_concatenation import LabelConcatenation
from keras_attention.layers.learned_position_encoding import LearnedPositionEncoding
from keras_attention.layers.learned_position_encoding_2d import LearnedPositionEncoding2D
from keras_attention.layers.local_attention_1d import LocalAttention1D
from keras_attention.layers.local_attention_2d import LocalAttention2D
from keras_attention.layers.location_policy import LocationPolicy
from keras_attention.layers.log_mel_spectrogram import LogMelSpectrogram
from keras_attention.layers.luong_attention import LuongAttention
from keras_attention.layers.luong_monotonic_attention import LuongMonotonicAttention
from keras_attention.layers.maxout import Maxout
from keras_attention.layers.multi_channel_attention_selection import MultiChannelAttentionSelection
from keras_attention.layers.multi_head_attention import MultiHeadAttention
from keras_attention.layers.multi_scale_spatial_pooling import MultiScaleSpatialPooling
from keras_attention.layers.non_local_block import NonLocalBlock
from keras_attention.layers.patch_embedding import PatchEmbedding
from keras_attention.layers.projection_head import ProjectionHead
from keras_attention.layers.relative_position_bias import RelativePositionBias
from keras_attention.layers.rms_normalization import RMSNormalization
from keras_attention.layers.rotary_embedding import RotaryEmbedding
from keras_attention.layers.scaled_dot_product_attention import ScaledDotProductAttention
from keras_attention.layers.self_attention_2d import SelfAttention2D
from keras_attention.layers.sinusoidal_position_encoding import SinusoidalPositionEncoding
from keras_attention.layers.sinusoidal_position_encoding_2d import SinusoidalPositionEncoding2D
from keras_attention.layers.spatial_attention import SpatialAttention
from keras_attention.layers.spectral_normalization import SpectralNormalization
from keras_attention.layers.split_channels import SplitChannels
from keras_attention.layers.squeeze_excitation import SqueezeExcitation
from keras_attention.layers.token_embedding import TokenEmbedding
from keras_attention.layers.transformer_decoder_block import TransformerDecoderBlock
from keras_attention.layers.transformer_encoder_block import TransformerEncoderBlock
from keras_attention.layers.unused_convolution import UnusedConvolution

__all__ = [
    "ALiBi",
    "AttentionPooling",
    "AttentionRNN",
    "BahdanauAttention",
    "BahdanauMonotonicAttention",
    "Bias",
    "CBAM",
    "ChannelAttention",
    "ClassToken",
    "ConditionalBatchNormalization",
    "FeedForward",
    "FirstLocation",
    "GatedFeedForward",
    "GatedRecurrentCell",
    "GatedRecurrentUnit",
    "GlimpseNetwork",
    "GlimpseSensor",
    "ImageGrid",
    "ImageTransformerBlock",
    "LabelConcatenation",
    "LearnedPositionEncoding",
    "LearnedPositionEncoding2D",
    "LocalAttention1D",
    "LocalAttention2D",
    "LocationPolicy",
    "LogMelSpectrogram",
    "LuongAttention",
    "LuongMonotonicAttention",
    "Maxout",
    "MultiChannelAttentionSelection",
    "MultiHeadAttention",
    "MultiScaleSpatialPooling",
    "NonLocalBlock",
    "PatchEmbedding",
    "ProjectionHead",
    "RMSNormalization",
    "RelativePositionBias",
    "RotaryEmbedding",
    "ScaledDotProductAttention",
    "SelfAttention2D",
    "SinusoidalPositionEncoding",
    "SinusoidalPositionEncoding2D",
    "SpatialAttention",
    "SpectralNormalization",
    "SplitChannels",
    "SqueezeExcitation",
    "TokenEmbedding",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
    "UnusedConvolution",
    "get_attention",
]
