import logging
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention import MultiHeadAttention
from keras_attention.export import export_saved_model, saved_model_ops
from tests.export import models


def signature(path, name="serving_default"):
    """A signature as a function of arrays, which keeps the loaded model alive."""
    loaded = tf.saved_model.load(str(path))

    def call(**inputs):
        function = loaded.signatures[name]
        specs = function.structured_input_signature[1]
        return function(**{k: tf.cast(tf.constant(v), specs[k].dtype) for k, v in inputs.items()})

    call.specs = loaded.signatures[name].structured_input_signature[1]
    return call


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = models.classifier()
    return model, export_saved_model(model, tmp_path_factory.mktemp("classifier"))


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (5, 40)])
def test_export_matches_the_model_for_every_batch_and_length(exported, shape):
    model, path = exported
    ids = np.random.default_rng(0).integers(1, 11, shape).astype("int32")
    out = signature(path)(tokens=ids, tokens_lengths=[shape[1]] * shape[0])
    np.testing.assert_allclose(out["outputs"], model(ids), atol=1e-6)


def test_padding_by_a_batcher_is_ignored(exported):
    model, path = exported
    short, long = models.tokens(2, 9)
    out = signature(path)(tokens=models.as_a_batcher(short, long), tokens_lengths=[2, 9])
    np.testing.assert_allclose(out["outputs"], np.concatenate([model(short), model(long)]), atol=1e-6)


def test_lengths_replace_the_mask_of_features(tmp_path):
    model = models.listener()
    path = export_saved_model(model, tmp_path, verify=False)
    rows = [np.random.default_rng(i).standard_normal((1, n, 4)).astype("float32") for i, n in enumerate((6, 3))]
    merged = models.as_a_batcher(*rows)
    merged[1, 3:] = np.nan
    out = signature(path)(signal=merged, signal_lengths=[6, 3])
    np.testing.assert_allclose(out["outputs"], np.concatenate([model(row) for row in rows]), atol=1e-6)


def bytes_of_variables(path):
    return sum(file.stat().st_size for file in (path / "variables").iterdir())


def test_every_weight_is_stored_once(tmp_path):
    model = models.table(vocabulary=2000, width=64)
    model.compile("adam", "mse", run_eagerly=True)
    model.fit(np.ones((2, 3), "int32"), np.ones((2, 64)), verbose=0)  # the optimizer's variables are not exported
    weights = sum(keras.ops.convert_to_numpy(weight).nbytes for weight in model.weights)
    # A second signature reads the same variables.
    again = (lambda text: model(tf.strings.to_number(text, tf.int32)[:, None]), [tf.TensorSpec([None], tf.string)])
    path = export_saved_model(model, tmp_path, signatures={"again": again}, verify=False)
    assert weights < bytes_of_variables(path) < 1.05 * weights + 4096
    assert len(tf.saved_model.load(str(path)).variables_used) == len(model.weights)


def test_model_export_of_keras_stores_every_weight_twice(tmp_path):
    model = keras.Sequential([keras.Input((3,), dtype="int32"), keras.layers.Embedding(2000, 64)])
    model.export(str(tmp_path), verbose=False)
    weights = sum(keras.ops.convert_to_numpy(weight).nbytes for weight in model.weights)
    assert bytes_of_variables(tmp_path) > 1.9 * weights, "Keras stores weights once now: update docs/serving.md"


@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_quantised_models_stay_quantised(tmp_path):
    model = models.classifier(vocabulary=500, width=32)
    [ids] = models.tokens(6)
    size = sum(keras.ops.convert_to_numpy(weight).nbytes for weight in model.weights)
    model.quantize("int8")
    path = export_saved_model(model, tmp_path)
    np.testing.assert_allclose(signature(path)(tokens=ids, tokens_lengths=[6])["outputs"], model(ids), atol=1e-6)
    assert bytes_of_variables(path) < size / 2


