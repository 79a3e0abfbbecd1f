import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.signatures import concrete, own_signature
from keras_attention.export.verify import COARSE, FINE, random_examples, require_equal, tolerance_of, verify_export
from tests.export import models


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = models.classifier()
    signature = own_signature(model)
    holder = tf.Module()
    holder.variables_used = [weight.value for weight in model.weights]
    path = tmp_path_factory.mktemp("model")
    tf.saved_model.save(holder, str(path), signatures={"serving_default": concrete(signature, signature.specs())})
    return model, signature, path


def test_correct_export_passes(exported):
    _, signature, path = exported
    verify_export(path, "serving_default", signature)
    verify_export(path, "serving_default", signature, {"tokens": [[1, 9, 4, 0]], "tokens_lengths": [3]})
    verify_export(path, "serving_default", None)


@pytest.mark.parametrize("position", [0, 2, 3, 8, 10])  # the first, the last, and kernels and biases in between
def test_one_wrong_weight_raises_an_error(exported, position):
    model, signature, path = exported
    weight = model.weights[position]
    before = keras.ops.convert_to_numpy(weight)
    try:
        weight.assign(np.roll(before, 1) + 0.5)
        with pytest.raises(RuntimeError, match="of the export and of the model differ in output 'outputs'"):
            verify_export(path, "serving_default", signature)
    finally:
        weight.assign(before)


def test_invalid_examples_raise_errors(exported):
    _, signature, path = exported
    with pytest.raises(ValueError, match=r"cannot run on the inputs of the verification, shapes .*\(1, 2\), \(1,\)"):
        verify_export(path, "serving_default", signature, {"tokens": [[1, 99]], "tokens_lengths": [2]})
    with pytest.raises(ValueError, match=r"an array for each of \['tokens', 'tokens_lengths'\]"):
        verify_export(path, "serving_default", signature, {"tokens": [[1, 2]]})


def test_random_examples_fit_every_spec():
    specs = {
        "image": tf.TensorSpec([None, None, None, 3], tf.float16),
        "ids": tf.TensorSpec([None, None], tf.int32),
        "ids_lengths": tf.TensorSpec([None], tf.int32),
        "flag": tf.TensorSpec([4], tf.bool),
    }
    examples = random_examples(specs, {"ids_lengths"})
    assert {name: x.shape for name, x in examples.items()} == {
        "image": (2, 32, 32, 3),
        "ids": (2, 3),
        "ids_lengths": (2,),
        "flag": (4,),
    }
    assert set(examples["ids"].flat) <= {0, 1}
    assert examples["ids_lengths"].tolist() == [3, 2]


class Nested(keras.layers.Layer):
    """A layer of another dtype than its own, inside of a loop."""

    def __init__(self, dtype):
        super().__init__()
        self.inner = keras.layers.Dense(3, dtype=dtype)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return keras.ops.fori_loop(0, 2, lambda i, y: keras.ops.cast(self.inner(y), y.dtype), x)


@pytest.mark.parametrize("dtype, tolerance", [("float32", FINE), ("mixed_float16", COARSE), ("mixed_bfloat16", COARSE)])
def test_tolerance_is_that_of_the_coarsest_layer(dtype, tolerance):
    x = keras.Input((3,))
    signature = own_signature(keras.Model(x, Nested(dtype)(x)))
    assert tolerance_of(concrete(signature, signature.specs())) == tolerance


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_tolerance_of_a_quantized_layer():
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(2)(x))
    model.quantize("int8")
    signature = own_signature(model)
    assert tolerance_of(concrete(signature, signature.specs())) == COARSE


@pytest.mark.parametrize("least, most, found", [(1, 33, 32), (1, 9, 8), (1, 2, 2), (33, 100, 64)])
def test_examples_have_a_size_at_which_the_model_runs(least, most, found):
    seen = []

    class Picky(keras.layers.Layer):
        def call(self, x):
            side = x.shape[1]
            if side is not None and not least <= side <= most:
                raise ValueError(f"{side} positions")
            seen.append(side)
            return x

    x = keras.Input((None, None, 3))
    signature = own_signature(keras.Model(x, Picky()(x)))
    seen.clear()
    require_equal(lambda inputs: {"outputs": inputs["inputs"]}, signature, FINE)
    assert seen == [found]
