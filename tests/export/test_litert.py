import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export import export_litert
from keras_attention.models.parts.image_transformer import CategoricalPixels
from tests.export import models
from tests.export.subjects import FACTORIES, LAYERS, assert_same, parameters

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
SUBJECTS = [*LAYERS, *FACTORIES]
QUICK = ("LocalAttention1D", "GatedRecurrentUnit", "GlimpseSensor")
ANY_SIZE = ("MultiHeadAttention", "BahdanauAttention", "NonLocalBlock", "GlimpseSensor-soft")
# Also of any size, but slow.
OTHERS_OF_ANY_SIZE = (
    "AttentionPooling",
    "SelfAttention2D",
    "PatchEmbedding",
    "ClassToken",
    "SqueezeExcitation",
    "CBAM",
    "TransformerEncoderBlock",
    "TransformerDecoderBlock",
    "MultiScaleSpatialPooling",
    "transformer",
    "sagan_generator",
    "sagan_discriminator",
    "selection_gan_generator",
    "selection_gan_discriminator",
    "recurrent_attention",
    "attention_resnet-cbam",
    "attention_resnet-se",
    "attention_resnet-non_local",
    "non_local_resnet",
)


def run(path, data):
    return interpreter.Interpreter(model_path=str(path)).get_signature_runner()(**data)


@pytest.mark.parametrize("subject", parameters(SUBJECTS, QUICK))
def test_known_sizes(subject, tmp_path):
    model = subject.model()
    data = subject.data(model)
    path = export_litert(model, tmp_path / "model.tflite", input_signature=subject.specs(model), verify=data)
    assert_same(model, data, run(path, data))


@pytest.mark.parametrize(
    "subject", parameters([x for x in SUBJECTS if x.name in (*ANY_SIZE, *OTHERS_OF_ANY_SIZE)], ANY_SIZE)
)
def test_any_size(subject, tmp_path):
    model = subject.model()
    path = export_litert(model, tmp_path / "model.tflite", verify=subject.data(model))
    data = subject.data(model, more=2)
    assert_same(model, data, run(path, data))


def test_padding_is_ignored(tmp_path):
    """The mask of an embedding, by new axes of unknown sizes."""
    model = models.classifier()
    path = export_litert(model, tmp_path / "model.tflite")
    tokens = np.array([[3, 5, 0, 0, 0], [2, 0, 0, 0, 0]], "int32")
    assert_same(model, {"tokens": tokens}, run(path, {"tokens": tokens}))


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_computed_in_float32(dtype, tmp_path):
    x = keras.Input((7, 3), batch_size=2, name="x")
    model = models.noisy(keras.Model(x, keras.layers.GRU(4, dtype=dtype)(x)))
    path = export_litert(model, tmp_path / "model.tflite", input_signature=tf.TensorSpec((2, 7, 3), name="x"))
    data = {"x": np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")}
    [got] = run(path, data).values()
    whole = keras.Model(x, keras.layers.GRU(4)(x))
    whole.set_weights(model.get_weights())
    np.testing.assert_allclose(got, whole(data["x"]), rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_quantized_models_are_refused(tmp_path):
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(2, name="last")(x))
    model.quantize("int8")
    with pytest.raises(ValueError, match=r"`model` must not be quantized.*Received weights in int8: last/kernel"):
        export_litert(model, tmp_path / "model.tflite")


def test_integer_offsets(tmp_path):
    """The embedding of the Image Transformer, whose table has rows for each channel."""
    pixels = CategoricalPixels({"channels": 3, "model_dim": 5}, "decoder", "float32")
    image = keras.Input((2, 4, 3), dtype="int32", name="image")
    model = models.noisy(keras.Model(image, pixels.embed(image)))
    data = {"image": np.random.default_rng(0).integers(0, 256, (2, 2, 4, 3)).astype("int32")}
    assert_same(model, data, run(export_litert(model, tmp_path / "model.tflite"), data))


def test_an_operation_that_is_not_built_in_is_named(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"older")
    with pytest.raises(ValueError, match="must be made of operations that LiteRT has built in"):
        export_litert(models.singular_values(), path)
    assert path.read_bytes() == b"older" and list(tmp_path.iterdir()) == [path]


def test_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must be the local path of a `\.tflite` file"):
        export_litert(models.table(), tmp_path / "model.onnx")
