"""Tests on random configurations, eagerly, in graphs of unknown sizes or under XLA.

A test runs a few, the same each time. For a longer run with other ones:

    RANDOM_RUNS=2000 RANDOM_SEED=7 python -m pytest -q tests/ops/test_random_attend.py

A failure reports its seed and index; `RANDOM_SEED=7 RANDOM_FIRST=1234 RANDOM_RUNS=1` runs that one alone.
"""

import os
from unittest import mock

import numpy as np

from keras_attention.ops.paths import plan
from tests.backend import BACKEND, numpy, torch_tensor
from tests.reference.attend import gradient_along

EAGER, UNKNOWN, XLA = "eager", "unknown", "xla"


def configurations(few):
    """Yields a name and a random generator for each of `few` configurations, or of RANDOM_RUNS."""
    seed, first = int(os.environ.get("RANDOM_SEED", 0)), int(os.environ.get("RANDOM_FIRST", 0))
    for index in range(first, first + int(os.environ.get("RANDOM_RUNS", few))):
        yield f"RANDOM_SEED={seed} RANDOM_FIRST={index}", np.random.default_rng([seed, index])


def check_all(check, few, *kind):
    """Runs `check(rng, *kind)` for each configuration; an error contains its name.

    With a budget of few bytes, so that the plan of accelerators cuts small inputs, too.
    """
    for name, rng in configurations(few):
        try:
            with mock.patch.object(plan, "BUDGET", 500):
                check(rng, *kind)
        except Exception as error:
            raise AssertionError(" ".join((name, *kind))) from error


def size(rng, most):
    """A random size of at most `most`, often 1, sometimes 0."""
    return int(rng.choice([0, 1, rng.integers(2, most + 1)], p=[0.06, 0.16, 0.78]))


def some(rng, shape):
    """A random mask with few, half or most values true."""
    return rng.random(shape) < rng.choice([0.15, 0.5, 0.9])


def check_gradients(rng, loops, arrays, gradients, cotangent, rtol, atol):
    """Compares each gradient with that of <cotangent, loops(**arrays)[0]> along a random direction.

    `None` is a gradient of zero.
    """
    for name, gradient in gradients.items():
        gradient = np.zeros(arrays[name].shape) if gradient is None else gradient
        assert gradient.shape == arrays[name].shape and np.isfinite(gradient).all(), name
        direction = rng.standard_normal(gradient.shape)
        along = gradient_along(
            lambda x, name=name: loops(**{**arrays, name: x})[0], [arrays[name]], [direction], cotangent
        )
        np.testing.assert_allclose(np.sum(gradient * direction), along, rtol=rtol, atol=atol, err_msg=f"d {name}")


def any_way(rng):
    """A random way to run: half in graphs of unknown sizes and a tenth under XLA, where supported."""
    way = rng.choice([EAGER, UNKNOWN, XLA], p=[0.4, 0.5, 0.1])
    # Eager JAX compiles each operation separately, which takes longer than one function.
    return {"tensorflow": way, "jax": EAGER if way == XLA else XLA, "torch": EAGER}[BACKEND]


def run(function, arrays, trained, cotangent, way, known=None):
    """`function(**arrays)` and the gradients of its product with `cotangent`, as NumPy arrays.

    Args:
        function: Takes tensors by name; returns a tensor or a tuple, the first of which is multiplied by the cotangent.
        arrays: {name: array}.
        trained: The names of the arrays whose gradients are computed.
        cotangent: Array of the shape of the (first) result.
        way: `"eager"`; `"unknown"`: in a graph of unknown sizes, except those of `known`; `"xla"`: such a graph,
            compiled.
        known: {name: tuple of axes whose sizes are known}.

    Returns:
        List of results, and {name: gradient}; a gradient is `None` where the result does not depend on the array.
    """
    runner = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    results, gradients = runner(function, arrays, trained, cotangent, way, known or {})
    return [numpy(x) for x in results], {n: None if g is None else numpy(g) for n, g in gradients.items()}


def _results(x):
    return list(x) if isinstance(x, tuple) else [x]


def _tensorflow(function, arrays, trained, cotangent, way, known):
    import tensorflow as tf

    def step(tensors):
        with tf.GradientTape() as tape:
            tape.watch([tensors[name] for name in trained])
            results = _results(function(**tensors))
        wanted = {name: tensors[name] for name in trained}
        return results, tape.gradient(results[0], wanted, tf.cast(cotangent, results[0].dtype))

    if way != EAGER:
        specs = {
            name: tf.TensorSpec([d if i in known.get(name, ()) else None for i, d in enumerate(np.shape(a))], a.dtype)
            for name, a in arrays.items()
        }
        step = tf.function(step, input_signature=[specs], jit_compile=way == XLA, autograph=False)
    return step({name: tf.constant(a) for name, a in arrays.items()})


def _jax(function, arrays, trained, cotangent, way, known):
    import jax

    def step(tensors):
        fixed = {name: x for name, x in tensors.items() if name not in trained}
        results, pullback, rest = jax.vjp(
            lambda wanted: (lambda r: (r[0], r[1:]))(_results(function(**fixed, **wanted))),
            {name: tensors[name] for name in trained},
            has_aux=True,
        )
        return [results, *rest], pullback(jax.numpy.asarray(cotangent, results.dtype))[0]

    tensors = {name: jax.numpy.asarray(a) for name, a in arrays.items()}
    return (jax.jit(step) if way == XLA else step)(tensors)


def _torch(function, arrays, trained, cotangent, way, known):
    tensors = {name: torch_tensor(a, trained=name in trained) for name, a in arrays.items()}
    results = _results(function(**tensors))
    results[0].backward(torch_tensor(cotangent, results[0].dtype))
    return [x.detach() for x in results], {name: tensors[name].grad for name in trained}
