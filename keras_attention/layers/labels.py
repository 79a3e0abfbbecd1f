"""Classes that come beside an input: refused by name where they are not one integer an example."""

import keras


def check_label(label, batch):
    """Raises unless `label` is [B] integers.

    Args:
        label: Tensor.
        batch: B, `None` where unknown.
    """
    shape = tuple(label.shape)
    fits = len(shape) == 1 and (batch is None or shape[0] in (None, batch))
    if not fits or not keras.backend.is_int_dtype(keras.backend.standardize_dtype(label.dtype)):
        raise ValueError(
            f"`label` must be integers [B] = [{'?' if batch is None else batch}]. "
            f"Received: label.shape={shape}, label.dtype={label.dtype}"
        )
