"""Runs a layer on one path: eager, compiled by XLA, or as a graph with unknown sizes of all inputs and masks."""

import inspect

import keras
import numpy as np
from keras import ops

from keras_attention.ops.paths import plan
from tests.backend import plainly, torch_tensor
from tests.layers.conformance import BACKEND, built, kept

# Eager JAX compiles each operation separately.
HOWS = {"tensorflow": ("eager", "dynamic", "xla"), "jax": ("xla",), "torch": ("eager",)}[BACKEND]
CHEAP = HOWS[0]
# Graphs of unknown sizes hold every tiling of attention: tracing their gradients too would be slow.
WITH_GRADIENTS = [how for how in HOWS if how != "dynamic"]


@kept
def passes(case, how, call=(), **init):
    """`Passes` of `built(case, **init)`, compiled once for all tests of the case; `call`: items of more arguments."""
    return Passes(built(case, **init), {**case.call, **dict(call)}, case.dynamic, how)


class Passes:
    """`layer(*inputs, **rest, **call)` and its vector-Jacobian product with a cotangent.

    Args:
        layer: A built layer that returns one tensor. Its variables may change between calls.
        call: What is the same in all calls.
        dynamic: Axes of the inputs that are unknown with how="dynamic", as the batch.
        how: One of `HOWS`. A "dynamic" graph takes attention of 20 logits and more in tiles.
    """

    def __init__(self, layer, call, dynamic, how):
        self.layer, self.call, self.dynamic, self.how = layer, call, dynamic, how
        self.dtype = None
        self._functions = {}

    def forward(self, inputs, rest=None):
        """The output as NumPy arrays, nested as the layer's."""
        return keras.tree.map_structure(numpy, self._run(inputs, rest or {}, None))

    def __call__(self, inputs, rest=None, cotangent=1.0):
        """The output and the gradients of the inputs."""
        return self.all(inputs, rest, cotangent)[:2]

    def all(self, inputs, rest=None, cotangent=1.0):
        """The output, the gradients of the inputs, and those of the trainable weights."""
        result = self._run(inputs, rest or {}, np.asarray(cotangent, "float32"))
        return keras.tree.map_structure(numpy, tuple(result))

    def _run(self, inputs, rest, cotangent):
        key = (*((name, np.ndim(x)) for name, x in rest.items()), cotangent is None)
        if key not in self._functions:
            make = {"tensorflow": self._tensorflow, "jax": self._jax, "torch": self._torch}[BACKEND]
            self._functions[key] = make(inputs, rest)
        return self._functions[key](inputs, rest, cotangent)

    def _output(self, inputs, rest):
        output = self.layer(*inputs, **rest, **self.call)
        self.dtype = keras.backend.standardize_dtype(keras.tree.flatten(output)[0].dtype)
        return output

    def _training(self):
        """The argument by which attention of unknown lengths has a gradient under XLA, if it changes nothing else."""
        free = self.how == "xla" and not self.layer.non_trainable_variables
        return {"training": True} if free and "training" in inspect.signature(self.layer.call).parameters else {}

    def _tensorflow(self, inputs, rest):
        import tensorflow as tf

        def run(inputs, rest, cotangent):
            inputs = [tf.convert_to_tensor(x) for x in inputs]
            if cotangent is None:
                return self._output(inputs, rest)
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                output = self._output(inputs, {**rest, **self._training()})
                product = tf.reduce_sum(tf.cast(output, tf.float32) * cotangent)
            weights = [w.value for w in self.layer.trainable_variables]
            return output, *tape.gradient(product, (inputs, weights), unconnected_gradients="zero")

        run = plainly(run)
        if self.how == "xla":
            return compiled(run, self.dynamic)
        if self.how == "eager":
            return run
        signature = [_unknown(inputs, self.dynamic), {name: _spec(x) for name, x in rest.items()}]
        graph = tf.function(plainly(lambda inputs, rest: run(inputs, rest, None)), input_signature=signature)

        def in_tiles(inputs, rest, cotangent):
            least, plan.DENSE_BELOW = plan.DENSE_BELOW, 20
            try:  # the first call traces
                return graph([tf.constant(x) for x in inputs], {name: tf.constant(x) for name, x in rest.items()})
            finally:
                plan.DENSE_BELOW = least

        return in_tiles

    def _jax(self, inputs, rest):
        import jax

        trained = self.layer.trainable_variables
        others = [v for v in self.layer.variables if not any(v is w for w in trained)]

        def run(weights, state, inputs, rest, cotangent):
            def output(inputs, weights):
                with keras.StatelessScope(state_mapping=[*zip(trained, weights), *zip(others, state)]):
                    return self._output(inputs, rest)

            if cotangent is None:
                return output(inputs, weights)
            value, pullback = jax.vjp(output, inputs, weights)
            return value, *pullback(jax.numpy.broadcast_to(cotangent, value.shape).astype(value.dtype))

        compiled = jax.jit(run)
        return lambda inputs, *rest: compiled([w.value for w in trained], [v.value for v in others], [*inputs], *rest)

    def _torch(self, inputs, rest):
        import torch

        def run(inputs, rest, cotangent):
            rest = {name: torch_tensor(x) for name, x in rest.items()}
            if cotangent is None:
                with torch.no_grad():
                    return self._output(inputs, rest)
            inputs = [torch_tensor(x, trained=True) for x in inputs]
            output = self._output(inputs, rest)
            product = (output.float() * torch_tensor(cotangent)).sum()
            sources = [*inputs, *(w.value for w in self.layer.trainable_variables)]
            gradients = torch.autograd.grad(product, sources, allow_unused=True)
            gradients = [torch.zeros_like(x) if g is None else g for x, g in zip(sources, gradients)]
            return output.detach(), gradients[: len(inputs)], gradients[len(inputs) :]

        return run


