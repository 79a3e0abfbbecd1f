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


def test_the_pull_is_the_transpose_and_state_is_kept(variables):
    W, unused, count = variables
    rng = np.random.default_rng(1)
    x, cotangent, more = rng.normal(size=(2, 3)), rng.normal(size=(2, 4)), rng.normal(size=(2, 3))

    def function(x):
        count.assign(count + 2.0)
        return {"product": keras.ops.matmul(x, W), "square": x * x}, {"sum": keras.ops.sum(x)}

    x = keras.ops.convert_to_tensor(x, "float32")
    _, others, pull = gradients.record(function, [W, unused], [W, unused, count], (x,))
    assert float(count) == 2.0
    np.testing.assert_allclose(numpy(others["sum"]), numpy(x).sum(), rtol=1e-5)
    cotangents = {name: keras.ops.cast(c, "float32") for name, c in (("product", cotangent), ("square", more))}
    [by_W, by_unused], [by_x] = pull(cotangents)
    np.testing.assert_allclose(numpy(by_W), numpy(x).T @ cotangent, rtol=1e-5)
    np.testing.assert_array_equal(numpy(by_unused), np.zeros(5))
    np.testing.assert_allclose(numpy(by_x), cotangent @ numpy(W).T + 2 * numpy(x) * more, rtol=1e-4, atol=1e-6)


def test_what_changes_in_between_does_not_change_what_was_recorded(variables):
    """As the discriminator does, between the making of the images and the pull through them."""
    W, *_ = variables
    other = keras.Variable(2.0)
    x = keras.ops.ones((1, 3))
    made, _, pull = gradients.record(lambda: (keras.ops.matmul(x, W), ()), [W], [W, other])
    other.assign(5.0)
    judged, _, pull_made = gradients.record(
        lambda made: (other * keras.ops.sum(made), ()), [], [W, other], (gradients.constant(made),)
    )
    [cotangent] = pull_made(keras.ops.ones_like(judged))[1]
    np.testing.assert_allclose(numpy(pull(cotangent)[0][0]), np.full((3, 4), 5.0))


def test_the_gradients_update_what_they_are_of(variables):
    W, *_ = variables
    before, optimizer = numpy(W).copy(), keras.optimizers.SGD(0.5)
    optimizer.build([W])
    gradients.apply(optimizer, [keras.ops.ones((3, 4))], [W])
    np.testing.assert_allclose(numpy(W), before - 0.5, rtol=1e-6)
    assert int(optimizer.iterations) == 1


def test_chance_is_the_models_own():
    """Dropout on PyTorch draws from the process: what it draws depends on the numbers, and nothing outside changes."""
    if gradients.BACKEND != "torch":
        pytest.skip("other backends have sources of their own")
    import torch

    def drawn(*numbers):
        with gradients.own_chance(*map(keras.ops.convert_to_tensor, numbers)):
            return torch.rand(3).tolist()

    torch.manual_seed(1)
    expected = torch.rand(3).tolist()
    torch.manual_seed(1)
    assert drawn([2, 5], 7) == drawn([2, 5], 7) != drawn([2, 5], 8)
    assert torch.rand(3).tolist() == expected
