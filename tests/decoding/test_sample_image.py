"""`sample_image`: the distribution, known pixels, seeds, and compiled loops."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import decoding
from keras_attention.ops import logistic_mixture_sample
from tests.backend import BACKEND, numpy
from tests.models.helpers import compiled
from tests.models.image_helpers import SIZE, VARIANTS, condition, image_of, inputs_of, small
from tests.variants import variants

COLD = 1e-12  # a temperature that makes sampling deterministic, however wide a logistic is
SOME = ["2d-reference-classes-pre-norm", "mixture-2d-grey", "super-resolution"]
each_variant = pytest.mark.parametrize("name", SOME)


class TwoPixels:
    """A model of 1 x 2 images of one channel, with a table of the distribution of the second pixel given the first."""

    likelihood, channels, num_mixtures = "categorical", 1, None

    def __init__(self):
        rng = np.random.default_rng(0)
        self.first = np.zeros(256, "float32") - 50
        self.first[:6] = np.log([0.05, 0.3, 0.02, 0.4, 0.13, 0.1])
        self.table = np.zeros((256, 256), "float32") - 50
        self.table[:6, :6] = np.log(rng.dirichlet(np.ones(6), 6))

    def start(self, size, batch_size):
        return {"nothing": ops.zeros((batch_size, 1))}

    def step(self, values, cache, index):
        rows = ops.take(ops.convert_to_tensor(self.table), values, axis=0)
        return ops.where(ops.equal(index, 0), ops.convert_to_tensor(self.first)[None], rows), cache

    def to_sequence(self, image):
        return ops.reshape(image, (-1, 2))

    def to_image(self, sequence, size):
        return ops.reshape(sequence, (-1, *size, 1))


def pairs(temperature):
    model = TwoPixels()
    first = np.exp(model.first[:6] / temperature)
    table = np.exp(model.table[:6, :6] / temperature)
    return (first / first.sum())[:, None] * table / table.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_frequencies_of_images_match_the_distribution(temperature):
    sampled = numpy(decoding.sample_image(TwoPixels(), (1, 2), 20_000, temperature=temperature, seed=3))
    assert sampled.shape == (20_000, 1, 2, 1) and sampled.dtype == "int32" and sampled.max() < 6
    counts = np.bincount(sampled[:, 0, 0, 0] * 6 + sampled[:, 0, 1, 0], minlength=36)

    def distance(expected):
        expected = expected.ravel() * len(sampled)
        return ((counts - expected) ** 2 / expected).sum()

    bound = 35 + 4 * np.sqrt(2 * 35)
    assert distance(pairs(temperature)) < bound < distance(pairs(temperature * 1.2))


@functools.cache
def variant(name):
    """A model, of few layers because an eager step is slow, its inputs, and a compiled function.

    The function samples images from labels or sources, known pixels and their mask; only one variant runs under XLA,
    which is slow to compile.
    """
    model = small(**{**VARIANTS[name], "num_layers": 2 if name == "super-resolution" else 1})
    inputs = inputs_of(model, size=SIZE if model.channels == 1 else (3, 2))

    def complete(given, known, mask):
        return draw(model, {**given, "image": known}, known_mask=mask, known=known)

    return model, inputs, compiled(complete, xla=name.startswith("mixture"))


def given(inputs):
    """The condition, the argument of a compiled function, without the batch size."""
    return {name: x for name, x in condition(inputs).items() if name != "batch_size"}


def draw(model, inputs, **options):
    size = tuple(image_of(inputs).shape[1:3])
    return decoding.sample_image(model, size, **condition(inputs), temperature=COLD, seed=1, **options)


def assert_alike(one, other):
    """Equal but for a few values: one between two integers may be rounded to either."""
    assert one.shape == other.shape and (one == other).mean() > 0.97


# tests/export/serving/test_image_sampling.py samples a model with classes and a source.
@pytest.mark.parametrize("name", variants(SOME, "mixture-2d-grey"))
def test_every_value_is_sampled_from_the_model_output_on_the_finished_image(name):
    """Teacher forcing on the sampled image gives the same values with the same noise."""
    model, inputs, complete = variant(name)
    image = image_of(inputs)
    sampled = numpy(complete(given(inputs), image, np.zeros(image.shape[:-1], bool)))  # nothing is known
    assert sampled.shape == image.shape and sampled.min() >= 0 and sampled.max() <= 255
    outputs = model({**inputs, "image": sampled} if isinstance(inputs, dict) else sampled)
    if model.likelihood == "categorical":
        best = numpy(ops.argmax(outputs, axis=-1))
    else:
        noise = np.full((*sampled.shape[:3], model.num_mixtures + model.channels), 0.5, "float32")
        best = numpy(logistic_mixture_sample(outputs, model.channels, noise, COLD))
    assert_alike(best, sampled)
    assert len(np.unique(sampled)) > 2
    # The variant with the fastest eager step; on TensorFlow the eager loop is covered by the SavedModel test.
    if name == SOME[0] and BACKEND != "tensorflow":
        assert_alike(numpy(draw(model, inputs)), sampled)


@each_variant
def test_known_pixels_are_kept_and_condition_the_others(name):
    _, inputs, complete = variant(name)
    known = image_of(inputs)
    mask = np.zeros(known.shape[:-1], bool)
    mask[:, 0], mask[:, 2, -1] = True, True
    sampled = numpy(complete(given(inputs), known, mask))
    np.testing.assert_array_equal(sampled[mask], known[mask])
    differently = numpy(complete(given(inputs), 255 - known, mask))
    assert (differently != sampled)[~mask].any()
    garbage = np.where(mask[..., None], known, 999).astype("int32")
    np.testing.assert_array_equal(numpy(complete(given(inputs), garbage, mask)), sampled)


def test_known_mask_broadcasts_over_the_batch():
    known = np.array([[2, 0], [1, 0], [5, 0]], "int32").reshape(3, 1, 2, 1)
    mask = np.array([[True, False]])
    one, each = (
        numpy(decoding.sample_image(TwoPixels(), (1, 2), known=known, known_mask=m, seed=1))
        for m in (mask, np.stack([mask] * 3))
    )
    np.testing.assert_array_equal(one, each)
    np.testing.assert_array_equal(one[:, :, 0], known[:, :, 0])


# tests/export/serving/test_image_sampling.py traces such a signature.
@pytest.mark.slow
def test_runs_as_a_saved_model_signature(tmp_path):
    """The loop is a signature of a SavedModel, for any batch size."""
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel needs the TensorFlow backend")
    import tensorflow as tf

    model, _, _ = variant(SOME[0])

    def paint(label):
        return decoding.sample_image(model, (2, 2), label=label, temperature=COLD, seed=1)

    module = tf.Module()
    module.variables_used = [weight.value for weight in model.weights]
    module.paint = tf.function(paint, [tf.TensorSpec([None], "int32", name="label")], autograph=False)
    tf.saved_model.save(module, str(tmp_path), signatures={"paint": module.paint})
    served = tf.saved_model.load(str(tmp_path)).signatures["paint"]
    labels = np.array([0, 1, 2], "int32")
    expected = numpy(paint(labels))
    for part in (slice(1, 2), slice(3)):
        [found] = served(label=tf.constant(labels[part])).values()
        assert_alike(numpy(found), expected[part])


def test_equal_seeds_give_equal_images():
    first, again, other = (numpy(decoding.sample_image(TwoPixels(), (1, 2), 9, seed=s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    generator = keras.random.SeedGenerator(7)
    first, second = (numpy(decoding.sample_image(TwoPixels(), (1, 2), 9, seed=generator)) for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "`temperature` must be"),
        ({"temperature": True}, "`temperature` must be"),
        ({"seed": 0.5}, "`seed` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"batch_size": 0}, "`batch_size` must be a positive int"),
        ({"known": np.full((2, 1, 2, 1), 256), "known_mask": np.ones((1, 2), bool)}, "`known` must be whole numbers"),
        ({"batch_size": None}, "`batch_size` must be given"),
        ({"known": np.zeros((2, 1, 2, 1))}, "`known` and `known_mask`"),
        ({"known": np.zeros((2, 1, 2, 1)), "known_mask": np.ones((1, 2))}, "`known_mask`.*float"),
        ({"known": np.zeros((2, 2, 2, 1)), "known_mask": np.ones((1, 2))}, r"`known` must be \[B, 1, 2, 1\]"),
        ({"known": np.zeros((2, 1, 2, 1)), "known_mask": np.ones((2, 1))}, r"known_mask.shape=\(2, 1\)"),
    ],
    ids=str,
)
def test_invalid_options_raise_errors(options, message):
    with pytest.raises(ValueError, match=message):
        decoding.sample_image(TwoPixels(), (1, 2), **{"batch_size": 2, **options})


def test_model_without_the_protocol_raises_an_error():
    for model in (None, keras.Sequential([keras.layers.Dense(2)])):
        with pytest.raises(ValueError, match="`model` must be an autoregressive model of images.*without .'start'"):
            decoding.sample_image(model, (1, 2), 2)
    for size in (3, (1, 2, 3), (0, 2), (1.0, 2), "12"):
        with pytest.raises(ValueError, match="`size` must be .rows, columns., two positive ints. Received: size="):
            decoding.sample_image(TwoPixels(), size, 2)


@pytest.mark.parametrize("likelihood", ["categorical", "logistic_mixture"])
def test_values_are_0_where_the_output_contains_a_nan(likelihood):
    class Broken(TwoPixels):
        num_mixtures = 1

        def step(self, values, cache, index):
            whole = [-50.0] + [0.0] * 255 if self.likelihood == "categorical" else [0.0, 0.1, -5.0]
            return ops.convert_to_tensor(np.array([whole, whole[:-1] + [np.nan]], "float32")), cache

    model = Broken()
    model.likelihood = likelihood
    if likelihood == "logistic_mixture":
        model.to_sequence = lambda image: ops.reshape(image, (-1, 2, 1))
    sampled = numpy(decoding.sample_image(model, (1, 2), 2, seed=1))
    assert (sampled[0] > 0).all() and (sampled[1] == 0).all()