def compiled(run, dynamic=()):
    """`run(inputs, rest, cotangent)` compiled by XLA as in training: batch and `dynamic` axes of inputs are unknown."""
    import tensorflow as tf

    functions = {}

    def call(inputs, rest, cotangent):
        arrays = [[tf.convert_to_tensor(x) for x in inputs], {n: tf.convert_to_tensor(x) for n, x in rest.items()}]
        specs = [_unknown(arrays[0], dynamic)]
        specs += [{name: tf.TensorSpec(x.shape, x.dtype) for name, x in arrays[1].items()}]
        if cotangent is not None:
            arrays.append(tf.convert_to_tensor(cotangent))
            specs.append(tf.TensorSpec(arrays[2].shape, arrays[2].dtype))
        key = str(specs)
        if key not in functions:
            forward = plainly(lambda inputs, rest: run(inputs, rest, None))
            functions[key] = tf.function(forward if cotangent is None else run, jit_compile=True, input_signature=specs)
        return functions[key](*arrays)

    return call


def numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")))


def _unknown(inputs, dynamic):
    """Specs of inputs whose batch and `dynamic` axes are unknown."""
    return [_spec(x, [i for i in range(1, np.ndim(x)) if i not in dynamic]) for x in inputs]


def _spec(x, known=()):
    import tensorflow as tf

    return tf.TensorSpec([n if i in known else None for i, n in enumerate(np.shape(x))], np.asarray(x).dtype)


def traced(function):
    """`function()` without computing anything, where the backend can: on JAX, its shapes and dtypes."""
    if BACKEND != "jax":
        return function()
    import jax

    return jax.eval_shape(function)


