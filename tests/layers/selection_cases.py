"""The conformance cases of the layers of SelectionGAN, as in `cases.py`."""

from keras_attention import layers
from tests.layers.case import LayerCase

SELECTION = [
    LayerCase(
        layers.MultiScaleSpatialPooling,
        {"pool_sizes": (1, 2, 3)},
        ((2, 5, 7, 12),),
        (2, 5, 7, 48),
        weights=0,
        dynamic=(1, 2),
    ),
    LayerCase(
        layers.MultiScaleSpatialPooling,
        {"pool_sizes": (4,), "variant": "paper", "data_format": "channels_first"},
        ((2, 12, 5, 7),),
        (2, 12, 5, 7),
        weights=0,
        name="paper-channels-first",
        dynamic=(2, 3),
    ),
    # The uncertainty map, which the image does not depend on, is tested with the layer.
    LayerCase(
        layers.MultiChannelAttentionSelection,
        {"num_candidates": 4, "uncertainty": False},
        ((2, 5, 7, 12),),
        (2, 5, 7, 3),
        weights=4,
        scores=(2, 5, 7, 4),
        dynamic=(1, 2),
        int8=True,
    ),
    LayerCase(
        layers.MultiChannelAttentionSelection,
        {
            "num_candidates": 4,
            "image_channels": 6,
            "kernel_size": 1,
            "uncertainty": False,
            "data_format": "channels_first",
        },
        ((2, 12, 5, 7),),
        (2, 6, 5, 7),
        weights=4,
        name="channels-first",
        scores=(2, 5, 7, 4),
        dynamic=(2, 3),
        int8=True,
    ),
    LayerCase(
        layers.UnusedConvolution,
        {"in_channels": 4, "filters": 6},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=2,
        dynamic=(1, 2),
        no_gradient=("kernel", "bias"),
    ),
]
