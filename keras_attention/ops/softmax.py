"""Softmax over those who take part."""

from keras import ops

# Far below any real logit, yet far from the overflow of float32.
NEGATIVE = -1e30


def masked_softmax(logits, mask=None, axis=-1):
    """Softmax over `axis` in which masked entries weigh exactly zero.

    Args:
        logits: Tensor of any shape. float16 and bfloat16 are normalised in float32.
        mask: Boolean, broadcastable to `logits`; `True` takes part. A row with
            no `True` at all yields zeros, never a uniform or NaN row.
        axis: The axis that sums to one.

    Returns:
        Tensor shaped like `logits`, of its dtype.
    """
    dtype = logits.dtype
    logits = ops.cast(logits, "float32")
    if mask is None:
        return ops.cast(softmax(logits, axis), dtype)
    probs = softmax(ops.where(mask, logits, NEGATIVE), axis)
    # Without this, a fully masked row would be uniform: it would attend to padding.
    return ops.cast(ops.where(mask, probs, ops.zeros_like(probs)), dtype)


def softmax(logits, axis=-1):
    """Softmax that takes a single entry without Keras's warning: one key is not a mistake here."""
    if logits.shape[axis] == 1:
        return ops.exp(logits - logits)
    return ops.softmax(logits, axis=axis)
