"""The conformance cases of the layers for images and clips, as in `cases.py`."""

from keras_attention import layers
from tests.layers.case import LayerCase

# A constant added to all keys cancels in the softmax; added to all values, or just before batch normalization, it
# cancels there.
NO_GRADIENT = ("phi/bias", "g/bias", "w_z/bias")

VALUES = ("g/kernel", "g/bias")

NON_LOCAL = [
    LayerCase(
        layers.NonLocalBlock,
        {},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=10,
        scores=(2, 1, 35, 6),
        masks=("mask",),
        dynamic=(1, 2),
        no_gradient=NO_GRADIENT,
        int8=True,
        values=VALUES,
    ),
    LayerCase(
        layers.NonLocalBlock,
        {"pairwise": "gaussian", "pool": "before", "scale": "inv_sqrt", "batch_norm": False},
        ((2, 5, 12),),
        (2, 5, 12),
        weights=4,
        name="gaussian-of-a-sequence",
        scores=(2, 1, 5, 2),
        masks=("mask",),
        int8=True,
        values=VALUES,
    ),
    LayerCase(
        layers.NonLocalBlock,
        {"pairwise": "dot_product", "reduction": 3, "extent": "space", "data_format": "channels_first"},
        ((2, 12, 3, 5, 7),),
        (2, 12, 3, 5, 7),
        weights=10,
        name="dot-product-in-space",
        dynamic=(2, 3, 4),
        no_gradient=("w_z/bias",),
        int8=True,
        values=VALUES,
    ),
    LayerCase(
        layers.NonLocalBlock,
        {"pairwise": "concatenation", "extent": "time"},
        ((2, 3, 5, 7, 12),),
        (2, 3, 5, 7, 12),
        weights=11,
        name="concatenation-in-time",
        masks=("mask",),
        dynamic=(1, 2, 3),
        no_gradient=("w_z/bias",),
        int8=True,
        values=VALUES,
    ),
]

NARROW = {"key_dim": 1, "value_dim": 1}

IMAGE_TRANSFORMER = [
    LayerCase(
        layers.ImageTransformerBlock,
        {"num_heads": 4, "intermediate_dim": 9, "query_block": (2, 3), "memory_block": (1, 2), "dropout": 0.0},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=12,
        masks=("mask",),
        values=("self_attention/value/kernel",),
        causal={},
        narrow=NARROW,
        dynamic=(1, 2),
        int8=True,
        hidden=("feed_forward",),
    ),
    LayerCase(
        layers.ImageTransformerBlock,
        {
            "num_heads": 4,
            "intermediate_dim": 9,
            "query_block": 6,
            "memory_block": 4,
            "dropout": 0.0,
            "norm_first": True,
        },
        ((2, 5, 7, 12), (2, 6, 10)),
        (2, 5, 7, 12),
        weights=18,
        name="of-a-sequence-with-a-memory",
        masks=("inputs_mask", "memory_mask"),
        values=("self_attention/value/kernel",),
        memory_values=("memory_attention/value/kernel",),
        causal={},
        narrow=NARROW,
        int8=True,
        hidden=("feed_forward",),
    ),
]

PATCHES = [
    LayerCase(
        layers.PatchEmbedding,
        {"patch_size": (2, 3), "output_dim": 12},
        ((2, 4, 9, 5),),
        (2, 6, 12),
        weights=2,
        dynamic=(1, 2),
        multiple=6,
    ),
    LayerCase(
        layers.PatchEmbedding,
        {"patch_size": (3, 2), "output_dim": 12, "use_bias": False, "data_format": "channels_first"},
        ((2, 5, 9, 4),),
        (2, 6, 12),
        weights=1,
        name="channels-first",
        dynamic=(2, 3),
        multiple=6,
    ),
    LayerCase(layers.ClassToken, {}, ((2, 5, 12),), (2, 6, 12), weights=1),
    LayerCase(
        layers.LogMelSpectrogram,
        {"num_bins": 7, "length": 2400},
        ((2, 905),),
        (2, 15, 7),
        weights=0,
        masks=("mask",),
        pooled=True,
    ),
]

GRIDS = [
    LayerCase(
        layers.ImageGrid,
        {"shift": True, "block": (2, 4), "each_block": True},
        ((2, 5, 7, 3, 12),),
        (2, 5, 21, 12),
        weights=0,
        dynamic=(1, 2),
    ),
    LayerCase(layers.SplitChannels, {"channels": 3}, ((2, 5, 21, 12),), (2, 5, 7, 3, 12), weights=0, dynamic=(1,)),
]

IMAGES = [*NON_LOCAL, *IMAGE_TRANSFORMER, *PATCHES, *GRIDS]
