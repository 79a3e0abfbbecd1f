"""The conformance cases of attention over a memory and of recurrent nets, as in `cases.py`."""

import keras

from keras_attention import layers
from tests.layers.case import LayerCase

# Attentions of recurrent nets: queries, a memory, and keys of its positions.
MEMORY_INPUTS = {
    "inputs": ((2, 5, 4), (2, 7, 6), (2, 7, 3)),
    "output": (2, 5, 6),
    "scores": (2, 5, 7),
    "masks": ("query_mask", "value_mask", "key_mask"),
    "values": (),
}
MEMORY = [
    LayerCase(layers.BahdanauAttention, {"units": 8}, weights=3, int8=True, **MEMORY_INPUTS),
    LayerCase(
        layers.BahdanauAttention,
        {"units": 8, "normalize": True},
        weights=5,
        name="normalized",
        int8=True,
        **MEMORY_INPUTS,
    ),
    LayerCase(
        layers.BahdanauAttention,
        {"units": 8, "score_bias": True, "coverage": True},
        weights=5,
        name="coverage",
        int8=True,
        pairs=True,
        **MEMORY_INPUTS,
    ),
    LayerCase(
        layers.LuongAttention,
        {},
        ((2, 5, 6), (2, 7, 6)),
        (2, 5, 6),
        weights=0,
        name="dot",
        scores=(2, 5, 7),
        masks=("query_mask", "value_mask"),
        values=(),
    ),
    LayerCase(
        layers.LuongAttention,
        {"score": "general", "scale": True},
        weights=2,
        name="general",
        int8=True,
        **MEMORY_INPUTS,
    ),
    LayerCase(
        layers.LuongAttention,
        {"score": "concat", "units": 8, "window": "local_m", "half_width": 2},
        weights=3,
        name="concat-local-m",
        int8=True,
        **MEMORY_INPUTS,
    ),
    LayerCase(
        layers.LuongAttention,
        {"score": "location", "max_length": 9, "window": "local_m", "half_width": 2},
        weights=1,
        name="location-local-m",
        long={"max_length": 1039},
        **MEMORY_INPUTS,
    ),
    LayerCase(
        layers.BahdanauMonotonicAttention,
        {"units": 8},
        weights=4,
        dropout={"sigmoid_noise": 0.5},
        sums_to_one=False,
        int8=True,
        pairs=True,
        **MEMORY_INPUTS,
    ),
    LayerCase(
        layers.LuongMonotonicAttention,
        {"mode": "recursive", "scale": True},
        weights=3,
        dropout={"sigmoid_noise": 0.5},
        sums_to_one=False,
        int8=True,
        pairs=True,
        **MEMORY_INPUTS,
    ),
]

# Cells return an output and states: the suite tests them inside the layer that runs them.
CELLS = {layers.GatedRecurrentCell: layers.GatedRecurrentUnit}
RECURRENT = [
    LayerCase(layers.Bias, {}, ((2, 5, 12),), (2, 5, 12), weights=1),
    LayerCase(layers.Maxout, {"units": 4, "pieces": 3}, ((2, 5, 12),), (2, 5, 4), weights=2, int8=True),
    LayerCase(
        layers.GatedRecurrentUnit,
        {"units": 4, "return_sequences": True, "reverse": True},
        ((2, 5, 12),),
        (2, 5, 4),
        weights=4,
        masks=("mask",),
    ),
    LayerCase(
        layers.GatedRecurrentUnit,
        {"units": 6, "use_bias": "candidate"},
        ((2, 5, 12), (2, 6)),
        (2, 6),
        weights=4,
        name="last-from-a-state",
        dynamic=(),
    ),
    LayerCase(
        layers.AttentionRNN,
        {
            "cell": keras.saving.serialize_keras_object(layers.GatedRecurrentCell(4)),
            "attention": keras.saving.serialize_keras_object(layers.BahdanauAttention(8)),
            "order": "look_generate_update",
        },
        ((2, 5, 12), (2, 7, 10)),
        (2, 5, 14),
        weights=7,
        name="search",
        scores=(2, 5, 7),
        masks=("mask", "memory_mask"),
        int8=True,
        hidden=("cell", "attention"),
        values=(),
        causal={},
        pairs=True,
    ),
    LayerCase(
        layers.AttentionRNN,
        {
            "cell": keras.saving.serialize_keras_object(keras.layers.LSTMCell(4)),
            "attention": keras.saving.serialize_keras_object(layers.LuongAttention("general")),
            "input_feeding": True,
            "attentional_layer": keras.saving.serialize_keras_object(keras.layers.Dense(9, "tanh", use_bias=False)),
        },
        ((2, 5, 12), (2, 7, 10)),
        (2, 5, 9),
        weights=5,
        name="luong",
        scores=(2, 5, 7),
        masks=("mask", "memory_mask"),
        int8=True,
        hidden=("cell", "attention", "attentional_layer"),
        values=(),
        causal={},
        pairs=True,
    ),
]
