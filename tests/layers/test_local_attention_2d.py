"""LocalAttention2D against the paper's loops: visibility, generation order, and decoding pixel by pixel."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.layers import LocalAttention2D, MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random
from tests.layers.local_attention import decoded, dense, seen_by
from tests.reference.generation import positions
from tests.reference.local_attention import mask_2d
from tests.variants import variants

B, Y, X, N, D = 2, 6, 8, 4, 12
# Blocks that divide, no rows or columns of memory, more memory than block, and blocks that do not divide.
INITS = [
    {"query_block": (2, 4), "memory_block": (1, 2), "causal": True, "value_dim": 5},
    {"query_block": (2, 4), "memory_block": (0, 3), "causal": True},
    {"query_block": (3, 2), "memory_block": (2, 0), "causal": True},
    {"query_block": (2, 2), "memory_block": (4, 5), "causal": True},
    {"query_block": (4, 3), "memory_block": (2, 3), "causal": True},
    {"query_block": (2, 3), "memory_block": (1, 2), "use_bias": False},
    {"query_block": (2, 1), "memory_block": (1, 2), "causal": True, "dilation": (1, 3)},
]
CAUSAL = [init for init in INITS if init.get("causal")]


def layer_of(query_block=(2, 3), memory_block=(1, 2), causal=True, **init):
    return noisy(LocalAttention2D(N, 3, query_block, memory_block, causal, **init), random(B, Y, X, D))


def visible(layer, height=Y, width=X):
    return mask_2d(height, width, layer.query_block, layer.memory_block, layer.causal, layer.dilation)


def order(layer, height=Y, width=X):
    block = [q * d for q, d in zip(layer.query_block, layer.dilation)]
    return tuple(np.array(positions(height, width, block)).T)


def flat(x):
    return x.reshape(len(x), -1, x.shape[-1])


@pytest.mark.parametrize("init", INITS, ids=str)
def test_is_the_papers_loop_over_heads(init):
    layer, x = layer_of(**init), random(B, Y, X, D, seed=1)
    expected, scores = dense(layer, flat(x), visible(layer).reshape(Y * X, Y * X))
    output, probs = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(flat(numpy(layer(x))), expected, atol=1e-4)
    np.testing.assert_allclose(flat(numpy(output)), expected, atol=1e-4)
    np.testing.assert_allclose(numpy(probs).reshape(scores.shape), scores, atol=1e-5)


def test_padding_to_whole_blocks_is_ignored():
    layer, x = layer_of((4, 4), (2, 2)), random(1, 7, 10, D, seed=1)
    expected, _ = dense(layer, flat(x), visible(layer, 7, 10).reshape(70, 70))
    np.testing.assert_allclose(flat(numpy(layer(x))), expected, atol=1e-4)


def test_equals_multi_head_attention_with_the_public_mask():
    layer, x = layer_of(), random(B, Y, X, D, seed=1)
    full = MultiHeadAttention(N, 3, attention_axes=(1, 2))
    full.build(x.shape)
    full.set_weights(layer.get_weights())
    mask = ops.local_mask_2d(Y, X, (2, 3), (1, 2), causal=True)
    np.testing.assert_allclose(numpy(layer(x)), numpy(full(x, attention_mask=mask)), atol=1e-5)


def test_a_pixel_depends_on_visible_pixels_only():
    layer, x, pixels = layer_of(), random(1, Y, X, D, seed=1), [(0, 0), (3, 4), (5, 7)]
    rows, columns = order(layer)
    for pixel, changed in zip(pixels, seen_by(layer, x, pixels), strict=True):
        np.testing.assert_array_equal(changed, visible(layer)[pixel])
        index = list(zip(rows, columns, strict=True)).index(pixel)
        assert not changed[rows[index + 1 :], columns[index + 1 :]].any()


@pytest.mark.parametrize("init", variants({str(init): init for init in CAUSAL}, *map(str, CAUSAL[1::2])))
def test_decoding_equals_the_full_forward(init):
    rows = max(3, init["query_block"][0])  # enough to cross the end of a block
    layer, x = layer_of(**init), random(B, rows, X, D, seed=1)
    mask = np.ones((B, rows, X), bool)
    mask[0, 2, 3:], mask[1, 0, 0] = False, False
    x[~mask] = np.nan
    pixels = (slice(None), *order(layer, rows))
    output, _ = decoded(layer, layer.make_cache(B, rows, X), x[pixels], (1,) * 5 + (rows * X - 5,), mask[pixels])
    np.testing.assert_allclose(output, numpy(layer(x, mask=mask))[pixels], atol=1e-5)


def test_one_size_stands_for_both_axes():
    layer = LocalAttention2D(N, 3, query_block=2, memory_block=0, dilation=3)
    assert (layer.query_block, layer.memory_block, layer.dilation) == ((2, 2), (0, 0), (3, 3))


def test_decodes_inside_a_graph():
    """Compiled by XLA; see the same test of sequences for a graph of unknown sizes."""
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a TensorFlow graph")
    import tensorflow as tf

    layer, x = layer_of(), random(B, Y, X, D, seed=1)
    pixels = (slice(None), *order(layer))

    def decode(x):
        def step(i, cache, outputs):
            output, cache = layer(tf.gather(x, [i], axis=1), cache=cache, cache_index=i)
            return i + 1, cache, outputs.write(i, output[:, 0])

        outputs = tf.TensorArray(tf.float32, Y * X, element_shape=(None, D))
        state = (0, layer.make_cache(tf.shape(x)[0], Y, X), outputs)
        return tf.transpose(tf.while_loop(lambda i, *_: i < Y * X, step, state)[2].stack(), (1, 0, 2))

    graph = tf.function(decode, input_signature=[tf.TensorSpec((B, Y * X, D))], jit_compile=True, autograph=False)
    np.testing.assert_allclose(numpy(graph(x[pixels])), numpy(layer(x))[pixels], atol=1e-5)


@pytest.mark.parametrize(
    "init, message",
    [
        ({"query_block": (2, 0)}, "`query_block` must be two ints"),
        ({"query_block": (1, 2, 3)}, "`query_block`"),
        ({"memory_block": (-1, 2)}, "`memory_block` must be two ints .* at least 0"),
        ({"dilation": "2"}, "`dilation`"),
    ],
    ids=str,
)
def test_bad_arguments_are_named(init, message):
    with pytest.raises(ValueError, match=message):
        LocalAttention2D(**{"num_heads": N, "key_dim": 3, "query_block": 2, "memory_block": 2, **init})


def test_bad_inputs_are_named():
    layer = layer_of()
    with pytest.raises(ValueError, match=r"`inputs` must be \[B, Y, X, D\]"):
        layer(random(B, Y, D))
    cache = layer.make_cache(B, Y, X)
    with pytest.raises(ValueError, match="room for positions 0 to 48 .*cache_index=48"):
        layer(random(B, 1, D), cache=cache, cache_index=48)
    with pytest.raises(ValueError, match=r"`inputs` must be \[B, positions, D\]"):
        layer(random(B, 1, 1, D), cache=cache, cache_index=0)
