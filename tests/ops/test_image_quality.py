import math

import keras
import numpy as np
import pytest

from keras_attention import ops
from tests.backend import BACKEND, numpy
from tests.reference import image_quality as reference

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 13, 14, 3))
OTHERS = np.clip(IMAGES + 0.2 * RNG.standard_normal(IMAGES.shape), 0, 1)
NAMES = ("peak_signal_to_noise_ratio", "structural_similarity", "sharpness_difference")
ORACLES = {
    ("peak_signal_to_noise_ratio", "standard"): reference.psnr,
    ("peak_signal_to_noise_ratio", "published"): reference.published_psnr,
    ("structural_similarity", "standard"): reference.ssim,
    ("structural_similarity", "published"): reference.published_ssim,
    ("sharpness_difference", "standard"): reference.sharpness,
    ("sharpness_difference", "published"): reference.published_sharpness,
}
LEGACY = 20 * math.log10(255 / 128)


@pytest.mark.parametrize(("name", "variant"), ORACLES)
def test_matches_the_equation(name, variant):
    expected = [ORACLES[name, variant](a, b) for a, b in zip(IMAGES, OTHERS)]
    found = numpy(getattr(ops, name)(IMAGES, OTHERS, (0, 1), variant))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("variant", ["standard", "published"])
def test_independent_of_the_value_range(name, variant):
    function, expected = getattr(ops, name), getattr(ops, name)(IMAGES, OTHERS, (0, 1), variant)
    for low, high in ((-1, 1), (0, 255), (3.5, 4.0)):
        found = function(low + (high - low) * IMAGES, low + (high - low) * OTHERS, (low, high), variant)
        np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-4)
    bytes_ = [np.round(255 * v).astype("uint8") for v in (IMAGES, OTHERS)]
    found = function(*bytes_, (0, 255), variant)
    np.testing.assert_allclose(numpy(found), numpy(function(*(v / 255 for v in bytes_), (0, 1), variant)), rtol=1e-4)


@pytest.mark.parametrize("variant", ["standard", "published"])
def test_grey_images_equal_their_luminance(variant):
    """One channel, and the same channel three times."""
    grey = [v[..., :1] for v in (IMAGES, OTHERS)]
    expected = [ORACLES["structural_similarity", variant](a, b) for a, b in zip(*grey)]
    np.testing.assert_allclose(numpy(ops.structural_similarity(*grey, (0, 1), variant)), expected, rtol=2e-5)
    thrice = [np.repeat(v, 3, axis=-1) for v in grey]
    np.testing.assert_allclose(numpy(ops.structural_similarity(*thrice, (0, 1), variant)), expected, rtol=2e-5)


def test_published_psnr_is_5_9866_decibels_more():
    standard, published = (
        numpy(ops.peak_signal_to_noise_ratio(IMAGES, OTHERS, (0, 1), variant)) for variant in ("standard", "published")
    )
    assert abs(LEGACY - 5.9866) < 5e-5
    np.testing.assert_allclose(published - standard, LEGACY, atol=1e-5)


def test_published_sharpness_also_counts_the_borders():
    standard, published = (
        numpy(ops.sharpness_difference(IMAGES, OTHERS, (0, 1), variant)) for variant in ("standard", "published")
    )
    borders = 10 * math.log10(13 * 14 / (11 * 12))
    np.testing.assert_allclose(published - standard, LEGACY + borders, atol=1e-5)


def test_equal_images():
    most = 10 * math.log10(255**2 / 1e-4)
    assert abs(most - 88.13) < 5e-3
    for name in ("peak_signal_to_noise_ratio", "sharpness_difference"):
        np.testing.assert_allclose(numpy(getattr(ops, name)(IMAGES, IMAGES, (0, 1), "published")), most, rtol=1e-6)
        assert np.isposinf(numpy(getattr(ops, name)(IMAGES, IMAGES, (0, 1)))).all()
    for variant in ("standard", "published"):
        np.testing.assert_allclose(numpy(ops.structural_similarity(IMAGES, IMAGES, (0, 1), variant)), 1.0, atol=1e-6)


