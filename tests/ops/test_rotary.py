import math

import numpy as np
import pytest

from keras_attention import ops
from tests.layers.helpers import numpy
from tests.reference import positions as reference

LLAMA = {"kind": "llama3", "factor": 8.0, "low_frequency_factor": 1.0, "high_frequency_factor": 4.0}
LLAMA |= {"original_length": 100}


@pytest.mark.parametrize("layout", ["interleaved", "halves"])
def test_rotation_is_a_product_of_complex_numbers(layout):
    x = np.random.default_rng(0).standard_normal((2, 5, 3, 8)).astype("float32")
    at = np.array([4, 0, 9, 2, 31])
    expected = reference.rotary(x, at, halves=layout == "halves")
    np.testing.assert_allclose(numpy(ops.rotate(x, at, layout)), expected, atol=1e-5)
    rows = np.stack([at, at + 3])
    expected = np.concatenate([reference.rotary(x[i : i + 1], rows[i], layout == "halves") for i in range(2)])
    np.testing.assert_allclose(numpy(ops.rotate(x, rows, layout)), expected, atol=1e-5)


@pytest.mark.parametrize("layout", ["interleaved", "halves"])
def test_product_of_rotated_vectors_depends_on_their_distance_only(layout):
    rng = np.random.default_rng(1)
    q, k = (rng.standard_normal((1, 1, 2, 6)).astype("float32") for _ in range(2))

    def product(m, n):
        turned = numpy(ops.rotate(q, [m], layout)), numpy(ops.rotate(k, [n], layout))
        return (turned[0] * turned[1]).sum(-1)

    np.testing.assert_allclose(product(12, 5), product(7, 0), atol=1e-5)
    assert np.abs(product(12, 5) - product(12, 6)).min() > 1e-3


@pytest.mark.parametrize("layout", ["interleaved", "halves"])
def test_channels_behind_the_rotated_ones_stay(layout):
    x = np.random.default_rng(0).standard_normal((2, 5, 3, 10)).astype("float32")
    turned = numpy(ops.rotate(x, np.arange(5), layout, rotary_dim=6))
    expected = reference.rotary(x[..., :6], range(5), layout == "halves")
    np.testing.assert_allclose(turned[..., :6], expected, atol=1e-5)
    np.testing.assert_array_equal(turned[..., 6:], x[..., 6:])


def test_linear_scaling_interpolates_positions():
    x = np.random.default_rng(0).standard_normal((2, 5, 3, 8)).astype("float32")
    turned = numpy(ops.rotate(x, 3 * np.arange(5), scaling={"kind": "linear", "factor": 3.0}))
    np.testing.assert_allclose(turned, reference.rotary(x, range(5)), atol=1e-5)


def test_ntk_scaling_keeps_the_fastest_pair_and_slows_the_slowest_by_the_factor():
    plain, scaled = (ops.rotary_rates(8, 500.0, scaling) for scaling in (None, {"kind": "ntk", "factor": 3.0}))
    np.testing.assert_allclose(plain / scaled, 3.0 ** (np.arange(4) / 3), rtol=1e-12)


def test_llama_scaling_is_as_published():
    """Wavelengths below original / high stay, those above original / low are `factor` times as long."""
    found = ops.rotary_rates(16, 50.0, LLAMA)
    kinds = set()
    for i, rate in enumerate(50.0 ** -(np.arange(8) / 8)):
        length = 2 * math.pi / rate
        if length < 100 / 4:
            kinds.add("kept")
            expected = rate
        elif length > 100 / 1:
            kinds.add("slowed")
            expected = rate / 8
        else:
            kinds.add("between")
            smooth = (100 / length - 1) / (4 - 1)
            expected = (1 - smooth) * rate / 8 + smooth * rate
        assert found[i] == pytest.approx(expected, rel=1e-12)
    assert kinds == {"kept", "slowed", "between"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.rotate(x, [0, 1], "pairs"), "`layout`.*Received: layout='pairs'"),
        (lambda x: ops.rotate(x[..., :5], [0, 1]), r"even.*\(1, 2, 3, 5\)"),
        (lambda x: ops.rotate(x[0], [0, 1]), r"`x` must be \[B, T, N, H\]"),
        (lambda x: ops.rotate(x, [0, 1], rotary_dim=8), "at most the size.*rotary_dim=8"),
        (lambda x: ops.rotate(x, [0, 1], rotary_dim=3), "even.*rotary_dim=3"),
        (lambda x: ops.rotary_rates(5), "even.*rotary_dim=5"),
        (lambda x: ops.rotary_rates(4, -1.0), "`max_wavelength`.*-1.0"),
        (lambda x: ops.rotary_rates(4, scaling="ntk"), "`scaling` must be `None` or a dict.*scaling='ntk'"),
        (lambda x: ops.rotary_rates(4, scaling={"kind": "yarn"}), "`scaling` must be.*'ntk'.*'yarn'"),
        (
            lambda x: ops.rotary_rates(4, scaling={"kind": "ntk"}),
            r"must have the keys \['factor', 'kind'\].*{'kind': 'ntk'}",
        ),
        (lambda x: ops.rotary_rates(4, scaling={"kind": "ntk", "factor": 0}), r"`scaling\['factor'\]`.*=0"),
        (lambda x: ops.rotary_rates(4, scaling={**LLAMA, "low_frequency_factor": 4.0}), "must be less than"),
    ],
)
def test_wrong_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((1, 2, 3, 6), "float32"))
