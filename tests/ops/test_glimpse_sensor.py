"""Glimpses against loops: values, gradients and conventions."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.ops.glimpse_sensor import area_means, glimpses, patch_widths, soft_glimpses
from tests.backend import BACKEND, COMPILED, numpy, value_and_gradients
from tests.reference import glimpses as reference

RNG = np.random.default_rng(0)


def whole(function):
    """Compiled as a whole on JAX, which would otherwise compile each operation separately."""
    if BACKEND != "jax":
        return function
    import jax

    return jax.jit(function, static_argnums=(2, 3, 4))


BOTH = {"hard": (whole(glimpses), reference.glimpse), "soft": (whole(soft_glimpses), reference.soft_glimpse)}
# Sides of images, of a glimpse, scales, factor: even, odd, not a multiple, wider than the image.
SIZES = [
    ((9, 11), 4, 1, 2.0),
    ((9, 11), 3, 3, 2.0),
    ((8, 7), 5, 2, 1.5),
    ((10, 6), 4, 3, 1.3),
    ((5, 6), 2, 3, 3.0),
]


def locations(number):
    """Random locations, and some exactly at the ends."""
    ends = [(-1, -1), (1, 1), (-1, 1), (0, 0), (0.5, -0.25)]
    return np.array([*ends, *RNG.uniform(-1, 1, (number - len(ends), 2))], "float32")


def images(batch, sides, channels=2, seed=1):
    return np.random.default_rng(seed).standard_normal((batch, *sides, channels)).astype("float32")


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(("sides", "size", "scales", "factor"), SIZES)
def test_equals_padding_cropping_and_averaging(kind, sides, size, scales, factor):
    ours, oracle = BOTH[kind]
    x, at = images(10, sides), locations(10)
    expected = [oracle(image, location, size, scales, factor) for image, location in zip(x, at)]
    found = numpy(ours(x, at, size, scales, factor))
    assert found.shape == (10, size, size, scales * 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rows_of_a_glimpse_at_the_middle_and_the_ends():
    """Of 28 rows, 10 to 17 in the middle, -4 to 3 and 24 to 31 at the ends; the first coordinate is the row."""
    rows = np.broadcast_to(np.arange(1, 29, dtype="float32")[:, None], (28, 30))[None, ..., None]
    for location, first, last in ((0, 10, 17), (-1, -4, 3), (1, 24, 31)):
        seen = numpy(glimpses(rows, np.array([[location, 0.0]], "float32"), 8))[0, :, 0, 0]
        assert seen.tolist() == [r + 1 if 0 <= r < 28 else 0 for r in range(first, last + 1)]


def test_constant_image_gives_a_constant_glimpse():
    x = np.full((1, 20, 24, 1), 0.7, "float32")
    for ours, _ in BOTH.values():
        np.testing.assert_allclose(numpy(ours(x, np.array([[0.1, -0.1]], "float32"), 3, 3, 1.7)), 0.7, atol=1e-6)


def test_all_scales_of_a_ramp_have_the_same_mean():
    ramp = (np.arange(20)[:, None] + 10 * np.arange(24))[None, ..., None].astype("float32")
    seen = numpy(glimpses(ramp, np.array([[0.0, 0.0]], "float32"), 4, 3))
    np.testing.assert_allclose(seen.mean((1, 2)), seen.mean(), rtol=1e-6)


def test_shifted_image_and_location_give_the_same_glimpse():
    x = images(1, (20, 24))
    moved = np.roll(x, (3, -2), axis=(1, 2))
    here, there = np.array([[0.0, 0.0]], "float32"), np.array([[2 * 3 / 20, -2 * 2 / 24]], "float32")
    np.testing.assert_array_equal(numpy(glimpses(moved, there, 4, 2)), numpy(glimpses(x, here, 4, 2)))


@functools.cache
def seen_pixels(kind, location, sides, *options):
    """[size, size, scales, pixels]: the weight of each image pixel, from an image with one channel per pixel."""
    pixels = np.eye(np.prod(sides)).reshape(*sides, -1)
    found = BOTH[kind][1](pixels, location, *options)
    return found.reshape(*found.shape[:2], -1, pixels.shape[-1])


@pytest.mark.parametrize("how", COMPILED)
@pytest.mark.parametrize("kind", BOTH)
def test_gradient_of_the_image_is_the_scattered_crop(kind, how):
    ours, oracle = BOTH[kind]
    x, at = images(3, (9, 11)), np.array([[-1, 0.3], [0.9, -0.2], [0.1, 1]], "float32")
    cotangent = RNG.standard_normal((3, 4, 4, 4)).astype("float32")
    value, [gradient] = value_and_gradients(lambda x: ours(x, at, 4, 2, 1.5), [x], cotangent, how)
    np.testing.assert_allclose(value, [oracle(a, b, 4, 2, 1.5) for a, b in zip(x, at)], atol=1e-5)
    # Glimpses are linear in the image: the gradient is the transpose, computed pixel by pixel.
    for image in range(3):
        parts = cotangent[image].reshape(4, 4, 2, 2)  # [..., scale, channel]
        expected = np.einsum("ijkp,ijkc->pc", seen_pixels(kind, tuple(at[image]), (9, 11), 4, 2, 1.5), parts)
        np.testing.assert_allclose(gradient[image], expected.reshape(9, 11, 2), atol=1e-5)


def test_hard_glimpses_have_no_gradient_of_the_location():
    x = images(2, (9, 11))
    cotangent = np.ones((2, 4, 4, 2), "float32")
    # The sum has a gradient, so that there is one.
    _, [gradient] = value_and_gradients(lambda at: glimpses(x, at, 4) + ops.sum(at), [locations(5)[3:]], cotangent)
    np.testing.assert_array_equal(gradient, cotangent.sum())


@pytest.mark.parametrize("how", COMPILED)
def test_gradient_of_the_location_of_a_soft_glimpse(how):
    x = images(4, (9, 11))
    at = np.array([[-0.31, 0.27], [0.42, -0.13], [0.1, 0.73], [-0.8, -0.62]], "float32")
    cotangent = RNG.standard_normal((4, 3, 3, 4)).astype("float32")
    _, [gradient] = value_and_gradients(lambda at: soft_glimpses(x, at, 3, 2), [at], cotangent, how)

    def loss(locations):
        seen = [
            reference.soft_glimpse(image.astype("float64"), location, 3, 2) for image, location in zip(x, locations)
        ]
        return (np.array(seen) * cotangent).sum((1, 2, 3))

    for axis in range(2):
        step = np.zeros((4, 2))
        step[:, axis] = 1e-5
        difference = (loss(at + step) - loss(at - step)) / 2e-5
        np.testing.assert_allclose(gradient[:, axis], difference, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("kind", BOTH)
def test_locations_beyond_the_ends_are_clipped_and_nan_stays_nan(kind):
    ours, _ = BOTH[kind]
    x = images(3, (9, 11))
    far = np.array([[-7, 0.2], [1.2, 3], [np.inf, -np.inf]], "float32")
    near = np.clip(far, -1, 1)
    np.testing.assert_array_equal(numpy(ours(x, far, 3)), numpy(ours(x, near, 3)))
    lost = numpy(ours(x, np.array([[0.1, 0.2], [np.nan, 0.2], [0.1, np.nan]], "float32"), 3))
    assert np.isfinite(lost[0]).all() and np.isnan(lost[1:]).all()


@pytest.mark.parametrize("kind", BOTH)
def test_only_pixels_of_the_patch_are_read(kind):
    """NaN elsewhere has no effect: there is no product with the whole image."""
    ours, _ = BOTH[kind]
    x, at = images(1, (30, 40)), np.array([[0.2, -0.3]], "float32")
    seen = numpy(ours(x, at, 3, 2))
    row, column = int(1.2 / 2 * 30), int(0.7 / 2 * 40)
    hidden = np.full_like(x, np.nan)
    patch = (slice(None), slice(row - 3, row + 4), slice(column - 3, column + 4))
    hidden[patch] = x[patch]
    np.testing.assert_array_equal(numpy(ours(hidden, at, 3, 2)), seen)


@pytest.mark.parametrize("kind", BOTH)
def test_intermediate_tensors_do_not_grow_with_the_image(kind):
    """They are as large for 40 x 50 pixels as for 400 x 500."""
    ours, _ = BOTH[kind]
    assert largest(ours, (40, 50)) == largest(ours, (400, 500)) <= 3 * 2 * 7**2 * 2


def largest(ours, sides):
    """Size of the largest tensor, except views of the image itself."""
    shapes = [(3, *sides, 2), (3, 2)]
    if BACKEND == "jax":
        import jax

        avals = [jax.ShapeDtypeStruct(shape, "float32") for shape in shapes]
        steps = jax.make_jaxpr(lambda x, at: ours(x, at, 3, 2))(*avals).jaxpr.eqns
        found = [(str(e.primitive), v.aval.shape) for e in inner(steps) for v in e.outvars]
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        function = tf.function(lambda x, at: ours(x, at, 3, 2), autograph=False)
        graph = function.get_concrete_function(*map(tf.TensorSpec, shapes)).graph
        found = [(o.type, tuple(v.shape)) for o in graph.get_operations() for v in o.outputs if o.type != "Placeholder"]
    else:
        pytest.skip("PyTorch has no graph whose tensors could be listed")
    return max(int(np.prod(shape)) for kind, shape in found if kind.lower() != "reshape")


def inner(steps):
    """Equations, with those of called functions in their location."""
    for step in steps:
        parts = [p.jaxpr for p in step.params.values() if hasattr(p, "jaxpr")]
        yield from (e for part in parts for e in inner(part.eqns)) if parts else [step]


@pytest.mark.parametrize("kind", BOTH)
def test_half_precision_locations_are_computed_in_float32(kind):
    """In bfloat16 alone the center would be off by pixels."""
    ours, _ = BOTH[kind]
    x = images(2, (1600, 4))
    at = ops.cast(np.array([[0.51, 0.1], [-0.37, 0.2]], "float32"), "bfloat16")
    found, expected = ours(x, at, 3), ops.cast(ours(x, ops.cast(at, "float32"), 3), "bfloat16")
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_array_equal(*(numpy(ops.cast(y, "float32")) for y in (found, expected)))


def test_odd_and_even_widths_are_half_a_pixel_apart():
    """The center of 20 pixels lies between pixels 10 and 11, and pixel 11 begins there."""
    ramp = np.broadcast_to(np.arange(20, dtype="float32")[:, None] + 0.5, (20, 20))[None, ..., None]
    for ours, _ in BOTH.values():
        seen = numpy(ours(ramp, np.zeros((1, 2), "float32"), 3, 3))  # widths 3, 6, 12
        np.testing.assert_allclose(seen.mean((1, 2)), [[10.5, 10, 10]], rtol=1e-6)


def test_integer_locations():
    x = RNG.random((2, 9, 11, 3)).astype("float32")
    corners = np.array([[0, 1], [-1, 0]], "int32")
    for ours, _ in BOTH.values():
        np.testing.assert_array_equal(numpy(ours(x, corners, 3)), numpy(ours(x, corners.astype("float32"), 3)))


def test_uint8_images():
    x = RNG.integers(0, 256, (2, 9, 11, 3)).astype("uint8")
    at = locations(5)[3:]
    found = ops.convert_to_tensor(glimpses(x, at, 3, 2))
    np.testing.assert_array_equal(numpy(found), numpy(glimpses(x.astype("float32"), at, 3, 2)))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"


def test_patch_widths_and_area_means():
    assert patch_widths(3, 4, 1.5) == [3, 4, 7, 10]
    for width, size in ((8, 4), (7, 3), (5, 5), (4, 5)):
        means = area_means(width, size)
        np.testing.assert_allclose(means.sum(1), 1, rtol=1e-6)
        np.testing.assert_allclose(means.sum(0), size / width, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 9, 11)), np.zeros((2, 2)), 3), "`images` must be"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((2, 3)), 3), "`locations`"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((3, 2)), 3), r"`locations` \[B, 2\]. .*shape=\(3, 2\)"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((2, 2)), 0), "`size`"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((2, 2)), 3, 0), "`scales`"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((2, 2)), 3, 2, 0.5), "`factor`"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((2, 2)), 3, 2, float("nan")), "`factor`.*nan"),
        ((np.zeros((2, 9, 11, 1)), np.zeros((2, 2)), 3, 2, None), "`factor`.*None"),
        ((np.zeros((2, 9, 2, 1)), np.zeros((2, 2)), 3), "smaller than a glimpse"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, message):
    for ours, _ in BOTH.values():
        with pytest.raises(ValueError, match=message):
            ours(*arguments)