def tensors(function, arrays, backward=True):
    """Shapes of all tensors that `function(*arrays)` and its gradient create; nothing is computed."""

    def total(*x):
        return sum(ops.sum(ops.cast(y, "float32")) for y in keras.tree.flatten(function(*x)))

    if BACKEND == "jax":
        import jax

        run = jax.grad(total, argnums=tuple(range(len(arrays)))) if backward else function
        return list(_of_jaxpr(jax.make_jaxpr(run)(*arrays).jaxpr))
    import tensorflow as tf

    def both(*x):
        if not backward:
            return function(*x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = total(*x)
        return tape.gradient(value, x)

    graph = tf.function(plainly(both)).get_concrete_function(*[tf.TensorSpec(x.shape, x.dtype) for x in arrays]).graph
    graphs = [graph, *(graph._get_function(name).graph for name in graph._functions)]
    found = [t.shape for g in graphs for operation in g.get_operations() for t in operation.outputs]
    return [tuple(n or 1 for n in shape) for shape in found if shape.rank is not None]


def _of_jaxpr(jaxpr):
    for equation in jaxpr.eqns:
        yield from (tuple(v.aval.shape) for v in equation.outvars)
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, tuple | list) else (parameter,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _of_jaxpr(inner)


def stepping(layer, output, loss, how):
    """f(*arrays) -> output(*arrays), loss(*arrays) and its gradients of the trainable weights, as NumPy arrays."""
    run = {"tensorflow": _step_tensorflow, "jax": _step_jax, "torch": _step_torch}[BACKEND](layer, output, loss, how)
    return lambda *x: keras.tree.map_structure(numpy, run(*x))


def _step_tensorflow(layer, output, loss, how):
    import tensorflow as tf

    def run(*x):
        result = output(*x)
        with tf.GradientTape() as tape:
            value = loss(*x)
        weights = [w.value for w in layer.trainable_variables]
        return result, value, tape.gradient(value, weights, unconnected_gradients="zero")

    return tf.function(plainly(run), jit_compile=True) if how == "xla" else plainly(run)


def _step_jax(layer, output, loss, how):
    import jax

    trained = layer.trainable_variables
    others = [v for v in layer.variables if not any(v is w for w in trained)]

    def run(weights, state, *x):
        def of_weights(weights):
            with keras.StatelessScope(state_mapping=[*zip(trained, weights), *zip(others, state)]):
                return loss(*x)

        with keras.StatelessScope(state_mapping=[*zip(trained, weights), *zip(others, state)]):
            result = output(*x)
        return result, *jax.value_and_grad(of_weights)(weights)

    compiled = jax.jit(run)
    return lambda *x: compiled([w.value for w in trained], [v.value for v in others], *x)


def _step_torch(layer, output, loss, how):
    import torch

    def run(*x):
        # First: a training step changes more than weights.
        result = keras.tree.map_structure(lambda t: t.detach(), output(*x))
        value, weights = loss(*x), [w.value for w in layer.trainable_variables]
        gradients = [None] * len(weights)
        if weights and value.requires_grad:  # false if no weight takes part
            gradients = torch.autograd.grad(value, weights, allow_unused=True)
        zeros = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, gradients)]
        return result, value.detach(), zeros

    return run


def along(layer, call, inputs, direction, weights, dtype="float64"):
    """f(s) = sum of weights * layer(inputs + s * direction): s -> f and s -> (f, f', f''), floats."""

    def total(s):
        moved = [ops.convert_to_tensor(x, dtype) + s * ops.convert_to_tensor(d, dtype) for x, d in inputs_of]
        return ops.sum(ops.cast(layer(*moved, **call), dtype) * ops.convert_to_tensor(weights, dtype))

    inputs_of = list(zip(inputs, direction, strict=True))
    return {"tensorflow": _along_tensorflow, "jax": _along_jax, "torch": _along_torch}[BACKEND](total, dtype)


def _along_tensorflow(total, dtype):
    import tensorflow as tf

    def run(s):
        s = tf.constant(s, dtype)
        with tf.GradientTape() as outer:
            outer.watch(s)
            with tf.GradientTape() as inner:
                inner.watch(s)
                value = total(s)
            slope = inner.gradient(value, s)
        return [float(x) for x in (value, slope, outer.gradient(slope, s))]

    return lambda s: float(total(s)), run


def _along_jax(total, dtype):
    import jax

    def run(s):
        return total(s), jax.grad(total)(s), jax.grad(jax.grad(total))(s)

    compiled = jax.jit(run)

    def derivatives(s):
        return [float(x) for x in compiled(np.asarray(s, dtype))]

    return lambda s: derivatives(s)[0], derivatives


def _along_torch(total, dtype):
    import torch

    def run(s):
        s = torch_tensor(s, dtype, trained=True)
        value = total(s)
        [slope] = torch.autograd.grad(value, s, create_graph=True)
        [bend] = torch.autograd.grad(slope, s)
        return [x.item() for x in (value.detach(), slope.detach(), bend)]

    return lambda s: total(s).item(), run
