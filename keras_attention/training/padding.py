"""Which tokens count."""

from keras import ops

from keras_attention.ops.require import is_int


def require_padding_id(padding_id):
    """Refuses a `padding_id` that is neither an int nor `None`."""
    if padding_id is not None and not is_int(padding_id):
        raise ValueError(
            f"`padding_id` must be an int, or None if all tokens count. Received: padding_id={padding_id!r}"
        )


def not_padding(tokens, padding_id):
    """Boolean, of the shape of `tokens`: where they are not `padding_id` (`None`: everywhere)."""
    if padding_id is None:
        return ops.ones_like(tokens, dtype="bool")
    return ops.not_equal(tokens, padding_id)
