"""Counts the multiply-adds of all products and convolutions that TensorFlow runs, loops step by step."""

import contextlib
import math

import tensorflow as tf
from tensorflow.python.framework import op_callbacks


def size(tensor):
    return math.prod(tensor.shape)


def matrix_product(inputs, attrs, outputs):
    rows = -2 if attrs.get("transpose_a") or attrs.get("adj_x") else -1
    return size(outputs[0]) * inputs[0].shape[rows]


def einsum(inputs, attrs, outputs):
    """Every output is a sum over the letters that it lacks; an ellipsis is in front."""
    terms, result = attrs["equation"].split("->")
    sizes = {}
    for term, x in zip(terms.split(","), inputs, strict=True):
        letters = term.replace("...", "")
        sizes |= dict(zip(letters, x.shape[len(x.shape) - len(letters) :], strict=True))
    return size(outputs[0]) * math.prod(n for letter, n in sizes.items() if letter not in result)


def convolution(inputs, attrs, outputs):
    """Every output is a sum over the kernel's positions and input channels."""
    return size(outputs[0]) * math.prod(inputs[1].shape[:-1])


def depthwise(inputs, attrs, outputs):
    return size(outputs[0]) * math.prod(inputs[1].shape[:2])


def transposed(inputs, attrs, outputs):
    """The kernel is [*positions, C_out, C_in]; every input is multiplied by one slice of it."""
    return size(inputs[2]) * math.prod(inputs[1].shape[:-1])


RULES = {
    **dict.fromkeys(("MatMul", "BatchMatMulV2", "BatchMatMulV3"), matrix_product),
    "Einsum": einsum,
    **dict.fromkeys(("Conv2D", "Conv3D"), convolution),
    "DepthwiseConv2dNative": depthwise,
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), transposed),
}


@contextlib.contextmanager
def counted():
    """Context in which functions run eagerly; gives a list of (operation, multiply-adds).

    A sum of an elementwise product counts as a product, as in a weighted sum.
    """
    found, elementwise = [], []

    def see(op_type, inputs, attrs, outputs, op_name=None, graph=None):
        op_type = op_type.decode() if isinstance(op_type, bytes) else op_type
        if op_type == "Mul":
            elementwise.append(outputs[0])
        elif op_type == "Sum" and any(inputs[0] is x for x in elementwise):
            found.append(("Sum of Mul", size(inputs[0])))
        elif op_type in RULES:
            attrs = dict(zip(attrs[::2], attrs[1::2], strict=True))
            attrs = {k: v.decode() if isinstance(v, bytes) else v for k, v in attrs.items()}
            found.append((op_type, RULES[op_type](inputs, attrs, outputs)))

    tf.config.run_functions_eagerly(True)
    op_callbacks.add_op_callback(see)
    try:
        yield found
    finally:
        op_callbacks.remove_op_callback(see)
        tf.config.run_functions_eagerly(False)


def multiply_adds(function, *args, **kwargs):
    with counted() as found:
        function(*args, **kwargs)
    return sum(number for _, number in found)
