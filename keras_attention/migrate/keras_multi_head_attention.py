"""Conversion of the attention layers of Keras."""

import keras

from keras_attention.layers import MultiHeadAttention

# Arguments of `GroupQueryAttention` with other names.
RENAMED = {"head_dim": "key_dim", "num_query_heads": "num_heads"}


def keras_multi_head_attention(layer: keras.Layer) -> MultiHeadAttention:
    r"""Converts a built `keras.layers.MultiHeadAttention` or `GroupQueryAttention` to a `layers.MultiHeadAttention`.

    Name, dtype policy, arguments and weights are kept; `head_dim` and `num_query_heads` of `GroupQueryAttention` are
    `key_dim` and `num_heads`. `flash_attention` is not kept: Keras does not store it, and it does not change results.
    The deliberate differences of the layers are in docs/migrating.md: zeros for a query without visible keys, an error
    for a floating mask.

    Args:
        layer: A built layer of Keras, neither quantized nor with LoRA weights, and no subclass.

    Returns:
        A built `layers.MultiHeadAttention`.

    Raises:
        ValueError: If `layer` is of another class, not built, quantized or has LoRA weights.

    Example:

    >>> import keras
    >>> from keras_attention import migrate
    >>> old = keras.layers.GroupQueryAttention(head_dim=4, num_query_heads=6, num_key_value_heads=2)
    >>> old.build((None, None, 8), (None, None, 8))
    >>> layer = migrate.keras_multi_head_attention(old)
    >>> layer.num_heads, layer.key_dim, layer.num_key_value_heads
    (6, 4, 2)
    """
    if type(layer) not in (keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention):
        raise ValueError(
            "`layer` must be a keras.layers.MultiHeadAttention or GroupQueryAttention; of a subclass, the weights "
            f"can be copied: `new.set_weights(old.get_weights())`. Received: {type(layer).__name__}"
        )
    require_plain(layer)
    config = {RENAMED.get(name, name): value for name, value in layer.get_config().items()}
    new = MultiHeadAttention.from_config(config)
    new.build(**layer.get_build_config()["shapes_dict"])
    new.set_weights(layer.get_weights())
    return new


def require_plain(layer):
    """Raises unless a layer is built and all its weights are kernels, biases or scales and offsets of norms."""
    if not layer.weights:
        raise ValueError(f"`layer` must be built. Received: {layer.name}, without weights")
    for variable in layer.weights:
        if variable.name not in ("kernel", "bias", "gamma", "beta"):
            raise ValueError(
                "`layer` must be neither quantized nor adapted (LoRA). Received: a weight "
                f"`{variable.path}` of {layer.name}"
            )
