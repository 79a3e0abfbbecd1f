import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.names import output_names, served_name
from keras_attention.export.signatures import ForwardSignature, concrete, extra_signature, name_outputs, own_signature
from tests.export import models


def shapes(signature):
    return {name: (spec.shape.as_list(), spec.dtype.name) for name, spec in signature.specs().items()}


def echo(**inputs):
    """A functional model that returns its inputs, given as (shape, dtype)."""
    inputs = {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in inputs.items()}
    return keras.Model(inputs, {f"echo_{name}": keras.layers.Identity()(x) for name, x in inputs.items()})


def test_inputs_of_varying_length_take_lengths():
    model = echo(
        tokens=((None,), "int32"),
        signal=((None, 4), "float32"),
        fixed=((6, 4), "float32"),
        row=((3,), "float32"),
        image=((None, None, 3), "uint8"),
    )
    assert shapes(own_signature(model)) == {
        "fixed": ([None, 6, 4], "float32"),
        "image": ([None, None, None, 3], "uint8"),
        "row": ([None, 3], "float32"),
        "signal": ([None, None, 4], "float32"),
        "signal_lengths": ([None], "int32"),
        "tokens": ([None, None], "int32"),
        "tokens_lengths": ([None], "int32"),
    }


def test_lengths_may_be_shared_renamed_and_disabled():
    model = echo(a=((None,), "int32"), b=((None,), "int32"), video=((None, 8, 8, 1), "float32"))
    lengths = {"a": "lengths", "b": "lengths", "video": "frames"}
    assert list(own_signature(model, lengths=lengths).specs()) == ["a", "lengths", "b", "video", "frames"]
    assert list(own_signature(model, lengths={}).specs()) == ["a", "b", "video"]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ({"c": "lengths"}, r"an unknown input: 'c'. The inputs are \['a', 'b'\]"),
        ({"a": "b"}, "cannot be called 'b'"),
        ({"b": "lengths"}, "has no axis of length"),
        ("lengths", "`lengths` must be a dict"),
    ],
)
def test_invalid_lengths_raise_errors(lengths, message):
    model = echo(a=((None,), "float32"), b=((), "float32"))
    with pytest.raises(ValueError, match=message):
        own_signature(model, lengths=lengths)


def test_positions_beyond_the_length_are_zero():
    signature = ForwardSignature(lambda x, training: x, {"x": keras.InputSpec(shape=(None, None, 2), dtype="float32")})
    x = np.arange(1, 25, dtype="float32").reshape(3, 4, 2)
    x[0, 2:] = np.nan
    out = signature(x=tf.constant(x), x_lengths=tf.constant([2, 9, -1]))["x"].numpy()
    expected = x.copy()
    expected[0, 2:] = expected[2] = 0
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("lengths", [[1, 3], [3, 2]])
def test_features_get_a_mask_and_ids_padding(lengths):
    seen = {}

    class Look(keras.layers.Layer):
        supports_masking = True

        def call(self, x, mask=None):
            seen[x.dtype.name] = mask
            return x

    model = echo(ids=((None,), "int32"), x=((None, 2), "float32"))
    model = keras.Model(model.input, [Look()(model.input["ids"]), Look()(model.input["x"])])
    given = {"ids": tf.ones([2, 3], tf.int32), "x": tf.ones([2, 3, 2])}
    outputs = own_signature(model)(**given, ids_lengths=tf.constant(lengths), x_lengths=tf.constant(lengths))
    mask = np.arange(3)[None] < np.array(lengths)[:, None]
    assert seen["int32"] is None
    np.testing.assert_array_equal(seen["float32"], mask)
    np.testing.assert_array_equal(next(iter(outputs.values())), mask.astype(int))


def test_merged_requests_match_single_requests():
    model = models.classifier()
    signature = own_signature(model)
    short, long = models.tokens(3, 7)
    merged = models.as_a_batcher(short, long)
    out = signature(tokens=tf.constant(merged), tokens_lengths=tf.constant([3, 7]))["outputs"]
    np.testing.assert_allclose(out, np.concatenate([model(short), model(long)]), atol=1e-6)
    # Without lengths, the padding changes the output.
    assert np.abs(model(merged)[0] - model(short)[0]).max() > 1e-3


def test_features_beyond_the_lengths_are_ignored():
    model = models.listener()
    signature = own_signature(model)
    rows = [np.random.default_rng(i).standard_normal((1, n, 4)).astype("float32") for i, n in enumerate((5, 2))]
    merged = models.as_a_batcher(*rows)
    merged[1, 2:] = [np.nan, np.inf, 1e30, 7.0]
    out = signature(signal=tf.constant(merged), signal_lengths=tf.constant([5, 2]))["outputs"]
    np.testing.assert_allclose(out, np.concatenate([model(row) for row in rows]), atol=1e-6)


