import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.signatures import concrete, own_signature
from keras_attention.export.verify import random_examples, verify_export
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
