import keras
import pytest

from keras_attention.analyze import Cost, complexity, register


class Scale(keras.Layer):
    """Has a weight of its own."""

    def build(self, shape):
        self.rate = self.add_weight(shape=(shape[-1],), name="rate")

    def call(self, inputs):
        return inputs * self.rate


class Plain(keras.Layer):
    """Has no layers inside of it."""

    def call(self, inputs):
        return keras.ops.matmul(inputs, keras.ops.transpose(inputs, (0, 2, 1)))


class Stack(keras.Layer):
    def __init__(self, layer):
        super().__init__(name="stack")
        self.inner = layer

    def call(self, inputs):
        return self.inner(inputs) + inputs


@pytest.mark.parametrize(
    ("layer", "error"),
    [
        (Scale(name="s"), r"what `s` \(Scale\) costs, which has weights .*rate"),
        (Plain(name="p"), r"what `p` \(Plain\) costs, which has no layers"),
        (Stack(Scale(name="s")), r"what `s` \(Scale\)"),
    ],
)
def test_unknown_layers_are_named(layer, error):
    with pytest.raises(ValueError, match=error):
        complexity(layer, (2, 3, 5))


def test_products_of_functional_models_that_are_not_layers_are_refused():
    x = keras.Input((3, 5))
    y = keras.layers.Dense(5)(x)
    with pytest.raises(ValueError, match="operations .*'Matmul'"):
        complexity(keras.Model(x, keras.ops.matmul(y, keras.ops.transpose(x, (0, 2, 1)))), (2, 3, 5))
    assert complexity(keras.Model(x, keras.ops.relu(x + y)), (2, 3, 5)).multiply_adds == 2 * 3 * 5 * 5


def test_registered_formulas_are_used_for_subclasses_and_inside():
    class Known(Scale):
        pass

    class Derived(Known):
        pass

    @register(Known)
    def known(call):
        return Cost(multiply_adds=call.first[-1], longest_path=2)

    assert callable(known)
    cost = complexity(Stack(Derived()), (2, 3, 5))
    assert (cost.multiply_adds, cost.parameters, cost.longest_path) == (5, 5, 2)


def test_only_layers_are_registered():
    with pytest.raises(ValueError, match="subclasses of `keras.Layer`. Received: 3"):
        register(3)
