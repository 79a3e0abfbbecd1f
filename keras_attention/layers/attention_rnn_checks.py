"""What `AttentionRNN` refuses, by name, before any op runs."""

import keras

from keras_attention.layers.checks import check_lengths, check_padding
from keras_attention.ops.require import require_choice

ORDERS = ("update_look", "look_generate_update")
PROTOCOL = ("project_memory", "start", "step")


def require_options(order, input_feeding, attentional_layer):
    """Raises unless the order is known and feeding goes with it. Returns the attentional layer, maybe from a config."""
    require_choice(order, "order", ORDERS)
    if input_feeding and order != "update_look":
        raise ValueError(
            "`input_feeding` goes with `order='update_look'`: with 'look_generate_update' the cell reads the context "
            f"of its own step. Received: input_feeding={input_feeding!r}, order={order!r}"
        )
    layer = attentional_layer
    if isinstance(layer, dict):
        layer = keras.saving.deserialize_keras_object(layer)
    if not (layer is None or layer == "context" or isinstance(layer, keras.layers.Layer)):
        raise ValueError(
            f"`attentional_layer` must be a Keras layer, 'context' or `None`. Received: attentional_layer={layer!r}"
        )
    return layer


def require_attention(attention):
    """Returns `attention`, or the layer of a config; raises unless it can be asked step by step."""
    if isinstance(attention, dict):
        attention = keras.saving.deserialize_keras_object(attention)
    missing = [name for name in PROTOCOL if not callable(getattr(attention, name, None))]
    if missing:
        raise ValueError(
            "`attention` must be an attention of this library for recurrent nets, such as `BahdanauAttention` or "
            f"`LuongAttention`, with {', '.join(PROTOCOL)}. Received: attention={attention!r}, without "
            f"{', '.join(missing)}"
        )
    return attention


def check_call(inputs, memory, mask=None, memory_mask=None, memory_lengths=None):
    """Inputs [B, T, D], memory [B, S, Dv], and masks and lengths that fit them.

    Args:
        inputs, memory: Shapes, `None` where unknown.
        mask, memory_mask, memory_lengths: Tensors or `None`.
    """
    inputs, memory = tuple(inputs), tuple(memory)
    for name, shape, letters in (("inputs", inputs, "[B, T, D]"), ("memory", memory, "[B, S, Dv]")):
        if len(shape) != 3 or shape[-1] is None:
            raise ValueError(f"`{name}` must be {letters} with a known last axis. Received: {name}.shape={shape}")
    if None not in (inputs[0], memory[0]) and inputs[0] != memory[0]:
        raise ValueError(
            "`inputs` and `memory` must have the same batch size. "
            f"Received: inputs.shape={inputs}, memory.shape={memory}"
        )
    check_padding(mask, "mask", inputs[:2], "the inputs")
    check_padding(memory_mask, "memory_mask", memory[:2], "the memory")
    if memory_lengths is not None:
        check_lengths(memory_lengths, "memory_lengths", memory, "memory")
