"""Gradients and compiled calls on every backend."""

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()
# A graph of known sizes needs no case of its own: "xla" has its sizes and "dynamic" its kernels.
# Eager JAX runs the same code but compiles each operation; only tests of values do that.
COMPILED = {"tensorflow": ("eager", "xla", "dynamic"), "jax": ("xla",), "torch": ("eager",)}[BACKEND]
DEFAULT = "xla" if BACKEND == "jax" else "eager"
# Checks of values are skipped on PyTorch's GPU, where they would need a synchronisation.
needs_values = pytest.mark.skipif(
    BACKEND == "torch" and keras.ops.zeros(()).device.type != "cpu", reason="values on a GPU are not checked"
)
# Arguments of `compile` for tests of a training step: compiling would take most of the time.
QUICK = {"jit_compile": BACKEND == "jax", "run_eagerly": BACKEND == "tensorflow"}


def numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(x))


def at_once(function, *x):
    """`function(*x)`, under `jit` on JAX: compiling each operation separately takes longer."""
    if BACKEND != "jax":
        return function(*x)
    import jax

    def run(*x):
        with keras.StatelessScope():  # state updates, such as of a seed, are discarded
            return function(*x)

    return jax.jit(run)(*x)


def plainly(function):
    """Disables AutoGraph for a TensorFlow function: rewriting Python takes half of a trace's time.

    Nothing here needs it, and without it a Python condition on a tensor is an error. `map_fn` rewrites its body also
    in an eager call.
    """
    import tensorflow as tf

    return tf.autograph.experimental.do_not_convert(function)


def value_and_gradients(function, arrays, cotangent, how=DEFAULT):
    """`function(*arrays)` and the gradients of its product with `cotangent`, as NumPy arrays.

    how: "eager"; "xla" (compiled); "dynamic" (a graph of unknown batch size and lengths). By default "eager", but on
        JAX "xla": compiling each operation separately takes three times as long.
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
    """A PyTorch tensor on Keras's default device."""
    return keras.ops.convert_to_tensor(array, dtype).requires_grad_(trained)


def _torch(function, arrays, cotangent, how):
    tensors = [torch_tensor(a, trained=True) for a in arrays]
    value = function(*tensors)
    value.backward(torch_tensor(cotangent, value.dtype))
    return value.detach(), [t.grad for t in tensors]


def without_derivative():
    """JAX: the identity, which raises where it is differentiated."""
    import jax

    @jax.custom_jvp
    def opaque(x):
        return x

    @opaque.defjvp
    def refuse(primals, tangents):
        raise NotImplementedError("no derivative")

    return opaque
