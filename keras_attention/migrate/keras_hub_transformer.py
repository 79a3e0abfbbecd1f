"""Conversion of KerasHub's Transformer layers."""

import keras

from keras_attention.layers import TransformerDecoderBlock, TransformerEncoderBlock
from keras_attention.migrate.keras_multi_head_attention import require_plain

# Arguments with the same names.
KEPT = ("num_heads", "intermediate_dim", "dropout", "activation", "kernel_initializer", "name", "trainable", "dtype")
KINDS = {"TransformerEncoder": TransformerEncoderBlock, "TransformerDecoder": TransformerDecoderBlock}
# KerasHub's names of sublayers and ours; those of encoder and decoder differ.
NAMES = {
    "self_attention_layer": "self_attention",
    "self_attention_layer_norm": "self_attention_norm",
    "cross_attention": "memory_attention",
    "cross_attention_layer_norm": "memory_attention_norm",
    "feedforward_intermediate_dense": "expand",
    "feedforward_output_dense": "contract",
    "feedforward_layer_norm": "feed_forward_norm",
}


def keras_hub_transformer(layer: keras.Layer) -> TransformerEncoderBlock | TransformerDecoderBlock:
    r"""Converts a built `keras_hub.layers.TransformerEncoder` or `TransformerDecoder` to a block of this library.

    Name, dtype policy, arguments and weights are kept; `normalize_first` is `norm_first`, `layer_norm_epsilon` is
    `epsilon`, and `dropout` is both `dropout` and `attention_dropout`. The call differs:

        KerasHub                                             here
        encoder(x, padding_mask, attention_mask)             block(x, mask, attention_mask)
        decoder(x, memory, decoder_padding_mask,             block(x, memory, inputs_mask=..., attention_mask=...,
                decoder_attention_mask,                            memory_mask=..., memory_attention_mask=...)
                encoder_padding_mask, encoder_attention_mask)
        self_attention_cache and cross_attention_cache       cache, see `TransformerDecoderBlock.make_cache`

    The outputs are equal at positions that are not padding. A decoder without cross-attention becomes a block without a
    memory.

    Args:
        layer: A built layer of KerasHub, neither quantized nor with LoRA weights, and no subclass.

    Returns:
        A built `layers.TransformerEncoderBlock` or `layers.TransformerDecoderBlock`.

    Raises:
        ValueError: If `layer` is of another class, not built, quantized or has LoRA weights.
    """
    kind = type(layer)
    if not kind.__module__.startswith("keras_hub.") or kind.__name__ not in KINDS:
        raise ValueError(
            "`layer` must be a TransformerEncoder or a TransformerDecoder of keras_hub.layers, and no subclass. "
            f"Received: {kind.__module__}.{kind.__name__}"
        )
    require_plain(layer)
    theirs = {_key(variable.path): variable for variable in layer.weights}
    D, _, H = theirs["self_attention", "query", "kernel"].shape
    shapes = [(None, None, D)]
    if ("memory_attention", "key", "kernel") in theirs:
        shapes.append((None, None, theirs["memory_attention", "key", "kernel"].shape[0]))
    block = KINDS[kind.__name__](**_arguments(layer), key_dim=H, value_dim=H)
    block.build(*shapes)
    values = [theirs[_key(variable.path)] for variable in block.weights]
    for variable, value in zip(block.weights, values, strict=True):
        variable.assign(value)
    return block


def _arguments(layer):
    config = layer.get_config()
    return {
        **{name: config[name] for name in KEPT},
        "attention_dropout": layer.dropout,
        "norm_first": layer.normalize_first,
        "epsilon": layer.layer_norm_epsilon,
        "use_bias": True,
    }


def _key(path):
    """The end of the path of a variable of either, with our names."""
    *_, first, second, kind = path.split("/")
    parts = (first, second) if second in ("query", "key", "value", "attention_output") else (second,)
    return (*(NAMES.get(part, part) for part in parts), kind)
