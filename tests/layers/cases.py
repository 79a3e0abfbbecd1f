"""What the conformance suite knows about each public layer. A new layer adds its case here, and no test.

No two dimensions of a case are equal (B=2, T=5, S=7, N=4, D=12, ...), so that a swapped axis cannot go unnoticed.
"""

import keras

from keras_attention import layers
from tests.layers.case import LayerCase
from tests.layers.gate_cases import GATES
from tests.layers.glimpse_cases import GLIMPSES
from tests.layers.image_cases import IMAGES
from tests.layers.local_cases import LOCAL
from tests.layers.sagan_cases import SAGAN
from tests.layers.selection_cases import SELECTION

# A constant added to all keys adds the same to all logits of a query, which the softmax takes away.
KEY_BIAS = ("key/bias",)
# On a Keras layer these names mean the shape and the regulariser of the layer's own output.
HIDDEN = ("output_shape", "activity_regularizer")
CAUSAL = {"use_causal_mask": True}
VALUES = ("value/kernel", "value/bias")
NARROW = {"key_dim": 1, "value_dim": 1}

ATTENTION = [
    LayerCase(
        layers.ScaledDotProductAttention,
        {},
        ((2, 5, 4, 3), (2, 7, 4, 6), (2, 7, 4, 3)),
        (2, 5, 4, 6),
        weights=0,
        scores=(2, 4, 5, 7),
        masks=("query_mask", "value_mask", "key_mask"),
        dropout={"dropout": 0.5},
        values=(),
        causal=CAUSAL,
        all_in_order=True,
    ),
    LayerCase(
        layers.ScaledDotProductAttention,
        {"scale": 0.7},
        ((2, 5, 6),),
        (2, 5, 6),
        weights=0,
        call={"use_causal_mask": True},
        name="one-head",
        scores=(2, 1, 5, 5),
        masks=("query_mask",),
        dropout={"dropout": 0.5},
        values=(),
        causal=CAUSAL,
    ),
    LayerCase(
        layers.MultiHeadAttention,
        {"num_heads": 4, "key_dim": 3, "value_dim": 6},
        ((2, 5, 12), (2, 7, 10), (2, 7, 8)),
        (2, 5, 12),
        weights=8,
        scores=(2, 4, 5, 7),
        masks=("query_mask", "value_mask", "key_mask"),
        dropout={"dropout": 0.5},
        no_gradient=KEY_BIAS,
        int8=True,
        hidden=HIDDEN,
        values=VALUES,
        causal=CAUSAL,
        all_in_order=True,
        narrow=NARROW,
    ),
    LayerCase(
        layers.MultiHeadAttention,
        {
            "num_heads": 4,
            "key_dim": 3,
            "num_key_value_heads": 2,
            "use_gate": True,
            "use_bias": False,
            "output_shape": (9,),
        },
        ((2, 5, 12),),
        (2, 5, 9),
        weights=5,
        call={"use_causal_mask": True},
        name="grouped-gated",
        scores=(2, 4, 5, 5),
        masks=("query_mask",),
        dropout={"dropout": 0.5},
        int8=True,
        hidden=HIDDEN,
        values=VALUES,
        causal=CAUSAL,
        narrow=NARROW,
    ),
    LayerCase(
        layers.MultiHeadAttention,
        {"num_heads": 4, "key_dim": 3, "attention_axes": 2, "sliding_window": 4},
        ((2, 6, 5, 12), (2, 6, 7, 10)),
        (2, 6, 5, 12),
        weights=8,
        name="axis-of-an-image",
        scores=(2, 6, 4, 5, 7),
        masks=("query_mask", "value_mask"),
        dropout={"dropout": 0.5},
        dynamic=(1, 2),
        no_gradient=KEY_BIAS,
        int8=True,
        hidden=HIDDEN,
        values=VALUES,
        causal=CAUSAL,
        all_in_order=True,
        narrow=NARROW,
    ),
]

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

# Cells give back an output and states: they go through the suite inside the layer that runs them.
CELLS = {layers.GatedRecurrentCell: layers.GatedRecurrentUnit}
RECURRENT = [
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

POSITIONS = [
    LayerCase(layers.ALiBi, {"num_heads": 4}, ((2, 5, 12),), (1, 4, 9), weights=0),
    LayerCase(layers.LearnedPositionEncoding, {"max_length": 9}, ((2, 5, 12),), (2, 5, 12), weights=1),
    LayerCase(
        layers.LearnedPositionEncoding2D,
        {"max_rows": 9, "max_columns": 11},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=2,
        dynamic=(1, 2),
    ),
    LayerCase(layers.RelativePositionBias, {"num_heads": 4}, ((2, 5, 12),), (1, 4, 9), weights=1),
    LayerCase(layers.RotaryEmbedding, {}, ((2, 5, 3, 4),), (2, 5, 3, 4), weights=0),
    LayerCase(layers.SinusoidalPositionEncoding, {}, ((2, 5, 12),), (2, 5, 12), weights=0),
    LayerCase(
        layers.SinusoidalPositionEncoding,
        {"variant": "reference"},
        ((2, 5, 12),),
        (2, 5, 12),
        weights=0,
        name="reference",
    ),
    LayerCase(layers.SinusoidalPositionEncoding2D, {}, ((2, 5, 7, 12),), (2, 5, 7, 12), weights=0, dynamic=(1, 2)),
]

TRANSFORMER = [
    LayerCase(
        layers.TokenEmbedding,
        {"input_dim": 11, "output_dim": 12},
        ((2, 5),),
        (2, 5, 12),
        weights=1,
        below=11,
    ),
    LayerCase(layers.FeedForward, {"intermediate_dim": 9}, ((2, 5, 12),), (2, 5, 12), weights=4, int8=True),
    LayerCase(
        layers.TransformerEncoderBlock,
        {"num_heads": 4, "intermediate_dim": 9, "dropout": 0.0},
        ((2, 5, 12),),
        (2, 5, 12),
        weights=12,
        scores=(2, 4, 5, 5),
        masks=("mask",),
        dropout={"dropout": 0.5, "attention_dropout": 0.5},
        int8=True,
        values=("self_attention/value/kernel",),
        causal=CAUSAL,
        narrow=NARROW,
    ),
    LayerCase(
        layers.TransformerDecoderBlock,
        {"num_heads": 4, "intermediate_dim": 9, "dropout": 0.0, "norm_first": True},
        ((2, 5, 12), (2, 7, 10)),
        (2, 5, 12),
        weights=18,
        scores={"self": (2, 4, 5, 5), "memory": (2, 4, 5, 7)},
        masks=("inputs_mask", "memory_mask"),
        dropout={"dropout": 0.5, "attention_dropout": 0.5},
        int8=True,
        values=("self_attention/value/kernel",),
        memory_values=("memory_attention/value/kernel",),
        causal=CAUSAL,
        narrow=NARROW,
    ),
]

CASES = [
    *ATTENTION,
    *MEMORY,
    *RECURRENT,
    *POSITIONS,
    *TRANSFORMER,
    *GATES,
    *IMAGES,
    *LOCAL,
    *SELECTION,
    *SAGAN,
    *GLIMPSES,
]
