"""Spectral norm of a matrix by power iteration, continued from one training step to the next.

Letters: I inputs, O outputs of a linear map.
"""

import contextlib
import contextvars
from collections.abc import Iterator

import keras
from keras import ops

from keras_attention.ops.checks import check_shape
from keras_attention.ops.require import require_int, require_number
from keras_attention.types import Tensor

_MOVED = contextvars.ContextVar("moved", default=None)


def spectral_norm(matrix: Tensor, u: Tensor, iterations: int = 1, epsilon: float = 1e-12) -> tuple[Tensor, Tensor]:
    r"""Spectral norm (largest singular value) by power iteration; the vector u is kept between calls.

    $$ v \leftarrow \frac{W u}{\|W u\|}, \quad u \leftarrow \frac{W^\top v}{\|W^\top v\|}, \quad
       \sigma = v^\top W u $$

    as in "Spectral Normalization for Generative Adversarial Networks", algorithm 1
    ([Miyato et al., 2018](https://arxiv.org/abs/1802.05957)). In float32 at least.

    No gradient flows through u and v: the gradient of sigma with respect to the matrix is v uᵀ. Up to rounding, the
    result is at most the largest singular value. A matrix of zeros has sigma 0 and leaves u unchanged, so that later
    calls can continue from it.

    Args:
        matrix: [I, O].
        u: [O], not all zero: from the last call, or random.
        iterations: Positive int.
        epsilon: Positive float, added to the norms in the denominators.

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
    matrix, start = ops.cast(matrix, dtype), ops.expand_dims(ops.stop_gradient(ops.cast(start, dtype)), 1)
    constant, u = ops.stop_gradient(matrix), start
    for _ in range(iterations):
        v = _unit(ops.matmul(constant, u), epsilon)
        u = _unit(ops.matmul(ops.transpose(constant), v), epsilon)
    sigma = ops.sum(v * ops.matmul(matrix, u))
    # A vector of zeros would stay zero in every later call.
    return sigma, ops.where(ops.any(u != 0), u, start)[:, 0]


@contextlib.contextmanager
def spectral_step() -> Iterator[None]:
    """Context of one training step, in which each `layers.SpectralNormalization` updates its vector u once.

    For custom training loops that call a model several times with the same weights, such as a discriminator;
    `training.AdversarialModel` does so. Steps may be nested: the innermost counts.

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
    """Whether `layer` may update its vector u: at its first call of a step, or whenever there is no step."""
    moved = _MOVED.get()
    if moved is None:
        return True
    first = not any(layer is other for other in moved)
    moved.append(layer)
    return first


def _unit(x, epsilon):
    return x / (ops.sqrt(ops.sum(ops.square(x))) + epsilon)
