import keras
import numpy as np
import pytest

from keras_attention.training import gradients
from tests.backend import numpy


@pytest.fixture
def variables():
    rng = np.random.default_rng(0)
    W = keras.Variable(rng.normal(size=(3, 4)), dtype="float32")
    unused = keras.Variable(rng.normal(size=(5,)), dtype="float32")
    count = keras.Variable(0.0, trainable=False)
    return W, unused, count


def test_the_vjp_is_the_transpose_and_the_state_is_updated(variables):
    W, unused, count = variables
    rng = np.random.default_rng(1)
    x, cotangent, more = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))

    def function(x):
        count.assign(count + 2.0)
        return {"product": keras.ops.matmul(x, W), "square": x * x}, {"sum": keras.ops.sum(x)}

    x = keras.ops.convert_to_tensor(x, "float32")
    _, others, vjp = gradients.vjp(function, [W, unused], [W, unused, count], (x,))
    assert float(count) == 2.0
    np.testing.assert_allclose(numpy(others["sum"]), numpy(x).sum(), rtol=1e-5)
    cotangents = {name: keras.ops.cast(c, "float32") for name, c in (("product", cotangent), ("square", more))}
    [by_W, by_unused], [by_x] = vjp(cotangents)
    np.testing.assert_allclose(numpy(by_W), numpy(x).T @ cotangent, rtol=1e-5)
    np.testing.assert_array_equal(numpy(by_unused), np.zeros(5))
    np.testing.assert_allclose(numpy(by_x), cotangent @ numpy(W).T + 2 * numpy(x) * more, rtol=1e-4, atol=1e-6)


def test_a_later_update_of_other_variables_does_not_change_the_vjp(variables):
    """As that of the discriminator, between the generator's forward and backward pass."""
    W, *_ = variables
    other = keras.Variable(2.0)
    x = keras.ops.ones((1, 3))
    generated, _, vjp = gradients.vjp(lambda: (keras.ops.matmul(x, W), ()), [W], [W, other])
    other.assign(5.0)
    loss, _, loss_vjp = gradients.vjp(
        lambda x: (other * keras.ops.sum(x), ()), [], [W, other], (gradients.stop_gradients(generated),)
    )
    [cotangent] = loss_vjp(keras.ops.ones_like(loss))[1]
    np.testing.assert_allclose(numpy(vjp(cotangent)[0][0]), np.full((3, 4), 5.0))


def test_apply_updates_the_variables(variables):
    W, *_ = variables
    before, optimizer = numpy(W).copy(), keras.optimizers.SGD(0.5)
    optimizer.build([W])
    gradients.apply(optimizer, [keras.ops.ones((3, 4))], [W])
    np.testing.assert_allclose(numpy(W), before - 0.5, rtol=1e-6)
    assert int(optimizer.iterations) == 1


def test_the_forked_rng_depends_on_its_numbers_alone_and_leaves_that_of_the_process():
    if gradients.BACKEND != "torch":
        pytest.skip("other backends keep the RNG state in variables")
    import torch

    def random(*numbers):
        with gradients.forked_rng(*map(keras.ops.convert_to_tensor, numbers)):
            return torch.rand(3).tolist()

    torch.manual_seed(1)
    expected = torch.rand(3).tolist()
    torch.manual_seed(1)
    assert random([2, 5], 7) == random([2, 5], 7) != random([2, 5], 8)
    assert torch.rand(3).tolist() == expected
