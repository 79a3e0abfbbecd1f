"""Attention over candidate images: a softmax over the candidates at each pixel."""

from keras import ops

from keras_attention.ops.softmax import masked_softmax
from keras_attention.types import Tensor


def select_candidates(candidates: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    r"""Mixes M candidate images by a softmax over the candidates at each pixel.

    $$ A_m = \frac{e^{l_m}}{\sum_n e^{l_n}}, \quad image = \sum_m A_m \odot candidate_m $$

    as in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)).
    Written out, with B batch, Y × X positions, M candidates, C channels:

        attention: [B, Y, X, M] = softmax over M of logits
        image:     [B, Y, X, C] = sum over M of attention * candidates

    The softmax is in float32. A single candidate is returned unchanged.

    Args:
        candidates: [B, Y, X, M, C].
        logits: [B, Y, X, M].

    Returns:
        The image [B, Y, X, C] and the attention [B, Y, X, M], which sums to 1 over M.

    Raises:
        ValueError: If the shapes do not fit each other.

    Example: candidates 0 and 8, the second with three times the weight.

    >>> import numpy as np
    >>> from keras_attention.ops import select_candidates
    >>> candidates = np.array([0.0, 8.0]).reshape((1, 1, 1, 2, 1))
    >>> image, attention = select_candidates(candidates, np.log([[[[1.0, 3.0]]]]))
    >>> round(float(image[0, 0, 0, 0]), 4), [round(float(a), 4) for a in attention[0, 0, 0]]
    (6.0, [0.25, 0.75])
    """
    candidates, logits = ops.convert_to_tensor(candidates), ops.convert_to_tensor(logits)
    wanted, shape = tuple(logits.shape), tuple(candidates.shape)
    fits = len(shape) == 5 and all(a == b or None in (a, b) for a, b in zip(shape, wanted))
    if len(wanted) != 4 or not fits:
        raise ValueError(
            "`candidates` must be [B, Y, X, M, C] and `logits` [B, Y, X, M]. Received: "
            f"candidates.shape={shape}, logits.shape={wanted}"
        )
    attention = masked_softmax(logits)
    return ops.sum(ops.expand_dims(attention, -1) * candidates, axis=-2), attention
