import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import training
from tests.backend import BACKEND, QUICK, numpy
from tests.pairs import all_pairs
from tests.reference import training as reference

VARIANTS = ["paper", "reference"]
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def batch(B=3, T=5, V=7, scale=2.0, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.integers(1, V, (B, T)).astype("int32")
    targets[1, 3:] = 0
    targets[2] = 0
    return targets, rng.normal(0, scale, (B, T, V)).astype("float32")


def value(loss, *arguments):
    return ops.convert_to_numpy(loss(*arguments))


@pytest.mark.parametrize(("variant", "smoothing", "padding_id"), all_pairs(VARIANTS, [0.0, 0.1, 0.4], [0, 3, None]))
def test_is_the_cross_entropy_against_the_smoothed_label(variant, smoothing, padding_id):
    targets, logits = batch()
    expected = reference.smoothed_cross_entropy(targets, logits, smoothing, variant, padding_id)
    loss = training.LabelSmoothedCrossEntropy(smoothing, variant, padding_id)
    np.testing.assert_allclose(value(loss, targets, logits), np.mean(expected), rtol=1e-5)
    total = training.LabelSmoothedCrossEntropy(smoothing, variant, padding_id, reduction="sum")
    np.testing.assert_allclose(value(total, targets, logits), np.sum(expected), rtol=1e-5)


def test_goldens_of_both_forms():
    logits = np.log(np.float32([[[0.6, 0.1, 0.1, 0.1, 0.1]]]))
    paper = training.LabelSmoothedCrossEntropy(0.1, "paper", padding_id=None)
    reference_code = training.LabelSmoothedCrossEntropy(0.1, "reference", padding_id=None)
    constant = -0.9 * np.log(0.9) - 0.1 * np.log(0.1 / 4)
    np.testing.assert_allclose(value(paper, [[0]], logits), 0.6541664, rtol=1e-6)
    np.testing.assert_allclose(value(reference_code, [[0]], logits), 0.6900016 - constant, rtol=1e-6)


@pytest.mark.parametrize("V, constant", [(37_000, 1.376948), (10, 0.544805)])
def test_the_reference_has_a_minimum_of_zero_and_the_published_constant(V, constant):
    loss = training.LabelSmoothedCrossEntropy(0.1, "reference")
    best = np.full((1, 1, V), np.log(0.1 / (V - 1)), "float32")
    best[..., 4] = np.log(0.9)
    np.testing.assert_allclose(value(loss, [[4]], best), 0.0, atol=1e-5)
    # The cross-entropy of a uniform prediction is log V with any label.
    uniform = value(loss, [[4]], np.zeros((1, 1, V), "float32"))
    np.testing.assert_allclose(np.log(V) - uniform, constant, rtol=1e-5)


def test_the_paper_form_is_keras_label_smoothing():
    targets, logits = batch()
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = keras_loss(np.eye(7)[targets[0]], logits[0])
    ours = training.LabelSmoothedCrossEntropy(0.2, padding_id=None)
    np.testing.assert_allclose(value(ours, targets[0], logits[0]), ops.convert_to_numpy(expected), rtol=1e-6)


@each_variant
def test_padding_is_ignored_even_if_it_is_nan(variant):
    targets, logits = batch()
    loss = training.LabelSmoothedCrossEntropy(variant=variant)
    expected = value(loss, targets, logits)
    logits[targets == 0] = np.nan
    np.testing.assert_array_equal(value(loss, targets, logits), expected)
    assert value(loss, targets * 0, logits) == 0
    each = value(training.LabelSmoothedCrossEntropy(variant=variant, reduction="none"), targets, logits)
    assert each.shape == (3, 5) and (each[targets == 0] == 0).all() and (each[targets != 0] > 0).all()


@each_variant
def test_the_gradient_is_probability_minus_label_and_zero_in_the_padding(variant):
    targets, logits = batch()
    logits[targets == 0] = np.nan
    loss = training.LabelSmoothedCrossEntropy(0.1, variant)
    probe = keras.Sequential([keras.Input((5, 7)), keras.layers.Lambda(lambda x: x)])
    weight = probe.add_weight(shape=logits.shape, name="logits")
    weight.assign(logits)
    gradient = gradient_of(lambda: loss(targets, weight + 0), weight)
    probs = np.exp(logits - logits.max(-1, keepdims=True))
    probs /= probs.sum(-1, keepdims=True)
    V, e = 7, 0.1
    a, b = (1 - e, e / V) if variant == "paper" else (1 - e - e / (V - 1), e / (V - 1))
    expected = (probs - a * np.eye(V)[targets] - b) / (targets != 0).sum()
    expected[targets == 0] = 0
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def gradient_of(function, variable):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            y = function()
        return tape.gradient(y, variable.value).numpy()
    if backend == "torch":
        function().backward()
        return variable.value.grad.cpu().numpy()
    import jax

    def stateless(x):
        with keras.StatelessScope(state_mapping=[(variable, x)]):
            return function()

    return np.array(jax.grad(stateless)(variable.value))


@each_variant
def test_large_logits_stay_exact(variant):
    targets, logits = batch()
    logits = np.round(logits * 256) / 256  # so that float32 holds the sum exactly
    loss = training.LabelSmoothedCrossEntropy(variant=variant)
    np.testing.assert_allclose(value(loss, targets, logits + 4096), value(loss, targets, logits), rtol=1e-6)
    assert np.isfinite(value(loss, targets, logits * 1e30))


def test_half_precision_is_computed_in_float32():
    targets, logits = batch(V=301)
    half = ops.cast(logits, "bfloat16")
    loss = training.LabelSmoothedCrossEntropy()
    found = loss(targets, half)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_array_equal(numpy(found), value(loss, targets, ops.cast(half, "float32")))


def test_a_keras_mask_of_the_predictions_is_ignored():
    targets, logits = batch()
    loss = training.LabelSmoothedCrossEntropy()
    masked = ops.convert_to_tensor(logits)
    masked._keras_mask = ops.zeros((3, 5), "bool")
    np.testing.assert_array_equal(value(loss, targets, masked), value(loss, targets, logits))


@pytest.mark.parametrize("shape", [(3, 5), (3,)])
def test_sample_weights_weigh_the_mean(shape):
    targets, logits = batch()
    weights = np.random.default_rng(1).random(shape).astype("float32")
    each = value(training.LabelSmoothedCrossEntropy(reduction="none"), targets, logits)
    weight = (weights if weights.ndim == 2 else weights[:, None]) * (targets != 0)
    expected = (each * weight).sum() / weight.sum()
    found = value(training.LabelSmoothedCrossEntropy(), targets, logits, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_model_trains_with_it_and_loads_from_a_file(tmp_path):
    targets, inputs = batch(B=8)
    model = keras.Sequential([keras.Input((5, 7)), keras.layers.Dense(7)])
    loss = training.LabelSmoothedCrossEntropy(0.3, "reference", padding_id=2)
    metrics = [training.TokenAccuracy(2), training.SequenceAccuracy(2)]
    model.compile("adam", loss, metrics=metrics, **QUICK)
    history = model.fit(inputs, targets, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    np.testing.assert_allclose(
        model.evaluate(inputs, targets, verbose=0)[0],
        value(loss, targets, ops.convert_to_numpy(model(inputs))),
        rtol=1e-5,
    )
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.loss.get_config() == loss.get_config()
    np.testing.assert_allclose(
        twin.evaluate(inputs, targets, verbose=0), model.evaluate(inputs, targets, verbose=0), rtol=1e-6
    )


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"smoothing": 1.0}, "`smoothing` must be"),
        ({"smoothing": -0.1}, "`smoothing` must be"),
        ({"variant": "szegedy"}, "`variant` must be one of"),
        ({"padding_id": 0.5}, "`padding_id` must be an int"),
        ({"padding_id": True}, "`padding_id` must be an int"),
        ({"reduction": "sum_over_batch_size"}, "`reduction` must be"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        training.LabelSmoothedCrossEntropy(**bad)


@pytest.mark.parametrize("targets", [np.zeros((3, 4), "int32"), np.zeros((3, 5)), np.zeros((3, 5, 7), "int32")])
def test_targets_that_do_not_fit_are_refused(targets):
    with pytest.raises(ValueError, match="`y_true` must be integers"):
        training.LabelSmoothedCrossEntropy()(targets, np.zeros((3, 5, 7), "float32"))


def test_batches_of_any_size_are_evaluated_under_xla():
    """With the oldest Keras, XLA does not compile `take_along_axis` for an unknown batch size."""
    model = keras.Sequential([keras.Input((None, 4)), keras.layers.Dense(7)])
    model.compile("sgd", training.LabelSmoothedCrossEntropy(0.1), jit_compile=True if BACKEND != "torch" else "auto")
    inputs, targets = np.ones((5, 3, 4), "float32"), np.arange(15).reshape(5, 3) % 7
    found = model.evaluate(inputs, targets, batch_size=2, verbose=0)
    expected = training.LabelSmoothedCrossEntropy(0.1)(targets, ops.convert_to_numpy(model(inputs)))
    np.testing.assert_allclose(found, float(expected), rtol=0.2)
