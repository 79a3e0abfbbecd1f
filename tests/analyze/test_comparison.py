import math

import keras
import numpy as np
import pytest

from keras_attention import layers
from keras_attention.analyze import Comparison, Cost, Row, compare, complexity

LENGTHS = (4, 16, 64)


def rows(counts):
    return [Row(name, n, Cost(multiply_adds=m)) for name, values in counts.items() for n, m in zip(LENGTHS, values)]


def test_rows_hold_the_cost_of_each_layer_and_length():
    chosen = {"ours": layers.MultiHeadAttention(2, 3), "keras": keras.layers.MultiHeadAttention(2, 3)}
    found = compare(chosen, [16, 4], 6, batch_size=3)
    assert [(row.name, row.length) for row in found.rows] == [("ours", 4), ("ours", 16), ("keras", 4), ("keras", 16)]
    assert found.rows[1].cost == complexity(chosen["ours"], (3, 16, 6))
    assert found.rows[3].cost == complexity(chosen["keras"], (3, 16, 6), (3, 16, 6))
    assert all(math.isnan(row.seconds) for row in found.rows)


def test_attention_and_recurrence_cross_where_the_length_is_the_width():
    """Table 1 of "Attention Is All You Need": n^2 d against n d^2; with projections, 3 gates cross at d, 4 at 2 d."""
    recurrent = {"GRU": keras.layers.GRU(8), "LSTM": keras.layers.LSTM(8)}
    found = compare({"attention": layers.MultiHeadAttention(2, 4), **recurrent}, (4, 8, 16, 32), 8).crossings()
    assert found == {("attention", "GRU"): pytest.approx(8), ("attention", "LSTM"): pytest.approx(16)}


def test_crossings_are_interpolated_in_logarithms():
    found = Comparison(rows({"a": (4, 16, 64), "b": (8, 8, 8), "c": (1, 1, 100)})).crossings()
    assert found[("a", "b")] == pytest.approx(8)
    # c / a falls from 1/4 to 1/16 and rises to 100/64: log(16) of log(25) of the way from 16 to 64.
    assert found[("c", "a")] == pytest.approx(16 * 4 ** (math.log(16) / math.log(25)))
    assert ("b", "a") not in found


def test_table_has_a_line_for_each_row():
    comparison = Comparison([Row("a", 4, Cost(1234567, 999, 2, 7, 1536)), Row("b", 4, Cost(5), 0.0123)])
    assert comparison.table().splitlines() == [
        "| layer | n | multiply-adds | parameters | sequential steps | longest path | activations | time |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| a | 4 | 1.23 M | 999 | 2 | 7 | 1.5 KiB | – |",
        "| b | 4 | 5 | 0 | 0 | inf | 0 B | 12.3 ms |",
    ]
    assert "time" not in Comparison(rows({"a": (1, 2, 3)})).table()


def test_short_lengths_are_measured():
    found = compare({"dense": keras.layers.Dense(3)}, (4, 16), 3, measure_up_to=4)
    assert 0 < found.rows[0].seconds < 10 and math.isnan(found.rows[1].seconds)
    lengths, seconds = found.curve("dense", "seconds")
    assert lengths.tolist() == [4] and seconds[0] == found.rows[0].seconds


def test_curves_leave_out_what_is_not_finite():
    lengths, paths = Comparison(rows({"a": (1, 2, 3)})).curve("a", "longest_path")
    assert not len(lengths) and paths.dtype == np.float64


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"layers": [keras.layers.Dense(3)]}, "`layers` must be a dict"),
        ({"layers": {"a": len}}, "`layers` must be a dict"),
        ({"lengths": (4, 0)}, "`lengths` must be"),
        ({"lengths": ()}, "`lengths` must be"),
        ({"width": 0}, "`width` must be"),
        ({"batch_size": 1.5}, "`batch_size` must be"),
        ({"measure_up_to": -1}, "`measure_up_to` must be"),
    ],
)
def test_errors(change, error):
    with pytest.raises(ValueError, match=error):
        compare(**{"layers": {"dense": keras.layers.Dense(3)}, "lengths": (4,), "width": 3, **change})
