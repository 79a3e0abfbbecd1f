"""Gradients and compiled calls in the words of whichever backend runs the tests."""

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()
# A graph of known dimensions is between the last two: it has the dimensions of the one and the kernels of the other.
# JAX runs the same code eagerly, but compiles each of its operations; tests of values alone do that.
COMPILED = {"tensorflow": ("eager", "xla", "dynamic"), "jax": ("xla",), "torch": ("eager",)}[BACKEND]
DEFAULT = "xla" if BACKEND == "jax" else "eager"
# What is checked of values holds where they are at hand: those on PyTorch's GPU are not waited for.
needs_values = pytest.mark.skipif(
    BACKEND == "torch" and keras.ops.zeros(()).device.type != "cpu", reason="values of a GPU are not looked at"
)
# How to compile a model of which a training step is tested, and not the compiler, which takes most of the time.
QUICK = {"jit_compile": BACKEND == "jax", "run_eagerly": BACKEND == "tensorflow"}


def numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def at_once(function, *x):
    """`function(*x)`, on JAX compiled as one: JAX would compile each operation for itself, which takes longer."""
    if BACKEND != "jax":
        return function(*x)
    import jax

    def run(*x):
        with keras.StatelessScope():  # what it changes, such as the state of a seed, is forgotten
            return function(*x)

    return jax.jit(run)(*x)


def plainly(function):
    """The function of TensorFlow without AutoGraph, which rewrites all Python that it calls: half of a trace's time.

    Nothing here needs it, and a condition on a tensor, which it would hide, is an error. `map_fn` would rewrite its
    body in an eager call, too.
    """
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)


def value_and_gradients(function, arrays, cotangent, how=DEFAULT):
    """`function(*arrays)` and the gradients of its product with `cotangent`, as NumPy arrays.

    how: "eager"; "xla" (compiled); "dynamic" (a graph in which batch and lengths are not known). By default "eager",
        but on JAX "xla": it would compile each operation for itself, which takes three times as long.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    value, gradients = run(function, [np.asarray(a, "float32") for a in arrays], cotangent, how)
    return numpy(value), [numpy(g) for g in gradients]


def _tensorflow(function, arrays, cotangent, how):
    import tensorflow as tf

    def run(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        return value, tape.gradient(value, tensors, tf.cast(cotangent, value.dtype))

    run = plainly(run)
    if how != "eager":
        open_ = [None, None] if how == "dynamic" else []
        specs = [tf.TensorSpec([*open_, *a.shape[len(open_) :]]) for a in arrays]
        run = tf.function(run, input_signature=specs, jit_compile=how == "xla")
    return run(*map(tf.constant, arrays))


def _jax(function, arrays, cotangent, how):
    import jax

    def run(*tensors):
        value, pullback = jax.vjp(function, *tensors)
        return value, pullback(jax.numpy.asarray(cotangent, value.dtype))

    return (jax.jit(run) if how == "xla" else run)(*arrays)


def torch_tensor(array, dtype=None, trained=False):
    """A tensor of PyTorch on the device on which Keras computes, which is the GPU where there is one."""
    return keras.ops.convert_to_tensor(array, dtype).requires_grad_(trained)


def _torch(function, arrays, cotangent, how):
    tensors = [torch_tensor(a, trained=True) for a in arrays]
    value = function(*tensors)
    value.backward(torch_tensor(cotangent, value.dtype))
    return value.detach(), [t.grad for t in tensors]
