"""Hashed dropout and noise: rates, independence, reproducibility."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops.paths import hashed_random as dropout
from tests.backend import numpy

T, S = 700, 900


def kept(rate, seed=3, batch=0, head=0):
    rows = dropout.row_hashes(seed, batch, head, ops.arange(T, dtype="int32")[:, None])
    return numpy(dropout.keep(rows, dropout.column_hashes(seed, ops.arange(S, dtype="int32")), rate))


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_dropout_rate_holds_overall_per_row_and_per_column(rate):
    keep = kept(rate)
    deviation = np.sqrt(rate * (1 - rate))
    assert abs(keep.mean() - (1 - rate)) < 5 * deviation / np.sqrt(T * S)
    for axis, count in ((0, T), (1, S)):
        z = (keep.mean(axis) - (1 - rate)) / (deviation / np.sqrt(count))
        assert 0.8 < z.std() < 1.2 and abs(z).max() < 5.5, "rows or columns that keep too much or too little"


def test_rows_columns_heads_batches_and_seeds_are_independent():
    keep = kept(0.5).astype(float) * 2 - 1
    others = [kept(0.5, seed=4), kept(0.5, batch=1), kept(0.5, head=1), kept(0.5, seed=np.array([3, 0]))]
    for other in others:
        assert abs((keep * (other * 2.0 - 1)).mean()) < 5 / np.sqrt(T * S)
    for a in (keep, keep.T):
        correlation = a @ a.T / a.shape[1]
        np.fill_diagonal(correlation, 0)
        assert abs(correlation).max() < 6.5 / np.sqrt(a.shape[1])
        assert 0.9 < correlation.std() * np.sqrt(a.shape[1]) < 1.1


def test_hash_is_a_bijection():
    x = np.arange(-(2**19), 2**19, dtype="int32") * 4093
    mixed = np.sort(numpy(dropout._mix(ops.convert_to_tensor(x))))
    assert (x[1:] > x[:-1]).all() and (mixed[1:] > mixed[:-1]).all()


def noise(seed, index, length):
    return numpy(dropout.normal(*(ops.convert_to_tensor(x, "int32") for x in (seed, index)), length))


def test_noise_is_normal_and_independent():
    seed = np.arange(64, dtype="int32") * 7919
    first, second = (noise(seed, np.full(64, t), 512) for t in (0, 1))
    assert abs(first.mean()) < 0.02 and abs(first.std() - 1) < 0.02
    assert abs((np.abs(first) < 1).mean() - 0.6827) < 0.01
    rows = np.concatenate([first, second])
    between = np.corrcoef(rows) - np.eye(128)
    assert np.abs(between).max() < 0.25
    assert np.abs(np.corrcoef(rows.T) - np.eye(512)).max() < 0.6
    np.testing.assert_allclose(first, noise(seed, np.zeros(64), 512), atol=1e-5)


def test_noise_of_a_key_does_not_depend_on_the_length():
    seed, index = np.array([3, 5], "int32"), np.array([2, 4], "int32")
    np.testing.assert_allclose(noise(seed, index, 9)[:, :7], noise(seed, index, 7), atol=1e-5)


def test_uniform_numbers_lie_between_0_and_1(monkeypatch):
    """Those of hashes without and with all bits set, too."""
    for bits in (0, -1):
        monkeypatch.setattr(dropout, "row_hashes", lambda *_, bits=bits: ops.full((2, 3), bits, dtype="int32"))
        found = numpy(dropout.uniform(ops.zeros((2,), "int32"), ops.zeros((2,), "int32"), 3))
        assert found.dtype == "float32" and (found > 0).all() and (found < 1).all()