def test_mixed_precision(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = models.listener()
    x = np.random.default_rng(0).standard_normal((2, 5, 4)).astype("float32")
    path = export_saved_model(model, tmp_path, verify=False)
    out = signature(path)(signal=x, signal_lengths=[5, 5])["outputs"]
    np.testing.assert_allclose(tf.cast(out, "float32"), tf.cast(model(x), "float32"), atol=0.03)


def shouter(tmp_path):
    """A `tf.function` strings -> strings with a lookup table from a file, one from tensors, and a loop."""
    words = tmp_path / "words.txt"
    words.write_text("null\none\ntwo\nthree\n")
    numbers = tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        ),
        num_oov_buckets=1,
    )
    marks = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([0, 1], ["?", "!"], tf.int64), "...")

    @tf.function
    def shout(text):
        number = numbers.lookup(tf.strings.lower(text))

        def append(i, text):
            return i + 1, tf.where(i < number, tf.strings.join([text, marks.lookup(i)]), text)

        return tf.while_loop(lambda i, _: i < 3, append, (tf.constant(0, tf.int64), text))[1]

    return shout


def test_strings_to_strings_with_tables_and_a_loop(tmp_path):
    shout = shouter(tmp_path)
    path = export_saved_model(
        models.table(),
        tmp_path / "out",
        signatures={"shout": (shout, [tf.TensorSpec([None], tf.string)])},
        verify=False,
    )
    (tmp_path / "words.txt").unlink()  # the export contains a copy
    del shout
    assert os.listdir(path / "assets") == ["words.txt"]
    answers = signature(path, "shout")(text=[b"Two", b"three", b"", b"\xff", b"ONE"])["outputs"]
    assert answers.numpy().tolist() == [b"Two?!", b"three?!...", b"?!...", b"\xff?!...", b"ONE?"]
    assert {"LookupTableFindV2", "HashTableV2"} <= set(saved_model_ops(path))


def test_lookup_tables_of_layers_are_exported(tmp_path):
    text = keras.Input((None,), dtype="string", name="words")
    ids = keras.layers.StringLookup(vocabulary=["a", "b"], mask_token="")(text)
    model = models.noisy(keras.Model(text, keras.layers.Embedding(4, 3)(ids)))
    path = export_saved_model(model, tmp_path, lengths={})
    words = tf.constant([["a", "", "b", "zzz"]])
    np.testing.assert_allclose(signature(path)(words=words)["outputs"], model(words), atol=1e-6)


def test_custom_serving_default_renames_the_models_call(tmp_path):
    model = models.table()

    def best(tokens):
        return tf.argmax(model(tokens), -1)

    path = export_saved_model(
        model, tmp_path, signatures={"serving_default": (best, [tf.TensorSpec([None, None], tf.int32)])}
    )
    [ids] = models.tokens(4)
    [row] = signature(path, "call")(tokens=ids, tokens_lengths=[4])["outputs"]
    assert signature(path)(tokens=ids)["outputs"].numpy() == [np.argmax(row)]
    with pytest.raises(ValueError, match="'call' is taken"):
        spec = [tf.TensorSpec([None, None], tf.int32)]
        export_saved_model(model, tmp_path, signatures={"serving_default": (best, spec), "call": (best, spec)})


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.table = keras.layers.Embedding(7, 3, mask_zero=True)
        self.pool = keras.layers.GlobalAveragePooling1D()

    def call(self, inputs):
        return {side: self.pool(self.table(ids)) for side, ids in inputs.items()}


