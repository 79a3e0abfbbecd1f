import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.ops.cache import put_row, write_rows
from tests.models.helpers import compiled

B, L, K, H = 2, 7, 3, 4


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("index", [0, 2, 4])
@pytest.mark.parametrize("t", [0, 1, 3])
def test_rows_are_written_at_index(t, index, tensor):
    rng = np.random.default_rng(0)
    cache, rows = (rng.standard_normal((B, n, K, H)).astype("float32") for n in (L, t))
    expected = cache.copy()
    expected[:, index : index + t] = rows
    written = write_rows(
        ops.convert_to_tensor(cache), ops.convert_to_tensor(rows), ops.convert_to_tensor(index) if tensor else index
    )
    np.testing.assert_array_equal(np.asarray(ops.convert_to_numpy(written)), expected)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow has unknown sizes")
@pytest.mark.parametrize("axis", [1, 2])
def test_rows_of_unknown_number_are_written(axis):
    """One graph for any number, also none."""
    import tensorflow as tf

    cache = np.random.default_rng(0).standard_normal((B, L, L, H)).astype("float32")
    spec = tf.TensorSpec([B if i == 0 else None if i == axis else n for i, n in enumerate((B, L, L, H))])
    graph = tf.function(lambda rows: write_rows(cache, rows, 2, axis), input_signature=[spec], autograph=False)
    for count in (0, 1, 3):
        rows = np.random.default_rng(1).standard_normal((B, L, L, H)).astype("float32")
        rows = rows[:, :count] if axis == 1 else rows[:, :, :count]
        expected = cache.copy()
        expected[(slice(None),) * axis + (slice(2, 2 + count),)] = rows
        np.testing.assert_array_equal(graph(rows).numpy(), expected)


def test_rows_beyond_the_end_are_dropped():
    written = write_rows(ops.zeros((1, 4)), ops.convert_to_tensor([[1.0, 2.0, 3.0]]), 2)
    assert ops.convert_to_numpy(written).tolist() == [[0, 0, 1, 2]]


def test_cache_keeps_its_dtype():
    written = write_rows(ops.zeros((1, 4), "bfloat16"), ops.ones((1, 1), "float32"), 0)
    assert keras.backend.standardize_dtype(written.dtype) == "bfloat16"


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("index", [0, 4, L - 1])
def test_one_row_in_place(index, mode):
    rng = np.random.default_rng(0)
    cache, row = (rng.standard_normal((B, K, n, H)).astype("float32") for n in (L, 1))
    expected = cache.copy()
    expected[:, :, index] = row[:, :, 0]
    given = ops.convert_to_tensor(cache), ops.convert_to_tensor(row), ops.convert_to_tensor(index, dtype="int32")
    put = put_row if mode == "eager" else compiled(put_row, xla=mode == "xla")
    np.testing.assert_array_equal(np.asarray(ops.convert_to_numpy(put(*given))), expected)
    written = write_rows(*given, axis=2)
    np.testing.assert_array_equal(np.asarray(ops.convert_to_numpy(written)), expected)
