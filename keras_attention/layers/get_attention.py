"""Attention layers for images, by name."""

from typing import Any

import keras

from keras_attention.layers.cbam import CBAM
from keras_attention.layers.channel_attention import ChannelAttention
from keras_attention.layers.local_attention_2d import LocalAttention2D
from keras_attention.layers.non_local_block import NonLocalBlock
from keras_attention.layers.spatial_attention import SpatialAttention
from keras_attention.layers.squeeze_excitation import SqueezeExcitation
from keras_attention.ops.require import require_choice

ATTENTIONS = {
    "se": SqueezeExcitation,
    "channel": ChannelAttention,
    "spatial": SpatialAttention,
    "cbam": CBAM,
    "non_local": NonLocalBlock,
    "local": LocalAttention2D,
}


def get_attention(name: str, /, **kwargs: Any) -> keras.Layer:
    """Creates an attention layer for images by its name; its output has the shape of its input.

    | name | layer |
    |---|---|
    | `"se"` | `SqueezeExcitation` |
    | `"channel"` | `ChannelAttention` |
    | `"spatial"` | `SpatialAttention` |
    | `"cbam"` | `CBAM` |
    | `"non_local"` | `NonLocalBlock` |
    | `"local"` | `LocalAttention2D` (with its `num_heads`, `key_dim` and blocks) |

    Args:
        name: One of these names.
        **kwargs: Arguments of the layer, including its own `name`.

    Returns:
        A `keras.layers.Layer`, not yet built.

    Raises:
        ValueError: If the name is unknown.

    Example:

    >>> from keras_attention.layers import get_attention
    >>> get_attention("cbam", ratio=8, name="attention")
    <CBAM name=attention, built=False>
    """
    require_choice(name, "name", ATTENTIONS)
    return ATTENTIONS[name](**kwargs)
