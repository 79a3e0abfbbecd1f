"""What the conformance suite knows about each public layer. A new layer adds its case here, and no test.

No two dimensions of a case are equal (B=2, T=5, S=7, N=4, D=12, ...), so that a swapped axis cannot go unnoticed.
"""

from keras_attention import layers
from tests.layers.case import LayerCase
from tests.layers.gate_cases import GATES
from tests.layers.glimpse_cases import GLIMPSES
from tests.layers.image_cases import IMAGES
from tests.layers.local_cases import LOCAL
from tests.layers.recurrent_cases import MEMORY, RECURRENT
from tests.layers.sagan_cases import SAGAN
from tests.layers.selection_cases import SELECTION

# A constant added to all keys adds the same to all logits of a query, which cancels in the softmax.
KEY_BIAS = ("key/bias",)
# On a Keras layer these names mean the shape and the regularizer of the layer's own output.
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
        {"num_heads": 4, "key_dim": 6, "rotary": layers.RotaryEmbedding(rotary_dim=4), "query_key_norm": True},
        ((2, 5, 12), (2, 7, 10)),
        (2, 5, 12),
        weights=10,
        name="rotary-normalized",
        scores=(2, 4, 5, 7),
        masks=("query_mask", "value_mask"),
        dropout={"dropout": 0.5},
        int8=True,
        hidden=HIDDEN,
        values=VALUES,
        causal=CAUSAL,
        all_in_order=True,
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

POOLING = [
    LayerCase(
        layers.AttentionPooling,
        {"units": 9},
        ((2, 5, 12),),
        (2, 12),
        weights=3,
        scores=(2, 5),
        masks=("mask",),
        pooled=True,
        int8=True,
        values=(),
    ),
    LayerCase(
        layers.AttentionPooling,
        {"units": 9, "gated": True},
        ((2, 5, 12),),
        (2, 12),
        weights=5,
        name="gated",
        scores=(2, 5),
        masks=("mask",),
        pooled=True,
        int8=True,
        values=(),
    ),
]

POSITIONS = [
    LayerCase(layers.ALiBi, {"num_heads": 4}, ((2, 5, 12),), (1, 4, 9), weights=0, full_precision=True),
    LayerCase(layers.LearnedPositionEncoding, {"max_length": 9}, ((2, 5, 12),), (2, 5, 12), weights=1),
    LayerCase(
        layers.LearnedPositionEncoding2D,
        {"max_rows": 9, "max_columns": 11},
        ((2, 5, 7, 12),),
        (2, 5, 7, 12),
        weights=2,
        dynamic=(1, 2),
    ),
    LayerCase(layers.RelativePositionBias, {"num_heads": 4}, ((2, 5, 12),), (1, 4, 9), weights=1, full_precision=True),
    LayerCase(layers.RotaryEmbedding, {}, ((2, 5, 3, 4),), (2, 5, 3, 4), weights=0),
    LayerCase(
        layers.RotaryEmbedding,
        {"layout": "halves", "rotary_dim": 4, "scaling": {"kind": "ntk", "factor": 3.0}},
        ((2, 5, 3, 6),),
        (2, 5, 3, 6),
        weights=0,
        name="partial-scaled",
    ),
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
    LayerCase(layers.GatedFeedForward, {"intermediate_dim": 9}, ((2, 5, 12),), (2, 5, 12), weights=3, int8=True),
    LayerCase(layers.RMSNormalization, {}, ((2, 5, 12),), (2, 5, 12), weights=1),
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
        hidden=("feed_forward",),
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
        hidden=("feed_forward",),
        values=("self_attention/value/kernel",),
        memory_values=("memory_attention/value/kernel",),
        causal=CAUSAL,
        narrow=NARROW,
    ),
    LayerCase(
        layers.TransformerDecoderBlock,
        {
            "num_heads": 3,
            "intermediate_dim": 9,
            "dropout": 0.0,
            "norm_first": True,
            "norm": "rms",
            "attention": {"num_key_value_heads": 1, "query_key_norm": True, "rotary": layers.RotaryEmbedding()},
            "feed_forward": {"activation": "gelu", "use_bias": False},
        },
        ((2, 5, 12),),
        (2, 5, 12),
        weights=10,
        name="decoder-only",
        scores={"self": (2, 3, 5, 5)},
        masks=("inputs_mask",),
        dropout={"dropout": 0.5, "attention_dropout": 0.5},
        int8=True,
        hidden=("feed_forward",),
        values=("self_attention/value/kernel",),
        causal=CAUSAL,
    ),
]

CASES = [
    *ATTENTION,
    *POOLING,
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
