"""Dropout by place: right rates, nothing that repeats."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops import dropout
from tests.backend import numpy

T, S = 700, 900


def kept(rate, seed=3, batch=0, head=0):
    rows = dropout.row_hashes(seed, batch, head, ops.arange(T, dtype="int32")[:, None])
    return numpy(dropout.keep(rows, dropout.column_hashes(seed, ops.arange(S, dtype="int32")), rate))


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_rate_holds_overall_by_row_and_by_column(rate):
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


def test_mixing_is_a_bijection():
    x = np.arange(-(2**19), 2**19, dtype="int32") * 4093
    assert len(np.unique(numpy(dropout._mix(ops.convert_to_tensor(x))))) == len(np.unique(x))
