"""The combined mask of a call, against a loop over all pairs."""

import itertools

import keras
import numpy as np
import pytest

from keras_attention.ops.visibility import visible_pairs

rng = np.random.default_rng(0)


def loop(axes, query_dims, key_dims, mask, query_mask, key_mask, causal, query_offset, window):
    """[B, *free, *query axes, *key axes] by the definition; `mask` has all axes of the scores except the heads."""
    free = [i for i in range(len(query_dims)) if i not in axes]
    lengths = [query_dims[i] for i in axes], [key_dims[i] for i in axes]
    result = np.zeros([query_dims[i] for i in free] + lengths[0] + lengths[1], bool)
    for at in np.ndindex(*result.shape):
        where, t, s = at[: len(free)], at[len(free) : len(free) + len(axes)], at[len(free) + len(axes) :]
        query, key = dict(zip(free, where)) | dict(zip(axes, t)), dict(zip(free, where)) | dict(zip(axes, s))
        seen = query_mask is None or query_mask[tuple(query[i] for i in range(len(query_dims)))]
        seen &= key_mask is None or key_mask[tuple(key[i] for i in range(len(key_dims)))]
        seen &= mask is None or np.broadcast_to(mask, result.shape)[at]
        i, j = np.ravel_multi_index(t, lengths[0]) + query_offset, np.ravel_multi_index(s, lengths[1])
        result[at] = seen and (not causal or j <= i) and (window is None or abs(i - j) < window)
    return result


def choose(*dims):
    return rng.random(dims) < 0.7


@pytest.mark.parametrize(
    "axes, query_dims, key_dims",
    [
        ((1,), (2, 5), (2, 7)),
        ((2,), (2, 3, 5), (2, 3, 7)),
        ((1, 2), (2, 3, 2), (2, 2, 4)),
        ((2, 1), (2, 3, 2), (2, 2, 4)),
    ],
)
def test_matches_the_loop(axes, query_dims, key_dims):
    free = [n for i, n in enumerate(query_dims) if i not in axes]
    pairs = [query_dims[i] for i in axes] + [key_dims[i] for i in axes]
    masks = (None, choose(*pairs), choose(*free, *pairs))
    padding = ((None, None), (choose(*query_dims), choose(*key_dims)), (None, choose(*key_dims)))
    bands = ((False, 0, None), (True, 2, None), (True, -1, 3), (False, 1, 2))
    for mask, (query_mask, key_mask), (causal, offset, window) in itertools.product(masks, padding, bands):
        given = {"query_mask": query_mask, "key_mask": key_mask, "causal": causal, "query_offset": offset}
        given |= {"mask": mask, "window": window}
        expected = loop(axes, query_dims, key_dims, **given)
        result = visible_pairs(axes, query_dims, key_dims, **given)
        if result is None:
            assert expected.all() and mask is query_mask is key_mask is window is None and not causal
            continue
        result = keras.ops.convert_to_numpy(result)
        np.testing.assert_array_equal(np.broadcast_to(result, expected.shape), expected)


def test_heads_and_missing_axes_of_the_mask():
    key_mask, heads = choose(2, 3, 7), choose(2, 3, 4, 5, 7)
    given = {"query_mask": None, "key_mask": key_mask}
    both = keras.ops.convert_to_numpy(visible_pairs((2,), (2, 3, 5), (2, 3, 7), mask=heads, **given))
    np.testing.assert_array_equal(both, heads & key_mask[:, :, None, None])
    one = choose(2, 5, 7)  # the free axis is the missing one
    both = keras.ops.convert_to_numpy(visible_pairs((2,), (2, 3, 5), (2, 3, 7), mask=one, **given))
    np.testing.assert_array_equal(both, one[:, None] & key_mask[:, :, None])
