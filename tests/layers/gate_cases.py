"""The conformance cases of channel and spatial gates, as in `cases.py`."""

from keras_attention import layers
from tests.layers.case import LayerCase

IMAGE = {"inputs": ((2, 5, 7, 12),), "output": (2, 5, 7, 12), "masks": ("mask",), "dynamic": (1, 2)}
SEQUENCE = {"inputs": ((2, 5, 12),), "output": (2, 5, 12), "masks": ("mask",)}
VOLUME = {"inputs": ((2, 3, 5, 7, 12),), "output": (2, 3, 5, 7, 12), "masks": ("mask",), "dynamic": (1, 2, 3)}
CHANNELS_FIRST = {"inputs": ((2, 12, 5, 7),), "output": (2, 12, 5, 7), "dynamic": (2, 3)}

CHANNEL = [
    LayerCase(
        layers.SqueezeExcitation,
        {"ratio": 4},
        **IMAGE,
        weights=2,
        scores=(2, 1, 1, 12),
        sums_to_one=None,
        int8=True,
    ),
    LayerCase(
        layers.SqueezeExcitation,
        {"ratio": 3, "variant": "reference", "data_format": "channels_first"},
        **CHANNELS_FIRST,
        weights=4,
        name="channels-first",
        scores=(2, 12, 1, 1),
        sums_to_one=None,
        int8=True,
    ),
    LayerCase(
        layers.SqueezeExcitation,
        {"ratio": 4, "variant": "reference"},
        **SEQUENCE,
        weights=4,
        name="sequence",
        scores=(2, 1, 12),
        sums_to_one=None,
        int8=True,
    ),
    LayerCase(
        layers.ChannelAttention,
        {"ratio": 4, "pools": ("avg", "max", "lp", "lse"), "variant": "reference"},
        **IMAGE,
        weights=4,
        scores=(2, 1, 1, 12),
        sums_to_one=None,
        int8=True,
    ),
]
SPATIAL = [
    LayerCase(layers.SpatialAttention, {}, **IMAGE, weights=1, scores=(2, 5, 7, 1), sums_to_one=None),
    LayerCase(
        layers.SpatialAttention,
        {"kernel_size": 3, "variant": "reference"},
        **VOLUME,
        weights=3,
        name="volume",
        scores=(2, 3, 5, 7, 1),
        sums_to_one=None,
    ),
    LayerCase(
        layers.SpatialAttention,
        {"variant": "reference", "data_format": "channels_first"},
        **CHANNELS_FIRST,
        weights=3,
        name="channels-first",
        scores=(2, 1, 5, 7),
        sums_to_one=None,
    ),
]
BOTH = [
    LayerCase(
        layers.CBAM,
        {"ratio": 4},
        **IMAGE,
        weights=3,
        scores={"channel": (2, 1, 1, 12), "spatial": (2, 5, 7, 1)},
        sums_to_one=None,
        int8=True,
    ),
    LayerCase(
        layers.CBAM,
        {"ratio": 4, "kernel_size": 3, "variant": "reference"},
        **VOLUME,
        weights=7,
        name="volume",
        scores={"channel": (2, 1, 1, 1, 12), "spatial": (2, 3, 5, 7, 1)},
        sums_to_one=None,
        int8=True,
    ),
    LayerCase(
        layers.CBAM,
        {"ratio": 4, "order": "parallel", "data_format": "channels_first"},
        **CHANNELS_FIRST,
        weights=3,
        name="channels-first",
        scores={"channel": (2, 12, 1, 1), "spatial": (2, 1, 5, 7)},
        sums_to_one=None,
        int8=True,
    ),
]

GATES = [*CHANNEL, *SPATIAL, *BOTH]
