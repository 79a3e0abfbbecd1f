"""The conformance cases of local attention, as in `cases.py`."""

from keras_attention import layers
from tests.layers.case import LayerCase

VALUES = ("value/kernel", "value/bias")
NARROW = {"key_dim": 1, "value_dim": 1}

LOCAL = [
    LayerCase(
        layers.LocalAttention1D,
        {"num_heads": 4, "key_dim": 3, "query_block": 3, "memory_block": 1},
        ((2, 5, 12),),
        (2, 5, 12),
        weights=8,
        scores=(2, 4, 5, 5),
        masks=("mask",),
        dropout={"dropout": 0.5},
        no_gradient=("key/bias",),
        int8=True,
        values=VALUES,
        narrow=NARROW,
    ),
    LayerCase(
        layers.LocalAttention1D,
        {
            "num_heads": 4,
            "key_dim": 3,
            "query_block": 1,
            "memory_block": 2,
            "causal": True,
            "dilation": 2,
            "value_dim": 6,
            "use_bias": False,
        },
        ((2, 5, 12),),
        (2, 5, 12),
        weights=4,
        name="causal-dilated",
        causal={},
        scores=(2, 4, 5, 5),
        masks=("mask",),
        dropout={"dropout": 0.5},
        int8=True,
        values=VALUES,
        narrow=NARROW,
    ),
    LayerCase(
        layers.LocalAttention2D,
        {"num_heads": 4, "key_dim": 3, "query_block": (2, 3), "memory_block": (1, 2), "causal": True},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=8,
        scores=(2, 4, 5, 7, 5, 7),
        key_axes=2,
        causal={},
        masks=("mask",),
        dropout={"dropout": 0.5},
        dynamic=(1, 2),
        no_gradient=("key/bias",),
        int8=True,
        values=VALUES,
        narrow=NARROW,
    ),
]
