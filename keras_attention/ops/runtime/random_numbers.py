"""Random numbers that one seed makes the same, whether or not XLA compiles the function.

A seed is an int, a `keras.random.SeedGenerator`, a scalar integer tensor (so that a served function takes it as an
input), or `None`: Keras's global generator. An int or a generator draws what `keras.random` draws by it outside of XLA.
`uniform` and `normal` also take a tensor [B], one seed a row of [B, ...]: a row then depends on its seed alone.

On TensorFlow, XLA draws the same bits, but makes other floats of them than TensorFlow does; so they are made here.
"""

import math

import keras
from keras import ops

from keras_attention.ops.paths import hashed_random
from keras_attention.ops.runtime.replicas import next_seed
from keras_attention.ops.shapes.sizes import divide

BACKEND = keras.backend.backend()
MANTISSA = 23  # bits of a float32


def uniform(shape, seed=None):
    """Float32 numbers of this shape, whose sizes may be scalar tensors, in [0, 1)."""
    if _is_one_a_row(seed):
        return _by_row(hashed_random.uniform, shape, seed)
    if BACKEND != "tensorflow":
        return _drawn("uniform", shape, seed, dtype="float32")
    lower = ops.bitwise_and(_bits(shape, seed, None, None), 2**MANTISSA - 1)
    return ops.cast(lower, "float32") * 2.0**-MANTISSA


def normal(shape, seed=None):
    """Float32 numbers of this shape with mean 0 and standard deviation 1."""
    if _is_one_a_row(seed):
        return _by_row(hashed_random.normal, shape, seed)
    if BACKEND != "tensorflow":
        return _drawn("normal", shape, seed, dtype="float32")
    count = math.prod(shape)
    # Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958: two numbers of two.
    pairs = uniform((divide(count, 2), 2), seed)
    radius = ops.sqrt(-2.0 * ops.log(ops.maximum(pairs[:, 0], 1e-7)))
    angle = 2.0 * math.pi * pairs[:, 1]
    numbers = ops.stack([radius * ops.sin(angle), radius * ops.cos(angle)], axis=1)
    return ops.reshape(ops.reshape(numbers, (-1,))[:count], shape)


def integers(shape, end, seed=None):
    """Int32 numbers of this shape from 0 to `end` - 1."""
    if BACKEND != "tensorflow":
        return _drawn("randint", shape, seed, 0, end, dtype="int32")
    return _bits(shape, seed, 0, end)


def _is_one_a_row(seed):
    return ops.is_tensor(seed) and len(seed.shape) == 1


def _by_row(draw, shape, seed):
    """Hashed numbers: a generator of the backend has one seed, and XLA no loop over an unknown number of rows."""
    if isinstance(shape[0], int) and seed.shape[0] not in (None, shape[0]):
        raise ValueError(
            f"`seed` must be a scalar or one seed a row, shape [{shape[0]}]. Received: seed.shape={tuple(seed.shape)}"
        )
    seed = ops.cast(seed, "int32")
    return ops.reshape(draw(seed, ops.zeros_like(seed), math.prod(shape[1:])), shape)


def _drawn(name, shape, seed, *bounds, dtype):
    if BACKEND == "jax" and ops.is_tensor(seed):
        import jax

        return getattr(jax.random, name)(jax.random.key(seed), shape, *bounds, dtype=dtype)
    seed = int(seed) if ops.is_tensor(seed) else seed
    return getattr(keras.random, name)(shape, *bounds, dtype=dtype, seed=seed)


def _bits(shape, seed, least, end):
    import tensorflow as tf

    # Keras leaves the algorithm to TensorFlow, which takes another one under XLA.
    return tf.random.stateless_uniform(shape, _two_integers(seed), least, end, dtype=tf.int32, alg="philox")


def _two_integers(seed):
    """The seed as TensorFlow takes it, int32 [2]: the numbers that Keras draws by it."""
    if seed is None:
        return keras.random.randint((2,), 0, 2**31 - 1, dtype="int32")
    if isinstance(seed, keras.random.SeedGenerator):
        seed = next_seed(seed)
    elif ops.is_tensor(seed):
        seed = ops.stack([ops.cast(seed, "int64"), ops.zeros((), "int64")])
    else:
        seed = ops.convert_to_tensor([seed, 0], dtype="int64")
    return ops.cast(ops.mod(ops.cast(seed, "int64"), 2**31 - 2), "int32")