def test_subclassed_model_needs_an_input_signature(tmp_path):
    model = Subclassed()
    with pytest.raises(ValueError, match="must be built"):
        export_saved_model(model, tmp_path)
    ids = models.tokens(5, 2, vocabulary=7)
    expected = models.noisy(model)({"left": ids[0], "right": ids[1]}) and model({"left": ids[0], "right": ids[1]})
    with pytest.raises(ValueError, match="give `input_signature`"):
        export_saved_model(model, tmp_path)
    spec = keras.InputSpec(shape=(None, None), dtype="int32")
    path = export_saved_model(model, tmp_path, input_signature={"left": spec, "right": spec})
    padded = np.pad(ids[1], ((0, 0), (0, 3)), constant_values=6)
    out = signature(path)(left=ids[0], left_lengths=[5], right=padded, right_lengths=[2])
    for side in ("left", "right"):
        np.testing.assert_allclose(out[side], expected[side], atol=1e-6)


def test_models_built_by_fit_or_an_example_take_every_batch_and_length(tmp_path):
    """Both are built on shape (2, 5): the first by `fit`, the second on an example."""
    ids = np.array([[1, 4, 2, 6, 3], [5, 5, 1, 2, 0]], "int32")
    sequential = keras.Sequential(
        [keras.layers.Embedding(7, 3), keras.layers.Conv1D(3, 2), keras.layers.GlobalMaxPooling1D()]
    )
    sequential.compile("sgd", "mse", run_eagerly=True)
    sequential.fit(ids, np.ones((2, 3)), batch_size=2, verbose=0)
    subclassed = Subclassed()
    subclassed({"left": ids, "right": ids})
    for model, name, options in (
        (sequential, "inputs", {}),
        (subclassed, "left", {"input_signature": {"left": ids, "right": ids}, "lengths": {"left": "left_lengths"}}),
    ):
        models.noisy(model)
        serve = signature(export_saved_model(model, tmp_path, verify=False, **options))
        for shape in ((1, 3), (4, 8)):
            x = np.random.default_rng(0).integers(1, 7, shape).astype("int32")
            longer = np.pad(x, ((0, 0), (0, 2)), constant_values=5)
            given = {name: longer, f"{name}_lengths": [shape[1]] * shape[0]}
            if name == "inputs":
                # Beyond the length are zeros, which this model does not mask.
                expected = {"outputs": model(np.pad(x, ((0, 0), (0, 2))))}
            else:
                given["right"] = x
                expected = model({"left": x, "right": x})
            out = serve(**given)
            assert set(out) == set(expected) and serve.specs[name].dtype == "int32"
            for key, value in expected.items():
                np.testing.assert_allclose(out[key], value, atol=1e-6)


def test_nested_inputs_of_any_name_are_served(tmp_path):
    names = ["1st", "x.y", "a b", "self", "class"]
    inputs = {"deep": {name: keras.Input((2,), name=name) for name in names[:2]}}
    inputs["list"] = [keras.Input((2,)), [keras.Input((2,)), keras.Input((2,), name=names[2])]]
    inputs |= {name: keras.Input((2,), name=name) for name in names[3:]}
    scaled = [keras.layers.Rescaling(10.0**i)(x) for i, x in enumerate(keras.tree.flatten(inputs))]
    model = keras.Model(inputs, [keras.layers.Add()(scaled), keras.layers.Add(name="chosen")(scaled)])
    serve = signature(export_saved_model(model, tmp_path, verify=False))
    expected = ["deep_1st", "deep_x_y", "input_class", "input_self", "list_0", "list_1_0", "list_1_1"]
    assert sorted(serve.specs) == expected
    given = {name: np.full((3, 2), i + 1.0) for i, name in enumerate(sorted(expected))}
    nest = {"deep": {"1st": given["deep_1st"], "x.y": given["deep_x_y"]}, "class": given["input_class"]}
    nest |= {"self": given["input_self"], "list": [given["list_0"], [given["list_1_0"], given["list_1_1"]]]}
    out = serve(**given)
    assert sorted(out) == ["chosen", "output_0"]
    for value, mine in zip((out["output_0"], out["chosen"]), model(nest)):
        np.testing.assert_allclose(value, mine, rtol=1e-6)


