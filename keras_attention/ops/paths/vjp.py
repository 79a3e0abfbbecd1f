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
        output = forward(*inputs)

        def gradient(*args, upstream=None):
            if upstream is None:
                return backward(inputs, output, args[-1])
            # Keras on PyTorch runs the forward pass without recording and passes the inputs again, and `upstream` by
            # name. A second derivative needs these inputs, and an output that depends on them.
            return backward(args, run(*args) if _is_recording() else output, upstream)

        return output, gradient

    return run


def _is_recording():
    if keras.backend.backend() != "torch":
        return False
    import torch

    return torch.is_grad_enabled()
