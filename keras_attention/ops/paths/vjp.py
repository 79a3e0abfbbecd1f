"""Gradients that are written by hand, on every backend."""

import keras
from keras import ops


def differentiable(forward, backward):
    """A function whose vector-Jacobian product is written by hand, and can be differentiated again.

    Args:
        forward: `forward(*inputs)`, the output: one tensor.
        backward: `backward(inputs, output, d_output)`, a tuple: the gradients of the inputs.

    Returns:
        `forward` with that gradient.
    """

    @ops.custom_gradient
    def run(*inputs):
        # JAX may pass on the NumPy arrays of its caller, which know no traced index.
        inputs = [ops.convert_to_tensor(x) for x in inputs]
        output = forward(*inputs)

        def gradient(*args, upstream=None):
            if upstream is None:
                return backward(inputs, output, args[-1])
            # PyTorch, which ran the forward pass without its tape, passes the inputs again. A second derivative needs
            # these, and an output that depends on them.
            return backward(args, run(*args) if _is_recording() else output, upstream)

        return output, gradient

    return run


def _is_recording():
    if keras.backend.backend() != "torch":
        return False
    import torch

    return torch.is_grad_enabled()