def test_subclassed_model_is_called_on_the_structure_of_its_signature():
    class Pair(keras.Model):
        def call(self, inputs):
            return {"sum": inputs["left"][0] + inputs["left"][1], "right": inputs["right"]}

    spec = keras.InputSpec(shape=(None, 2), dtype="float32")
    signature = own_signature(Pair(), {"left": [spec, tf.TensorSpec([None, 2], name="second")], "right": spec})
    assert list(signature.specs()) == ["left_0", "left_1", "right"]
    left, right = tf.constant([[1.0, 2.0]]), tf.constant([[5.0, 7.0]])
    out = signature(left_0=left, left_1=right, right=left)
    np.testing.assert_array_equal(out["sum"], [[6, 9]])
    np.testing.assert_array_equal(out["right"], left)


def test_names_of_inputs():
    spec = keras.InputSpec(shape=(None, 2), dtype="float32")
    named = tf.TensorSpec([None, 2], name="second")

    def names(structure):
        return list(ForwardSignature(keras.layers.Identity(), structure).specs())

    assert names(spec) == ["inputs"]
    assert names([spec, named]) == ["input_0", "second"]
    assert names({"a": {"b": spec}, "c": named}) == ["a_b", "c"]
    assert names(keras.Input((None,), name="text")) == ["text", "text_lengths"]
    assert names(keras.Input((2,))) == ["inputs"]
    assert names([keras.Input((2,)), [spec, keras.Input((2,), name="input_layer_7")]]) == [
        f"input_{i}" for i in range(3)
    ]
    assert names({"a": [spec, {"b": spec}], "c": [spec]}) == ["a", "a_b", "c"]
    assert names({"a": [spec, [spec]]}) == ["a_0", "a_1_0"]
    with pytest.raises(ValueError, match="Two inputs of the signature are called 'x_y'"):
        names({"x.y": spec, "x_y": spec})


@pytest.mark.parametrize("structure", [[(None, 3)], keras.InputSpec(ndim=2), [keras.InputSpec(shape=(None,)), 3]])
def test_specs_need_a_shape_and_a_dtype(structure):
    with pytest.raises(ValueError, match="shape and a dtype"):
        own_signature(keras.layers.Identity(), structure)


def test_model_of_unknown_inputs_has_no_signature():
    class Unknown(keras.Model):
        def call(self, x):
            return x

    assert own_signature(Unknown()) is None
    with pytest.raises(ValueError, match="`lengths` needs an `input_signature`"):
        own_signature(Unknown(), lengths={"x": "lengths"})


def test_names_of_outputs():
    x, y = tf.constant(1.0), tf.constant(2.0)
    assert list(name_outputs(x)) == ["outputs"]
    assert list(name_outputs({"a": x, "b": y})) == ["a", "b"]
    assert list(name_outputs([x, y])) == ["output_0", "output_1"]
    assert list(name_outputs((x, y), ["dense", "score"])) == ["dense", "score"]
    assert list(name_outputs((x, y), ["twice", "twice"])) == ["output_0", "output_1"]
    with pytest.raises(ValueError, match="tensors, not nests"):
        name_outputs({"a": [x, y]})


def test_names_invalid_in_tensorflow_or_python_are_changed():
    served = {"1st": "input_1st", "x.y": "x_y", "a b": "a_b", "self": "input_self", "class": "input_class"}
    served |= {"_x": "input__x", "A-b": "A_b", "\u00e9t\u00e9": "input__t_", "inputs": "inputs", "name": "name"}
    for name, expected in served.items():
        assert served_name(name) == expected == served_name(expected)


def test_automatic_output_names_count_from_zero():
    def build(**named):
        x = keras.Input((3,))
        outputs = [keras.layers.Dense(2)(x), keras.layers.Dense(2, **named)(x), x + 1.0]
        return keras.Model(x, outputs)

    for _ in range(2):
        assert output_names(build()) == ["output_0", "output_1", "output_2"]
        assert output_names(build(name="score")) == ["output_0", "score", "output_2"]
    assert output_names(keras.layers.Dense(2)) is None


def test_extra_signatures_map_specs_to_arguments():
    def divide(a, b):
        return a / b

    spec = tf.TensorSpec([None])
    for specs in ([spec, spec], (spec, tf.TensorSpec([None], name="below")), {"b": spec, "a": spec}):
        function, named = extra_signature("divide", (divide, specs))
        traced = concrete(function, named)
        values = dict(zip(named, (tf.constant([6.0]), tf.constant([3.0]))))
        assert float(traced(**values)["outputs"][0]) == (0.5 if isinstance(specs, dict) else 2.0)


def test_arguments_of_extra_signatures_get_valid_names():
    spec = tf.TensorSpec([None], name="1st")
    for function, specs in ((lambda x: -x, [spec]), (lambda **x: -x["1st"], {"1st": spec})):
        function, named = extra_signature("minus", (function, specs))
        assert list(named) == ["input_1st"]
        assert float(concrete(function, named)(input_1st=tf.constant([3.0]))["outputs"][0]) == -3


@pytest.mark.parametrize("signature", [abs, (abs,), (3, [tf.TensorSpec([])]), (abs, tf.TensorSpec([]))])
def test_malformed_extra_signatures_raise_errors(signature):
    with pytest.raises(ValueError, match=r"`signatures\['shout'\]` must be a tuple \(function, specs\)"):
        extra_signature("shout", signature)
