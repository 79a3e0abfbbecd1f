"""Which sizes become `None` for a model that was built on data, not on declared shapes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_attention.export.sizes import with_unknown_sizes


def sizes(model, structure):
    specs = keras.tree.flatten(with_unknown_sizes(model, structure))
    return specs[0].shape if len(specs) == 1 else [spec.shape for spec in specs]


def recorded(*stack, shape):
    """The sizes of a `Sequential` without an `Input` after a call on data of `shape`."""
    model = keras.Sequential(list(stack))
    model(np.zeros(shape, "float32"))
    return sizes(model, model.inputs[0])


def test_sizes_of_models_built_by_a_call():
    assert recorded(layers.Embedding(5, 3), layers.LSTM(2), shape=(4, 7)) == (None, None)
    assert recorded(layers.LSTM(2), shape=(4, 7, 3)) == (None, None, 3)
    assert recorded(layers.Dense(2), shape=(4, 7)) == (None, 7)
    assert recorded(layers.Flatten(), layers.Dense(2), shape=(4, 7, 3)) == (None, 7, 3)
    assert recorded(layers.Conv2D(2, 3), layers.GlobalMaxPooling2D(), shape=(4, 7, 9, 3)) == (None, None, None, 3)
    assert recorded(layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(1), shape=(4, 7, 9, 3)) == (None, 7, 9, 3)


def test_inputs_of_embeddings_are_integers():
    for first, dtype in ((layers.Embedding(5, 3, mask_zero=True), "int32"), (layers.Dense(3), "float32")):
        model = keras.Sequential([first])
        model(np.ones((4, 7), "int32"))
        assert with_unknown_sizes(model, model.inputs[0]).dtype == dtype


def test_length_that_must_be_a_multiple_is_none():
    class Pairs(keras.layers.Layer):
        def call(self, x):
            return keras.ops.reshape(x, (keras.ops.shape(x)[0], -1, 2, 3))

    assert recorded(Pairs(), shape=(4, 6, 3)) == (None, None, 3)


def test_one_axis_of_an_image_may_be_fixed():
    class Columns(keras.Model):
        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(9,))

        def call(self, x):
            return keras.ops.einsum("byxc,x->byc", x, self.kernel)

    model = Columns()
    for Y in (7, 9):  # also where both axes are equal
        x = np.ones((4, Y, 9, 3), "float32")
        model(x)
        assert sizes(model, x) == (None, None, 9, 3)


def test_batch_size_of_a_stateful_model_is_kept():
    model = keras.Sequential([keras.Input(batch_shape=(4, None, 3)), layers.LSTM(2, stateful=True)])
    assert sizes(model, model.inputs[0]) == (4, None, 3)


def test_lengths_that_must_be_equal_are_tried_together():
    class Sum(keras.Model):
        def call(self, inputs):
            return inputs["a"] + inputs["b"][0] * 2

    model, x = Sum(), np.ones((4, 7, 3), "float32")
    structure = {"a": x, "b": [x]}
    model(structure)
    assert sizes(model, structure) == [(None, None, 3)] * 2


def test_declared_sizes_are_kept():
    image = keras.Input(batch_shape=(4, 7))
    functional = keras.Model(image, layers.Activation("relu")(image))
    assert sizes(functional, functional.input) == (None, 7)  # Keras's functional models do not accept other lengths
    open_batch = keras.Input((7,))
    assert sizes(keras.Model(open_batch, layers.Activation("relu")(open_batch)), open_batch) == (None, 7)
    for spec in (tf.TensorSpec([4, 7]), keras.InputSpec(shape=(4, 7), dtype="float32")):
        assert sizes(functional, spec) == (4, 7)


@pytest.mark.parametrize(
    ("array", "dtype"),
    [(np.ones((4, 7)), "float32"), (np.ones((4, 7), "int64"), "int64"), (np.array([["a"]]), "string")],
    ids=str,
)
def test_dtypes_of_examples(array, dtype):
    spec = with_unknown_sizes(layers.Identity(), array)
    assert (spec.shape, spec.dtype) == ((None, None), dtype)


def test_lengths_are_kept_if_no_trial_run_succeeds():
    class Picky(keras.Model):
        def call(self, x):
            tf.debugging.assert_greater(x, 100.0)
            return x

    declared = keras.KerasTensor((4, 7), "float32")
    assert sizes(Picky(), declared) == (None, 7)
    assert sizes(Picky(), np.full((4, 7), 101.0)) == (None, None)
