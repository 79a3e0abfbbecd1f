"""Vector-Jacobian products and whole training steps on each backend.

The step itself is written once. On JAX, where a training step is a function from state to state, it runs in a
`keras.StatelessScope` that holds the state.
"""

import contextlib

import keras
import numpy as np
from keras import ops, tree

BACKEND = keras.backend.backend()


def vjp(function, variables, state, inputs=()):
    """Calls `function(*inputs)`; returns its outputs and its vector-Jacobian product, as `jax.vjp` does.

    The product may be computed later, after other updates.

    Args:
        function: Returns (differentiable, others): two nests of tensors; the first is differentiated.
        variables: Variables to differentiate with respect to.
        state: All variables that `function` may read or write; `variables` may be among them.
        inputs: Tuple of nests of tensors, to differentiate with respect to as well.

    Returns:
        (differentiable, others, vjp): `vjp(cotangents)` returns the gradients with respect to `variables`, a list, and
        to `inputs`, a tuple; zeros where there is no dependence. It may be called once.
    """
    return {"tensorflow": _vjp_tensorflow, "jax": _vjp_jax, "torch": _vjp_torch}[BACKEND](
        function, variables, state, inputs
    )


def _vjp_tensorflow(function, variables, state, inputs):
    import tensorflow as tf

    variables, sources = [v.value for v in variables], tree.flatten(inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        tape.watch(sources)
        outputs, others = function(*inputs)

    def backward(cotangents):
        gradients = tape.gradient(
            tree.flatten(outputs),
            variables + sources,
            output_gradients=tree.flatten(cotangents),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return gradients[: len(variables)], tree.pack_sequence_as(inputs, gradients[len(variables) :])

    return outputs, others, backward


def _vjp_jax(function, variables, state, inputs):
    import jax

    known = [(v, v.value) for v in state]

    def pure(values, inputs):
        # Losses that layers add are collected only on request.
        with keras.StatelessScope(known + list(zip(variables, values)), collect_losses=True) as scope:
            outputs, others = function(*inputs)
        return outputs, (others, [scope.get_current_value(v) for v in state])

    outputs, backward, (others, after) = jax.vjp(pure, [v.value for v in variables], inputs, has_aux=True)
    ours = {id(v) for v in variables}
    for variable, value in zip(state, after):
        if id(variable) not in ours:
            variable.assign(value)
    return outputs, others, backward


def _vjp_torch(function, variables, state, inputs):
    import torch

    inputs = tree.map_structure(lambda x: x.detach().requires_grad_(), inputs)
    sources = [v.value for v in variables] + tree.flatten(inputs)
    with torch.enable_grad():
        outputs, others = function(*inputs)

    def backward(cotangents):
        pairs = [(o, c) for o, c in zip(tree.flatten(outputs), tree.flatten(cotangents)) if o.requires_grad]
        differentiable, cotangents = zip(*pairs)
        gradients = torch.autograd.grad(differentiable, sources, cotangents, allow_unused=True, materialize_grads=True)
        return list(gradients[: len(variables)]), tree.pack_sequence_as(inputs, list(gradients[len(variables) :]))

    return outputs, tree.map_structure(_detached, others), backward


def _detached(x):
    return x.detach() if hasattr(x, "detach") else x


def apply(optimizer, gradients, variables):
    """Applies gradients to `variables`."""
    if BACKEND != "jax":
        with _without_gradients():
            optimizer.apply(gradients, variables)
        return
    state = optimizer.variables
    after = optimizer.stateless_apply([v.value for v in state], gradients, [v.value for v in variables])
    for variable, value in zip([*variables, *state], [*after[0], *after[1]]):
        variable.assign(value)


def _without_gradients():
    if BACKEND != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def run_step(step, groups, arguments):
    """Runs a training step in the form that the backend's trainer expects.

    Args:
        step: Function of the data that reads and writes variables; returns a dict of results.
        groups: Lists of variables, in the order of the trainer's state.
        arguments: (data,), or on JAX (state, data) with the values of `groups`.

    Returns:
        What `step` returns; on JAX (that, the new state).
    """
    if BACKEND != "jax":
        with _without_gradients():
            return step(*arguments)
    state, data = arguments
    mapping = [pair for variables, values in zip(groups, state) for pair in zip(variables, values)]
    with keras.StatelessScope(mapping) as scope:
        results = step(data)
    return results, tuple([scope.get_current_value(v) for v in variables] for variables in groups)


@contextlib.contextmanager
def forked_rng(*numbers):
    """Random numbers inside depend on `numbers` alone: integer variables, of any shape.

    On PyTorch, Keras's dropout uses the RNG of the process, which is forked and seeded here; other backends use seeds
    that are variables of the model.
    """
    if BACKEND != "torch":
        yield
        return
    import torch

    values = [int(value) for number in numbers for value in ops.convert_to_numpy(number).ravel()]
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(int(np.random.SeedSequence([value % 2**32 for value in values]).generate_state(1)[0]))
        yield


def stop_gradients(nest):
    """`ops.stop_gradient` of each tensor of a nest."""
    return tree.map_structure(ops.stop_gradient, nest)
