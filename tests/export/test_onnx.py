import keras
import numpy as np
import pytest

from keras_attention.export import export_onnx
from tests.export import models
from tests.export.subjects import FACTORIES, LAYERS, assert_same, parameters

onnxruntime = pytest.importorskip("onnxruntime")
# What converters stumble over: selections of NaN, quotients of sizes, nested loops, loops from the end, two reshapes.
QUICK = (
    "GlimpseSensor",
    "LocalAttention1D-causal-dilated",
    "BahdanauAttention",
    "GatedRecurrentUnit",
    "SelfAttention2D",
    "selection_gan_discriminator",
)
# Outputs of `selection_gan` that have the name of an input.
RENAMED = {"semantics_output": "semantics"}


def run(path, data):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    taken = {x.name for x in session.get_inputs()}
    return dict(zip(names, session.run(names, {name: x for name, x in data.items() if name in taken}), strict=True))


@pytest.mark.parametrize("subject", parameters([*LAYERS, *FACTORIES], QUICK))
def test_any_size(subject, tmp_path):
    model = subject.model()
    path = export_onnx(model, tmp_path / "model.onnx", verify=subject.data(model))
    data = subject.data(model, more=2)
    assert_same(model, data, {RENAMED.get(name, name): x for name, x in run(path, data).items()})


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_exact_gelu(dtype, tmp_path):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.layers.Activation(keras.activations.gelu, dtype=dtype)(x))
    data = {"x": np.array([[-1.0, 2.0, -0.5], [0.0, 5.0, -9.0]], "float32")}
    [found] = run(export_onnx(model, tmp_path / "model.onnx", verify=data), data).values()
    expected = np.array([[-0.15865525, 1.9544997, -0.15426877], [0.0, 4.9999986, 0.0]])
    np.testing.assert_allclose(found, expected, atol=1e-6 if dtype == "float32" else 2e-3)


def test_what_is_not_selected_may_be_nan(tmp_path):
    class Guarded(keras.layers.Layer):
        def call(self, x):
            return keras.ops.where(keras.ops.all(x > 0, axis=-1, keepdims=True), keras.ops.log(x), x)

    x = keras.Input((3,), name="x")
    model = keras.Model(x, Guarded()(x))
    data = {"x": np.array([[-1.0, 2.0, -0.5], [1.0, 2.0, 0.5]], "float32")}
    path = export_onnx(model, tmp_path / "model.onnx", verify=data)
    assert_same(model, data, run(path, data))


def test_a_constant_of_the_model_is_no_input(tmp_path):
    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.ops.add(x, keras.ops.convert_to_tensor([1.0, 2.0, 4.0])))
    data = {"x": np.array([[0.5, 0.25, 2.0]], "float32")}
    assert_same(model, data, run(export_onnx(model, tmp_path / "model.onnx"), data))


def test_an_output_with_the_name_of_an_input(tmp_path):
    x, y = (keras.Input((3,), name=name) for name in "xy")
    model = keras.Model({"x": x, "y": y}, {"x": x * y, "z": x - y})
    data = {"x": np.array([[0.5, 0.25, 2.0]], "float32"), "y": np.array([[3.0, 5.0, 7.0]], "float32")}
    got = run(export_onnx(model, tmp_path / "model.onnx"), data)
    assert_same(model, data, {"x": got.pop("x_output"), **got})


def test_a_layer_in_bfloat16_is_computed_in_float32(tmp_path):
    x = keras.Input((None, 3), name="x")
    model = models.noisy(keras.Model(x, keras.layers.GRU(4, dtype="mixed_bfloat16")(x)))
    path = export_onnx(model, tmp_path / "model.onnx")
    data = {"x": np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")}
    [got] = run(path, data).values()
    whole = keras.Model(x, keras.layers.GRU(4)(x))
    whole.set_weights(model.get_weights())
    np.testing.assert_allclose(got, whole(data["x"]), rtol=1e-4, atol=1e-5)


def test_lengths_are_an_input(tmp_path):
    model = models.classifier()
    path = export_onnx(model, str(tmp_path / "new" / "model.onnx"), lengths={"tokens": "tokens_lengths"}, opset=17)
    rows = [x[0] for x in models.tokens(7, 3, 1)]
    batch = np.full((3, 7), rows[1][0], "int32")  # as a batcher pads
    for i, row in enumerate(rows):
        batch[i, : len(row)] = row
    [found] = run(path, {"tokens": batch, "tokens_lengths": np.array([7, 3, 1], "int32")}).values()
    for row, logits in zip(rows, found, strict=True):
        np.testing.assert_allclose(logits[None], model(row[None], training=False), rtol=1e-4, atol=1e-5)


def test_a_wrong_file_does_not_replace_an_older_one(tmp_path):
    class Counter(keras.layers.Layer):
        """Not the same at every call."""

        calls = 0

        def call(self, x):
            Counter.calls += 1
            return x + Counter.calls

    x = keras.Input((3,))
    path = tmp_path / "model.onnx"
    path.write_bytes(b"older")
    with pytest.raises(RuntimeError, match="outputs of the export and of the model differ"):
        export_onnx(keras.Model(x, Counter()(x)), path)
    assert path.read_bytes() == b"older" and list(tmp_path.iterdir()) == [path]
    export_onnx(models.table(), path, verify=False)
    assert path.read_bytes() != b"older"


def test_an_operation_that_onnx_lacks_is_named(tmp_path):
    with pytest.raises(ValueError, match="must be made of operations that ONNX has. Received: .*Svd"):
        export_onnx(models.singular_values(), tmp_path / "model.onnx")
    assert not [*tmp_path.iterdir()]


def test_arguments(tmp_path):
    model = models.table()
    for path in (tmp_path, tmp_path / "model.h5", 3, "gs://bucket/model.onnx"):
        with pytest.raises(ValueError, match=r"`path` must be the local path of a `\.onnx` file"):
            export_onnx(model, path)
    with pytest.raises(ValueError, match="`opset`"):
        export_onnx(model, tmp_path / "model.onnx", opset=1.5)
    with pytest.raises(ValueError, match="`verify`"):
        export_onnx(model, tmp_path / "model.onnx", verify=1)
    with pytest.raises(ValueError, match="does not know its inputs"):
        subclassed = Subclassed()
        subclassed.build()
        export_onnx(subclassed, tmp_path / "model.onnx")


class Subclassed(keras.Model):
    def build(self):
        self.built = True

    def call(self, x):
        return x
