"""The public masks of block-local attention against loops."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from tests.backend import BACKEND, numpy
from tests.reference import generation
from tests.reference import local_attention as reference


@pytest.mark.parametrize("length, block", [(64, 8), (20, 8), (15, 8), (16, 8), (17, 8), (5, 8)])
def test_equal_blocks_give_the_published_mask(length, block):
    mask = numpy(ops.local_mask_1d(length, block, block, causal=True))
    np.testing.assert_array_equal(mask, reference.published_1d(length, block))
    if length >= 2 * block:
        assert mask[block:].sum(-1).min() == block + 1
        assert mask.sum(-1).max() == 2 * block


def test_published_count():
    """The number of visible pairs of 3072 positions in blocks of 256."""
    assert numpy(ops.local_mask_1d(3072, 256, 256, causal=True)).sum() == 1_115_648


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("query, memory, dilation", [(3, 5, 1), (5, 2, 1), (4, 0, 1), (2, 3, 3), (30, 4, 1), (1, 6, 2)])
def test_sequences_match_the_loop(query, memory, dilation, causal):
    mask = ops.local_mask_1d(17, query, memory, causal, dilation)
    np.testing.assert_array_equal(numpy(mask), reference.mask_1d(17, query, memory, causal, dilation))


IMAGES = {
    "divides": (6, 8, (2, 4), (1, 2), (1, 1)),
    "7x10": (7, 10, (2, 3), (1, 2), (1, 1)),
    "no-rows": (4, 9, (2, 3), (0, 4), (1, 1)),
    "no-columns": (6, 5, (2, 3), (3, 0), (1, 1)),
    "far": (6, 7, (2, 2), (5, 9), (1, 1)),
    "dilated": (7, 9, (2, 1), (1, 2), (2, 3)),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", IMAGES)
def test_images_match_the_loop(name, causal):
    Y, X, query, memory, dilation = IMAGES[name]
    mask = ops.local_mask_2d(Y, X, query, memory, causal, dilation)
    np.testing.assert_array_equal(numpy(mask), reference.mask_2d(Y, X, query, memory, causal, dilation))


@pytest.mark.parametrize(
    "query, memory, keys", [((16, 16), (16, 32), 2048), ((8, 16), (8, 32), 1024), ((8, 16), (0, 32), 384)]
)
def test_published_memory_sizes(query, memory, keys):
    """The last pixel of a block in the middle sees as many keys as published."""
    Y, X = memory[0] + query[0], 2 * memory[1] + query[1]
    mask = ops.local_mask_2d(Y, X, query, memory, causal=True)
    last = numpy(mask)[Y - 1, : X // query[1] * query[1]].sum((-2, -1))
    assert last.max() == keys


@pytest.mark.parametrize("name", IMAGES)
def test_causal_mask_follows_the_generation_order(name):
    Y, X, query, memory, dilation = IMAGES[name]
    block = tuple(q * d for q, d in zip(query, dilation))
    rows, columns = np.array(generation.positions(Y, X, block)).T
    mask = numpy(ops.local_mask_2d(Y, X, query, memory, True, dilation))[rows, columns][:, rows, columns]
    assert not np.triu(mask, 1).any() and mask.diagonal().all()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has unknown sizes")
def test_sizes_known_only_at_run_time():
    import tensorflow as tf

    mask = tf.function(lambda y, x: ops.local_mask_2d(y, x, (2, 3), (1, 2), True))(tf.constant(7), tf.constant(5))
    np.testing.assert_array_equal(numpy(mask), reference.mask_2d(7, 5, (2, 3), (1, 2), True))
    mask = tf.function(lambda t: ops.local_mask_1d(t, 3, 2))(tf.constant(7))
    np.testing.assert_array_equal(numpy(mask), reference.mask_1d(7, 3, 2))
    assert keras.backend.standardize_dtype(mask.dtype) == "bool"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ops.local_mask_1d(5, 0, 1), "`query_block` must be an int of at least 1. Received: query_block=0"),
        (lambda: ops.local_mask_1d(5, 2, -1), "`memory_block` must be an int of at least 0"),
        (lambda: ops.local_mask_2d(5, 5, 2, (1, 1)), "`query_block` must be two ints of at least 1. Received: .*=2"),
        (lambda: ops.local_mask_2d(5, 5, (2, 2), (1, 1), dilation=(1, 0)), "`dilation` must be two ints"),
    ],
)
def test_wrong_sizes_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_lengths_are_refused_by_name():
    for name, bad in (("length", -1), ("length", 2.5), ("length", np.ones(2, "int32")), ("causal", "yes")):
        with pytest.raises(ValueError, match=f"`{name}`.*Received: "):
            ops.local_mask_1d(**{"length": 5, "query_block": 2, "memory_block": 1, name: bad})
    with pytest.raises(ValueError, match="`width`.*Received: "):
        ops.local_mask_2d(4, -4, (2, 2), (1, 1))
    assert tuple(ops.local_mask_1d(np.int64(5), np.int64(2), 1).shape) == (5, 5)
