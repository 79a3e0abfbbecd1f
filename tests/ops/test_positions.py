import numpy as np
import pytest
from keras import ops

from keras_attention.ops import positions
from tests.reference import positions as reference


def numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("size", [6, 7, 512])
def test_sinusoids_match_the_paper(size):
    ours = positions.sinusoidal(ops.arange(9), size)
    np.testing.assert_allclose(numpy(ours), reference.sinusoidal(9, size), atol=2e-6)


@pytest.mark.parametrize("size", [6, 7, 512])
def test_sinusoids_match_the_published_code(size):
    ours = positions.sinusoidal(ops.arange(9), size, "reference")
    np.testing.assert_allclose(numpy(ours), reference.sinusoidal_reference(9, size), atol=2e-6)


def test_reference_rows_of_both_sinusoids():
    paper, published = (numpy(positions.sinusoidal([1], 4, variant))[0] for variant in ("paper", "reference"))
    np.testing.assert_allclose(paper, [0.841471, 0.540302, 0.0099998, 0.99995], atol=1e-6)
    np.testing.assert_allclose(published, [0.841471, 0.0001, 0.540302, 1.0], atol=1e-6)


def test_reference_values_of_2d_sinusoids_in_the_published_code():
    ours = numpy(positions.sinusoidal_2d([2], [3], 8, "reference"))
    golden = [0.909297, 0.0002, -0.416147, 1, 0.141120, 0.0003, -0.989992, 1]
    np.testing.assert_allclose(ours, [[golden]], atol=1e-6)


@pytest.mark.parametrize(("variant", "size"), [("paper", 12), ("paper", 10), ("reference", 16)])
def test_2d_sinusoids_are_half_rows_and_half_columns(variant, size):
    ours = numpy(positions.sinusoidal_2d(np.array([4, 0, 1]), ops.arange(5), size, variant, 100.0))
    of = {"paper": reference.sinusoidal, "reference": reference.sinusoidal_reference}[variant]
    table = of(6, size // 2, 100.0)
    for i, row in enumerate((4, 0, 1)):
        for column in range(5):
            np.testing.assert_allclose(ours[i, column], [*table[row], *table[column]], atol=2e-6)
    with pytest.raises(ValueError, match="`size` must be even.*size=7"):
        positions.sinusoidal_2d([0], [0], 7)


def test_shift_is_a_linear_map_of_the_sinusoids():
    table = numpy(positions.sinusoidal(ops.arange(60), 12)).astype("float64")
    before, after = table[:-7], table[7:]
    shift, *_ = np.linalg.lstsq(before, after, rcond=None)
    np.testing.assert_allclose(before @ shift, after, atol=1e-5)


def test_sinusoids_of_positions_in_any_shape():
    at = np.array([[3, 0, 8], [2, 2, 1]])
    np.testing.assert_allclose(numpy(positions.sinusoidal(at, 10)), reference.sinusoidal(9, 10)[at], atol=2e-6)


def test_alibi_slopes_of_powers_of_two():
    np.testing.assert_allclose(positions.alibi_slopes(8), [2.0**-n for n in range(1, 9)])
    np.testing.assert_allclose(positions.alibi_slopes(16), [2 ** (-n / 2) for n in range(1, 17)], rtol=1e-6)
    np.testing.assert_allclose(positions.alibi_slopes(1), [2.0**-8])


def test_alibi_slopes_between_powers_of_two():
    # As the published code prints them: those of 8, then the first, third... of 16.
    odd = [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]
    np.testing.assert_allclose(positions.alibi_slopes(12), [2.0**-n for n in range(1, 9)] + odd, rtol=1e-6)
    np.testing.assert_allclose(positions.alibi_slopes(3), [2.0**-4, 2.0**-8, 2.0**-2], rtol=1e-6)


@pytest.mark.parametrize("query_offset", [0, 4])
def test_alibi_falls_with_distance(query_offset):
    T, S, N = 3, 7, 4
    bias = numpy(positions.alibi(positions.distances(T, S, query_offset), N))
    assert bias.shape == (1, N, T + S - 1)
    np.testing.assert_allclose(reference.by_distance(bias, T, S), reference.alibi(N, T, S, query_offset), rtol=1e-6)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 20), (6, 1000), (4, 3)])
def test_buckets_match_t5(bidirectional, num_buckets, max_distance):
    distance = np.arange(-1100, 1101)
    expected = [reference.t5_bucket(int(d), num_buckets, max_distance, bidirectional) for d in distance]
    ours = numpy(positions.relative_bucket(distance, num_buckets, max_distance, bidirectional))
    np.testing.assert_array_equal(ours, expected)
    assert ours.min() == 0 and ours.max() == num_buckets - 1


def test_reference_buckets():
    # 32 buckets up to 128, both directions: 0..7 one each, then 8-11, 12-15, 16-22, 23-31, 32-45, 46-63, 64-90, 91-...
    golden = {0: 0, -7: 7, -8: 8, -11: 8, -12: 9, -15: 9, -16: 10, -64: 14, -90: 14, -91: 15, -5000: 15, 1: 17, 8: 24}
    ours = numpy(positions.relative_bucket(np.array(list(golden))))
    assert dict(zip(golden, ours.tolist())) == golden


def test_unknown_variants_are_refused():
    with pytest.raises(ValueError, match="`variant`.*Received: variant='sines'"):
        positions.sinusoidal([0], 4, "sines")


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("size", lambda: positions.sinusoidal(ops.arange(3), 0)),
        ("max_wavelength", lambda: positions.sinusoidal(ops.arange(3), 4, max_wavelength=-1)),
        ("size", lambda: positions.sinusoidal_2d(ops.arange(3), ops.arange(2), -2)),
        ("num_heads", lambda: positions.alibi_slopes(0)),
        ("num_buckets", lambda: positions.relative_bucket(ops.arange(3), num_buckets=5)),
        ("max_distance", lambda: positions.relative_bucket(ops.arange(3), num_buckets=32, max_distance=8)),
        ("bidirectional", lambda: positions.relative_bucket(ops.arange(3), bidirectional="no")),
    ],
)
def test_wrong_arguments_are_refused_by_name(argument, call):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        call()
