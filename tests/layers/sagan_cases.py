"""The conformance cases of the layers of SAGAN, as in `cases.py`."""

import keras

from keras_attention import layers
from tests.layers.case import LayerCase

NORMALISED = [
    LayerCase(
        layers.SpectralNormalization,
        {"layer": keras.saving.serialize_keras_object(keras.layers.Dense(4))},
        ((2, 5, 12),),
        (2, 5, 4),
        weights=2,
        hidden=("layer",),
    ),
    LayerCase(
        layers.SpectralNormalization,
        {"layer": keras.saving.serialize_keras_object(keras.layers.Conv2D(4, 3, padding="same")), "iterations": 2},
        ((2, 5, 7, 3),),
        (2, 5, 7, 4),
        weights=2,
        name="of-an-image",
        dynamic=(1, 2),
        hidden=("layer",),
    ),
    LayerCase(
        layers.SpectralNormalization,
        {"layer": keras.saving.serialize_keras_object(keras.layers.Embedding(11, 12)), "shrink_only": True},
        ((2, 5),),
        (2, 5, 12),
        weights=1,
        name="of-tokens",
        below=11,
        hidden=("layer",),
    ),
]
ATTENTION = [
    LayerCase(
        layers.SelfAttention2D,
        {"reduction": 4},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=5,
        scores=(2, 1, 35, 6),
        masks=("mask",),
        dynamic=(1, 2),
        int8=True,
        values=("value/kernel",),
    ),
    LayerCase(
        layers.SelfAttention2D,
        {"variant": "paper", "reduction": 3, "spectral_normalization": True, "data_format": "channels_first"},
        ((2, 12, 5, 7),),
        (2, 12, 5, 7),
        weights=5,
        name="paper-normalised",
        scores=(2, 1, 35, 35),
        dynamic=(2, 3),
        values=("value/kernel",),
    ),
]
CONDITIONED = [
    LayerCase(
        layers.ConditionalBatchNormalization,
        {"num_classes": 3},
        ((2, 5, 7, 12), (2,)),
        (2, 5, 7, 12),
        weights=2,
        dynamic=(1, 2),
        below=(None, 3),
    ),
    LayerCase(
        layers.ConditionalBatchNormalization,
        {"num_classes": 3, "momentum": 0.9, "epsilon": 2e-5, "axis": 1},
        ((2, 12, 5), (2,)),
        (2, 12, 5),
        weights=2,
        name="channels-first",
        dynamic=(2,),
        below=(None, 3),
    ),
    LayerCase(
        layers.ProjectionHead,
        {"num_classes": 3},
        ((2, 12), (2,)),
        (2, 1),
        weights=3,
        dynamic=(),
        below=(None, 3),
    ),
    LayerCase(
        layers.LabelConcatenation,
        {"num_classes": 3, "embedding_dim": 4, "spectral_normalization": False},
        ((2, 5, 7, 12), (2,)),
        (2, 5, 7, 16),
        weights=1,
        dynamic=(1, 2),
        below=(None, 3),
    ),
]

SAGAN = [*NORMALISED, *ATTENTION, *CONDITIONED]
