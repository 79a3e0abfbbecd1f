"""Custom gradients hold nothing that they compute again, and a kernel's gradient can be differentiated."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.paths.vjp import differentiable, differentiable_twice
from tests.backend import BACKEND, torch_tensor, without_derivative

A, B = np.array([0.3, 1.1, 2.0], "float32"), np.array([0.7, -1.2, 0.4], "float32")


def ordinary(a, b):
    return ops.sin(a) * b


def torch_kernel():
    import torch

    class Kernel(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(b)
            return torch.sin(a) * b

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, d):
            # Wrong on purpose, to be told from the ordinary gradient (cos(a) b, sin(a)).
            return 2 * d, d * ctx.saved_tensors[0]

    return Kernel.apply


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow's tapes")
@pytest.mark.parametrize("graph", [False, True])
def test_a_tape_records_nothing_of_the_forward_pass(graph):
    import tensorflow as tf

    def run(a):
        between = []

        def forward(a):
            between.append(tf.sin(a))
            return between[0] ** 2

        with tf.GradientTape(persistent=True) as outer:
            outer.watch(a)
            with tf.GradientTape() as tape:
                tape.watch(a)
                y = differentiable(forward, lambda inputs, y, d: (2 * d * y / tf.tan(inputs[0]),))(a)
            first = tape.gradient(y, a)
        return first, outer.gradient(first, a), outer.gradient(between[0], a, unconnected_gradients="zero")

    first, second, recorded = (tf.function(run) if graph else run)(tf.constant(A))
    np.testing.assert_allclose(first, np.sin(2 * A), rtol=1e-5)
    np.testing.assert_allclose(second, 2 * np.cos(2 * A), rtol=1e-5)
    np.testing.assert_array_equal(recorded, 0 * A)


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch's gradients")
def test_pytorch_takes_the_kernels_gradient_unless_it_is_recorded():
    import torch

    a, b = torch_tensor(A, trained=True), torch_tensor(B, trained=True)
    run = differentiable_twice(torch_kernel(), ordinary)
    for _ in range(2):
        value = run(a, b).sum()
        value.backward(retain_graph=True)
        value.backward()
    torch.testing.assert_close((a.grad, b.grad), (torch.full_like(a, 8.0).detach(), 4 * b.detach()))
    slopes = torch.autograd.grad(run(a, b).sum(), (a, b), create_graph=True)
    expected = torch.cos(a) * b, torch.sin(a)
    torch.testing.assert_close(slopes, expected)
    bends = (torch.autograd.grad((x[0] ** 2 * x[1]).sum(), (a, b)) for x in (slopes, expected))
    torch.testing.assert_close(*bends)


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch's gradients")
def test_pytorch_counts_an_input_that_is_given_twice_once():
    import torch

    a = torch_tensor(A, trained=True)
    run = differentiable_twice(torch_kernel(), ordinary)
    (slope,) = torch.autograd.grad(run(a, a).sum(), a, create_graph=True)
    torch.testing.assert_close(slope, torch.cos(a) * a + torch.sin(a))
    fixed = torch_tensor(B)
    (slope,) = torch.autograd.grad(run(fixed, a).sum(), a, create_graph=True)
    torch.testing.assert_close(slope, torch.sin(fixed))
    assert not run(fixed, fixed).requires_grad
    with torch.no_grad():
        assert not run(a, a).requires_grad


@pytest.mark.skipif(BACKEND != "torch", reason="of PyTorch's gradients")
def test_pytorch_transforms_of_functions():
    import torch

    a, b = torch_tensor(A), torch_tensor(B)
    run = differentiable_twice(lambda a, b: torch.sin(a) * b, ordinary)
    gradient = torch.func.grad(lambda a, b: run(a, b).sum())
    torch.testing.assert_close(torch.func.vmap(gradient)(a, b), torch.cos(a) * b)
    torch.testing.assert_close(torch.func.jacrev(gradient)(a, b), torch.diag(-torch.sin(a) * b))


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX's gradients")
def test_jax_takes_the_kernels_gradient_and_then_the_ordinary_ones():
    import jax

    opaque = without_derivative()

    @jax.custom_vjp
    def kernel(a, b):
        return opaque(ordinary(a, b))

    # Wrong on purpose, to be told from the ordinary gradient (cos(a) b, sin(a)).
    kernel.defvjp(lambda a, b: (kernel(a, b), (a, opaque(b))), lambda x, d: (opaque(2 * d), opaque(d * x[1])))
    run = differentiable_twice(kernel, ordinary)

    def loss(a, b):
        value, slopes = jax.value_and_grad(lambda *x: run(*x).sum(), (0, 1))(a, b)
        return 3 * value + (slopes[0] * a).sum() + (slopes[1] * b).sum(), slopes

    bends, slopes = jax.jit(jax.grad(loss, (0, 1), has_aux=True))(A, B)
    np.testing.assert_allclose(slopes, [np.full(3, 2.0), B])
    expected = 3 * np.cos(A) * B - np.sin(A) * B * A + np.cos(A) * B, 3 * np.sin(A) + np.cos(A) * A
    np.testing.assert_allclose(bends, [expected[0] + slopes[0], expected[1] + slopes[1]], rtol=1e-5)
