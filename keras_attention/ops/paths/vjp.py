"""Custom gradients on every backend."""

import keras
from keras import ops


def differentiable(forward, backward):
    """A function with a custom vector-Jacobian product, which can itself be differentiated.

    Args:
        forward: `forward(*inputs)`, the output: one tensor.
        backward: `backward(inputs, output, d_output)`, a tuple: the gradients of the inputs.

    Returns:
        `forward` with this gradient.
    """

    @ops.custom_gradient
    def run(*inputs):
        # JAX may pass NumPy arrays, which cannot be indexed by a tracer.
        inputs = [ops.convert_to_tensor(x) for x in inputs]
        output = _unrecorded(forward, inputs)

        def gradient(*args, upstream=None):
            if upstream is None:
                return backward(inputs, _recorded(output, inputs, backward), args[-1])
            # Keras on PyTorch runs the forward pass without recording and passes the inputs again, and `upstream` by
            # name. A second derivative needs these inputs, and an output that depends on them.
            return backward(args, run(*args) if _is_recording() else output, upstream)

        return output, gradient

    return run


def _unrecorded(forward, inputs):
    """The output. A tape of TensorFlow would hold all that `forward` computes, although its gradient is not taken."""
    if keras.backend.backend() == "tensorflow":
        inputs = [ops.stop_gradient(x) for x in inputs]
    return forward(*inputs)


def _recorded(output, inputs, backward):
    """The output of `_unrecorded`, for second derivatives with the gradient of `forward` again."""
    if keras.backend.backend() == "tensorflow":
        return differentiable(lambda *_: output, backward)(*inputs)
    return output


def differentiable_twice(kernel, ordinary):
    """`kernel`, whose gradient is its own, and whose second derivatives are those of `ordinary`.

    A fused kernel has a gradient, but its gradient has none.

    Args:
        kernel, ordinary: Functions of tensors that return the same tensor; `ordinary` may be differentiated often.

    Returns:
        A function of these tensors.
    """
    return {"torch": _twice_on_torch, "jax": _twice_on_jax}[keras.backend.backend()](kernel, ordinary)


def _twice_on_torch(kernel, ordinary):
    def run(*inputs):
        output = kernel(*inputs)
        # The output of symbolic inputs has no gradient.
        recorded = getattr(output, "requires_grad", False)
        return GRADIENT_SWITCH.apply(ordinary, output, *inputs) if recorded else output

    return run


def _gradient_switch():
    """A PyTorch function: the identity of its output, whose gradient takes one of two ways to the inputs.

    The graph of the kernel is an ordinary one, whose tensors PyTorch saves once and frees as usual. Where the gradient
    is recorded to be differentiated, the kernel's graph gets no gradient, and is not run.
    """
    import torch

    class GradientSwitch(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(ordinary, output, *inputs):
            return output.view_as(output)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.ordinary = inputs[0]
            ctx.save_for_backward(*inputs[2:])

        @staticmethod
        def backward(ctx, d_output):
            needed = ctx.needs_input_grad[2:]
            if not torch.is_grad_enabled():
                return None, d_output, *[None] * len(needed)
            # Views: the same tensor may be several inputs, and each has a gradient of its own.
            inputs = [x.view_as(x) for x in ctx.saved_tensors]
            wanted = [x for x, is_needed in zip(inputs, needed, strict=True) if is_needed]
            gradients = iter(torch.autograd.grad(ctx.ordinary(*inputs), wanted, d_output, create_graph=True))
            return None, None, *[next(gradients) if is_needed else None for is_needed in needed]

    return GradientSwitch


# Not made when it is needed: `torch.compile` traces no definition of a class.
GRADIENT_SWITCH = _gradient_switch() if keras.backend.backend() == "torch" else None


def _twice_on_jax(kernel, ordinary):
    """Each of the three functions that JAX may differentiate, with the derivative of its ordinary counterpart."""
    import jax

    def ordinary_gradient(inputs, d_output):
        return jax.vjp(ordinary, *inputs)[1](d_output)

    @jax.custom_vjp
    def forward(*inputs):
        return jax.vjp(kernel, *inputs)

    forward.defvjp(
        lambda *inputs: (forward(*inputs), inputs), lambda inputs, d_outputs: ordinary_gradient(inputs, d_outputs[0])
    )

    @jax.custom_vjp
    def backward(vjp, inputs, d_output):
        return vjp(d_output)

    backward.defvjp(
        lambda vjp, *given: (backward(vjp, *given), given),
        lambda given, d_gradients: (None, *jax.vjp(ordinary_gradient, *given)[1](d_gradients)),
    )

    def record(*inputs):
        output, vjp = forward(*inputs)
        return output, (vjp, inputs)

    run = jax.custom_vjp(kernel)
    run.defvjp(record, lambda recorded, d_output: backward(*recorded, d_output))
    return run


def _is_recording():
    if keras.backend.backend() != "torch":
        return False
    import torch

    return torch.is_grad_enabled()
