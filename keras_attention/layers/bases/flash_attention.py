"""Keras's switch between dense and flash attention, as the block size of `ops.attend`."""

import keras

from keras_attention.ops.paths.plan import ROWS, device_kind


def block_size(flash_attention):
    """Returns the block size for `attend`: blockwise, 0 for dense, or `None` for its own choice.

    On a GPU or TPU `True` leaves the choice to `attend`, too, because tiles of a fixed size may exceed its budget.

    Args:
        flash_attention: `True`, `False`, or `None` for what `keras.config.is_flash_attention_enabled()` says.
    """
    if flash_attention is None:
        flash_attention = keras.config.is_flash_attention_enabled()
    if flash_attention is None or (flash_attention and device_kind() != "cpu"):
        return None
    return ROWS if flash_attention else 0