def test_list_of_inputs_with_invalid_names_is_served(tmp_path):
    names = ["1st", "x.y", "a b", "self", "class"]
    inputs = [keras.Input((None,), name=name) for name in names]
    model = keras.Model(inputs, keras.layers.Concatenate()(inputs))
    example = {name: np.full((1, 3), i) for i, name in enumerate(names)} | {"n": [3]}
    path = export_saved_model(model, tmp_path, lengths=dict.fromkeys(names, "n"), verify=example)
    serve = signature(path)
    assert sorted(serve.specs) == ["a_b", "input_1st", "input_class", "input_self", "n", "x_y"]
    given = dict(zip(["input_1st", "x_y", "a_b", "input_self", "input_class"], np.arange(20.0).reshape(5, 2, 2)))
    out = serve(**given, n=[2, 2])["outputs"]
    np.testing.assert_array_equal(out, np.concatenate(list(given.values()), axis=1))


def test_invalid_arguments_raise_errors_before_tracing(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_attention.export.saved_model._functions", pytest.fail)
    (tmp_path / "file").write_text("precious")
    model = models.classifier()
    with pytest.raises(ValueError, match="`directory` must be the local path of a folder. Received: directory=None"):
        export_saved_model(model, None)
    with pytest.raises(NotADirectoryError, match="`directory` must be a folder"):
        export_saved_model(model, tmp_path / "file")
    with pytest.raises(ValueError, match="`version` must be `None` or a positive int"):
        export_saved_model(model, tmp_path, version=True)
    for options in ({"verify": "no"}, {"allowed_ops": "PyFunc"}, {"signatures": ["shout"]}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
            export_saved_model(model, tmp_path, **options)


def test_failed_export_leaves_no_files(tmp_path):
    model = models.table()
    python = (lambda x: tf.numpy_function(np.sin, [x], tf.float32), [tf.TensorSpec([None])])
    for signatures, verify, message in (
        ({"sine": python}, True, "PyFunc"),
        ({}, {"tokens": [[99]], "tokens_lengths": [1]}, "cannot run on the inputs of the verification"),
        ({"broken": (lambda x: x @ x, [tf.TensorSpec([None])])}, True, "ank"),
    ):
        with pytest.raises(ValueError, match=message):
            export_saved_model(model, tmp_path, signatures=signatures, verify=verify)
        assert os.listdir(tmp_path) == []
    export_saved_model(model, tmp_path, signatures={"sine": python}, allowed_ops=["PyFunc"], verify=False)


def test_existing_version_is_not_overwritten(tmp_path):
    model = models.table()
    path = export_saved_model(model, tmp_path, version=4, verify=False)
    before = (path / "saved_model.pb").read_bytes()
    with pytest.raises(FileExistsError, match="Version 4 exists"):
        export_saved_model(model, tmp_path, version=4)
    assert (path / "saved_model.pb").read_bytes() == before
    assert export_saved_model(model, tmp_path, verify=False).name == "5"


def test_other_backends_raise_an_error_with_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match="needs the TensorFlow backend. Received: jax.*KERAS_BACKEND=tensorflow"):
        export_saved_model(models.classifier(), tmp_path)


def test_only_keras_models_are_accepted(tmp_path):
    with pytest.raises(ValueError, match="must be a Keras model"):
        export_saved_model(len, tmp_path)


def test_attention_of_unknown_length_loads_without_a_warning(tmp_path, caplog):
    """Its graph contains the blockwise path, which has a custom gradient."""
    model = models.classifier(MultiHeadAttention)
    path = export_saved_model(model, tmp_path, verify=False)
    logging.getLogger("absl").propagate = True
    loaded = tf.saved_model.load(str(path))
    assert "custom gradients" not in caplog.text
    ids = np.random.default_rng(0).integers(1, 11, (2, 7)).astype("int32")
    out = loaded.signatures["serving_default"](tokens=tf.constant(ids), tokens_lengths=tf.constant([7, 7]))
    np.testing.assert_allclose(out["outputs"], model(ids), atol=1e-6)