def test_closed_forms():
    """A shift by a constant leaves the gradients and changes the means; a slope has gradients of one kind."""
    shifted = 0.5 * IMAGES
    np.testing.assert_allclose(numpy(ops.peak_signal_to_noise_ratio(shifted, shifted + 0.1, (0, 1))), 20, atol=1e-4)
    assert (numpy(ops.sharpness_difference(shifted, shifted + 0.25, (0, 1), "published")) > 80).all()
    flat, other = np.full((1, 11, 12, 2), 0.3), np.full((1, 11, 12, 2), 0.7)
    expected = (2 * 0.3 * 0.7 + 1e-4) / (0.3**2 + 0.7**2 + 1e-4)
    np.testing.assert_allclose(numpy(ops.structural_similarity(flat, other, (0, 1))), expected, rtol=2e-4)
    slope = np.broadcast_to(0.05 * np.arange(7.0)[:, None, None], (1, 7, 5, 1))
    np.testing.assert_allclose(numpy(ops.sharpness_difference(slope, 0 * slope, (0, 1))), 10 * np.log10(20), rtol=1e-5)


def test_ssim_and_psnr_match_tensorflow():
    if BACKEND != "tensorflow":
        pytest.skip("compares with TensorFlow's own")
    import tensorflow as tf

    for name, theirs in (("structural_similarity", tf.image.ssim), ("peak_signal_to_noise_ratio", tf.image.psnr)):
        a, b = (tf.constant(v, "float32") for v in (IMAGES, OTHERS))
        np.testing.assert_allclose(numpy(getattr(ops, name)(a, b, (0, 1))), theirs(a, b, 1.0).numpy(), rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_with_unknown_sizes(name):
    function = getattr(ops, name)
    expected = numpy(function(IMAGES, OTHERS, (0, 1), "published"))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        for jit in (False, True):
            specs = [tf.TensorSpec([None, None, None, 3])] * 2
            compiled = tf.function(
                lambda a, b: function(a, b, (0, 1), "published"), specs, jit_compile=jit, autograph=False
            )
            found = compiled(*(tf.constant(v, "float32") for v in (IMAGES, OTHERS)))
            np.testing.assert_allclose(numpy(found), expected, rtol=1e-5)
    elif BACKEND == "jax":
        import jax

        found = jax.jit(lambda a, b: function(a, b, (0, 1), "published"))(IMAGES, OTHERS)
        np.testing.assert_allclose(numpy(found), expected, rtol=1e-5)
    symbolic = function(*[keras.KerasTensor((None, 13, None, 3))] * 2)
    assert tuple(symbolic.shape) == (None,) and symbolic.dtype == "float32"


def test_half_precision_is_computed_in_float32():
    half = [keras.ops.cast(v, "float16") for v in (IMAGES, OTHERS)]
    exact = [np.asarray(v, "float16").astype("float64") for v in (IMAGES, OTHERS)]
    found = numpy(ops.structural_similarity(*half, (0, 1)))
    np.testing.assert_allclose(found, [reference.ssim(a, b) for a, b in zip(*exact)], rtol=2e-5)


@pytest.mark.parametrize(
    ("name", "a", "b", "kwargs", "match"),
    [
        ("peak_signal_to_noise_ratio", (2, 4, 5, 3), (2, 4, 6, 3), {}, "same shape"),
        ("peak_signal_to_noise_ratio", (4, 5, 3), (4, 5, 3), {}, "same shape"),
        ("structural_similarity", (2, 10, 15, 3), (2, 10, 15, 3), {}, "at least 11"),
        ("sharpness_difference", (2, 4, 2, 3), (2, 4, 2, 3), {}, "at least 3"),
        ("structural_similarity", (2, 4, 5, 2), (2, 4, 5, 2), {"variant": "published"}, "one or three channels"),
        ("peak_signal_to_noise_ratio", (2, 4, 5, 3), (2, 4, 5, 3), {"variant": "paper"}, "`variant`.*'paper'"),
        ("peak_signal_to_noise_ratio", (2, 4, 5, 3), (2, 4, 5, 3), {"value_range": (1, 1)}, "`value_range`"),
        ("peak_signal_to_noise_ratio", (2, 4, 5, 3), (2, 4, 5, 3), {"value_range": 255}, "`value_range`"),
    ],
)
def test_bad_arguments_are_refused_by_name(name, a, b, kwargs, match):
    with pytest.raises(ValueError, match=match):
        getattr(ops, name)(np.zeros(a), np.zeros(b), **kwargs)
