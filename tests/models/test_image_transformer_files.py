"""Image Transformer as a Keras model: saving, precision, training, unknown sizes."""

import keras
import numpy as np
import pytest

from keras_attention import metrics, training
from tests.backend import QUICK
from tests.models.helpers import numpy
from tests.models.image_helpers import SIZES, VARIANTS, condition, image_of, in_order, inputs_of, small
from tests.variants import variants

BACKEND = keras.backend.backend()
SOME = [name for name in VARIANTS if name in ("2d", "mixture-1d-classes", "mixture-super-resolution-pre-norm")]


@pytest.mark.parametrize("name", variants(SOME, "mixture-super-resolution-pre-norm"))
def test_save_and_load(name, tmp_path):
    arguments = {**VARIANTS[name], "num_layers": 1}
    if "num_encoder_layers" in arguments:
        arguments["num_encoder_layers"] = 1
    model = small(**arguments, name="painter", seed=3)
    inputs = inputs_of(model)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is type(model) and twin.get_config() == model.get_config()
    assert {**SIZES, **arguments}.items() <= twin.get_config().items()
    np.testing.assert_allclose(numpy(twin(inputs)), numpy(model(inputs)), atol=1e-5)
    start, first = condition(inputs), numpy(model.to_sequence(image_of(inputs)))[:, 0]
    ours, theirs = (m.step(first, m.start((2, 3), **start), 0)[0] for m in (model, twin))
    np.testing.assert_allclose(numpy(theirs), numpy(ours), atol=1e-5)


@pytest.mark.parametrize("name", ["1d", "mixture-2d-grey"])
def test_mixed_precision(name):
    arguments = {**VARIANTS[name], "num_layers": 1}
    model, exact = small(**arguments, dtype="mixed_bfloat16"), small(**arguments)
    inputs = inputs_of(model)
    output = model(inputs)
    assert keras.backend.standardize_dtype(output.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(w.dtype) for w in model.weights} == {"float32"}
    expected = numpy(exact(inputs))
    output = numpy(keras.ops.cast(output, "float32"))
    assert np.abs(output - expected).mean() < 0.05 * np.abs(expected).mean()
    first = np.zeros_like(numpy(model.to_sequence(image_of(inputs)))[:, 0])
    step = numpy(keras.ops.cast(model.step(first, model.start((3, 4), 2), 0)[0], "float32"))
    whole = in_order(model, output)[:, 0]
    assert np.abs(step - whole).mean() < 0.05 * np.abs(whole).mean()


@pytest.mark.parametrize(
    "name", variants(["2d-reference-classes-pre-norm", "mixture-1d-classes"], "2d-reference-classes-pre-norm")
)
def test_training_lowers_the_loss(name):
    # XLA, which is slow, compiles the block and the likelihoods in tests/layers and tests/ops.
    graph = BACKEND == "tensorflow" and name == "mixture-1d-classes"
    how = {"jit_compile": False} if graph else QUICK
    model = small(**{**VARIANTS[name], "num_layers": 1}, dropout=0.1, seed=1)
    loss = training.PixelNegativeLogLikelihood(model.likelihood)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=[metrics.BitsPerDim(model.likelihood)], **how)
    inputs = inputs_of(model)
    image = image_of(inputs)
    image[:] = image[:1] // 2  # identical images: easy to fit
    losses = []
    for _ in range(4):
        model.reset_metrics()
        nats, bits = map(float, model.train_on_batch(inputs, image))
        losses.append(nats)
    assert losses[-1] < 0.8 * losses[0] and np.isfinite(losses).all()
    np.testing.assert_allclose(bits, nats / np.log(2), rtol=1e-4)


def test_accepts_uint8_images_of_any_size():
    model = small(**{**VARIANTS["2d"], "num_layers": 1})
    model.compile(**QUICK)
    for size in ((1, 1), (5, 3)):
        image = inputs_of(model, size=size)
        np.testing.assert_allclose(numpy(model(image.astype("uint8"))), numpy(model(image)), atol=1e-6)
    assert model.predict(image.astype("uint8"), verbose=0).shape == (2, *size, 3, 256)


def test_dropout_is_active_only_in_training():
    model = small(**{**VARIANTS["1d"], "dropout": 0.3}, seed=1)
    inputs = inputs_of(model)
    expected = numpy(model(inputs))
    np.testing.assert_array_equal(numpy(model(inputs)), expected)
    first, second = (numpy(model(inputs, training=True)) for _ in range(2))
    assert np.abs(first - expected).max() > 1e-2 and np.abs(first - second).max() > 1e-2
    seeds = [x.seed for x in model._flatten_layers() if isinstance(x, keras.layers.Dropout)]
    assert len(seeds) == len(set(seeds)) == 1 + 2


# tests/decoding/test_sample_image.py exports and samples a logistic mixture model with classes.
def test_graph_with_unknown_batch_and_size():
    if BACKEND != "tensorflow":
        pytest.skip("a graph with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    more = {"variant": "reference", "norm_first": True, "num_encoder_layers": 1}
    model = small(**{**VARIANTS["2d"], **more, "num_layers": 1})
    specs = {name: tf.TensorSpec(x.shape, "int32") for name, x in model.input.items()}
    graph = tf.function(model, input_signature=[specs], autograph=False)
    for batch, size in ((2, (3, 4)), (3, (4, 5))):
        inputs = inputs_of(model, batch, size)
        np.testing.assert_allclose(numpy(graph(inputs)), numpy(model(inputs)), atol=1e-4)
