"""The greatest singular value of a matrix, from one step of training to the next.

Letters: I inputs, O outputs of a linear map.
"""

import contextlib
import contextvars

import keras
from keras import ops

from keras_attention.ops.checks import check_shape
from keras_attention.ops.require import require_int, require_number

_MOVED = contextvars.ContextVar("moved", default=None)


def spectral_norm(matrix, u, iterations=1, epsilon=1e-12):
    r"""Greatest singular value by power iteration from a vector that is kept between the calls.

    $$ v \leftarrow \frac{W u}{\|W u\|}, \quad u \leftarrow \frac{W^\top v}{\|W^\top v\|}, \quad
       \sigma = v^\top W u $$

    as in "Spectral Normalization for Generative Adversarial Networks", algorithm 1
    ([Miyato et al., 2018](https://arxiv.org/abs/1802.05957)). In float32 at least.

    u and v are constants of the gradient: that of sigma with respect to the matrix is v uᵀ. The result is never above
    the greatest singular value (but by rounding). A matrix of zeros has sigma 0, and leaves u as it is, from where a
    later call can go on.

    Args:
        matrix: [I, O].
        u: [O], not all zero: what the last call returned, or noise.
        iterations: Positive int.
        epsilon: Positive float, added to the lengths that are divided by.

    Returns:
        sigma [] and the next u [O].

    Raises:
        ValueError: If the shapes do not fit, or an argument is out of its range.

    Example:

    >>> from keras import ops
    >>> from keras_attention.ops import spectral_norm
    >>> matrix = ops.convert_to_tensor([[3.0, 0.0], [0.0, 0.5], [0.0, 0.0]])
    >>> sigma, u = spectral_norm(matrix, ops.ones(2), iterations=5)
    >>> round(float(sigma), 4)
    3.0
    """
    matrix, start = ops.convert_to_tensor(matrix), ops.convert_to_tensor(u)
    if len(matrix.shape) != 2:
        raise ValueError(f"`matrix` must be [I, O]. Received: matrix.shape={tuple(matrix.shape)}")
    check_shape(start, "u", matrix.shape[1:])
    require_int(iterations, "iterations")
    require_number(epsilon, "epsilon", above=0)
    dtype = keras.backend.result_type(matrix.dtype, "float32")
    matrix, start = ops.cast(matrix, dtype), ops.stop_gradient(ops.cast(start, dtype))[:, None]
    constant, u = ops.stop_gradient(matrix), start
    for _ in range(iterations):
        v = _unit(ops.matmul(constant, u), epsilon)
        u = _unit(ops.matmul(ops.transpose(constant), v), epsilon)
    sigma = ops.sum(v * ops.matmul(matrix, u))
    # From zero no iteration would ever come back.
    return sigma, ops.where(ops.any(u != 0), u, start)[:, 0]


@contextlib.contextmanager
def spectral_step():
    """Inside, each `layers.SpectralNormalization` moves its vector once, however often it is called in training.

    For training loops of one's own, around what one step calls with one and the same weights, such as several calls of
    a discriminator; `training.AdversarialModel` does so. Steps may lie inside each other: the innermost counts.

    Example:

    >>> import keras
    >>> from keras_attention import layers
    >>> layer = layers.SpectralNormalization(keras.layers.Dense(3))
    >>> with spectral_step():
    ...     outputs = [layer(keras.ops.ones((2, 5)), training=True) for _ in range(4)]
    """
    token = _MOVED.set([])
    try:
        yield
    finally:
        _MOVED.reset(token)


def may_move(layer):
    """Whether it has not moved in this step; from then on it has. Always, where there is no step."""
    moved = _MOVED.get()
    if moved is None:
        return True
    first = not any(layer is other for other in moved)
    moved.append(layer)
    return first


def _unit(x, epsilon):
    return x / (ops.sqrt(ops.sum(ops.square(x))) + epsilon)
