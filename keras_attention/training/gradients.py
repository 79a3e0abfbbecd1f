"""Gradients of a piece of a training step, and the step as a function, in the words of each backend.

The step itself is written once. On JAX, where a training step is a function from state to state, it runs in a
`keras.StatelessScope` that holds the state.
"""

import contextlib

import keras
import numpy as np
from keras import ops, tree

BACKEND = keras.backend.backend()


def record(function, variables, state, inputs=()):
    """Calls `function(*inputs)` such that its gradients can be asked for afterwards, when other things were done.

    Args:
        function: Returns (differentiable, others): two nests of tensors, of which the first is recorded.
        variables: Variables to differentiate by.
        state: All variables that `function` may read or write; `variables` may be among them.
        inputs: Tuple of nests of tensors, to differentiate by as well.

    Returns:
        (differentiable, others, pull): `pull(cotangents)` returns the gradients by `variables`, a list, and by
        `inputs`, a tuple; zeros where there is no dependence. It may be called once.
    """
    return {"tensorflow": _record_tensorflow, "jax": _record_jax, "torch": _record_torch}[BACKEND](
        function, variables, state, inputs
    )


def _record_tensorflow(function, variables, state, inputs):
    import tensorflow as tf

    variables, sources = [v.value for v in variables], tree.flatten(inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(variables)
        tape.watch(sources)
        outputs, others = function(*inputs)

    def pull(cotangents):
        gradients = tape.gradient(
            tree.flatten(outputs),
            variables + sources,
            output_gradients=tree.flatten(cotangents),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return gradients[: len(variables)], tree.pack_sequence_as(inputs, gradients[len(variables) :])

    return outputs, others, pull


def _record_jax(function, variables, state, inputs):
    import jax

    known = [(v, v.value) for v in state]

    def pure(values, inputs):
        # Losses that layers add are collected only if asked for.
        with keras.StatelessScope(known + list(zip(variables, values)), collect_losses=True) as scope:
            outputs, others = function(*inputs)
        return outputs, (others, [scope.get_current_value(v) for v in state])

    outputs, pull_back, (others, after) = jax.vjp(pure, [v.value for v in variables], inputs, has_aux=True)
    ours = {id(v) for v in variables}
    for variable, value in zip(state, after):
        if id(variable) not in ours:
            variable.assign(value)
    return outputs, others, pull_back


def _record_torch(function, variables, state, inputs):
    import torch

    inputs = tree.map_structure(lambda x: x.detach().requires_grad_(), inputs)
    sources = [v.value for v in variables] + tree.flatten(inputs)
    with torch.enable_grad():
        outputs, others = function(*inputs)

    def pull(cotangents):
        pairs = [(o, c) for o, c in zip(tree.flatten(outputs), tree.flatten(cotangents)) if o.requires_grad]
        recorded, cotangents = zip(*pairs)
        gradients = torch.autograd.grad(recorded, sources, cotangents, allow_unused=True, materialize_grads=True)
        return list(gradients[: len(variables)]), tree.pack_sequence_as(inputs, list(gradients[len(variables) :]))

    return outputs, tree.map_structure(_detached, others), pull


def _detached(x):
    return x.detach() if hasattr(x, "detach") else x


def apply(optimizer, gradients, variables):
    """Updates `variables`."""
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
    """Runs a step of training in the form that the backend's trainer expects.

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
def own_chance(*numbers):
    """Makes what is drawn inside depend on `numbers` alone: integer variables, of any shape.

    Keras's dropout draws from a source of the model's own; on PyTorch from that of the process, which is lent here.
    """
    if BACKEND != "torch":
        yield
        return
    import torch

    values = [int(value) for number in numbers for value in ops.convert_to_numpy(number).ravel()]
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(int(np.random.SeedSequence([value % 2**32 for value in values]).generate_state(1)[0]))
        yield


def constant(nest):
    """The same tensors, through which no gradient flows."""
    return tree.map_structure(ops.stop_gradient, nest)
