"""Arithmetic with sizes that may be known only at run time: scalar tensors of TensorFlow, symbols of `jax.export`."""

import math

import keras
from keras import ops


def product(*sizes):
    """Product of sizes: an int if all are ints; else a float32 scalar, as int32 overflows at 46,341 squared."""
    if known(*sizes):
        return math.prod(sizes)
    return math.prod(ops.cast(n, "float32") for n in sizes)


def shape_of(x):
    """`ops.shape`, which on TensorFlow is an operation in eager mode, only where a size is known only at run time."""
    return ops.shape(x) if None in tuple(x.shape) else tuple(x.shape)


def with_rank(x, rank):
    """Appends axes of size 1 to `x` up to `rank` axes."""
    x = ops.convert_to_tensor(x)
    return ops.reshape(x, (*ops.shape(x), *[1] * (rank - len(x.shape))))


def chosen(x, index):
    """The entry `index` of each row of x: [..., V] and integers [...] -> [...].

    A sum over the row, not `take_along_axis`, which in older Keras does not compile under XLA with an unknown batch.
    """
    here = ops.arange(x.shape[-1], dtype="int32") == ops.expand_dims(ops.cast(index, "int32"), -1)
    return ops.sum(ops.where(here, x, ops.zeros_like(x)), axis=-1)


def minimum(a, b):
    """The smaller of two sizes; a Python int if both are, a symbol if one is."""
    if known(a, b):
        return min(a, b)
    return _jax().min_dim(a, b) if symbolic(a, b) else ops.minimum(a, b)


def maximum(a, b):
    """The larger of two sizes; a Python int if both are, a symbol if one is."""
    if known(a, b):
        return max(a, b)
    return _jax().max_dim(a, b) if symbolic(a, b) else ops.maximum(a, b)


def _jax():
    import jax

    return jax.core


def divide(size, by):
    """The quotient of two sizes, rounded up."""
    if same(size, by):
        return 1
    # Not -(-size // by): converters to ONNX round integer quotients toward zero.
    return size if same(by, 1) else (size + by - 1) // by


def lengthen(x, axis, size, to):
    """Appends zeros to an axis of `x` that has `size` entries until it has `to`."""
    if same(size, to):
        return x
    return ops.pad(x, [(0, to - size if i == axis else 0) for i in range(len(x.shape))])


def same(a, b):
    """Whether two sizes are known to be equal."""
    return a is b or ((known(a, b) or symbolic(a, b)) and a == b)


def may_equal(a, b):
    """Whether two static sizes can be equal; `None` is unknown."""
    return a is None or b is None or a == b


def known(*sizes):
    """Whether all sizes are ints, and not tensors."""
    return all(isinstance(n, int) for n in sizes)


def below(size, least):
    """Whether a static size is known to be less than `least`: neither `None` nor a symbol is."""
    return known(size) and size < least


def symbolic(*sizes):
    """Whether a size is a symbol and the others are ints or symbols; symbols cannot be compared by < and >."""
    return not any(map(ops.is_tensor, sizes)) and any(map(is_symbol, sizes))


def is_symbol(size):
    """Whether it is a symbol of `jax.export`, which stays one in arithmetic."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.export.is_symbolic_dim(size)


def choose(condition, a, b):
    """One of two sizes; a scalar tensor if the condition is a tensor."""
    if isinstance(condition, bool):
        return a if condition else b
    return ops.where(condition, a, b)


def either(choice, one, other, training=True):
    """`one()` or `other()`; chosen at run time if `choice` is a tensor, because sizes are not known before.

    XLA knows all sizes. It then compiles one branch of TensorFlow's `switch_case`, but both of `cond`, and has no
    gradient of the branch not taken. Converters to other runtimes know `cond` alone, which is taken without training.
    """
    if isinstance(choice, bool):
        return one() if choice else other()
    if keras.backend.backend() != "tensorflow" or not training:
        return ops.cond(choice, one, other)
    import tensorflow as tf

    return tf.switch_case(tf.cast(choice, "int32"), [other, one])
