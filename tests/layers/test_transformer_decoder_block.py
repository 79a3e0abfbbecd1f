import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from tests.layers.helpers import numpy, random
from tests.models.helpers import block_weights, noisy
from tests.reference import decoder_only as reference_of_decoder_only
from tests.reference import transformer as reference
from tests.variants import variants

X, MEMORY = random(2, 6, 12), random(2, 7, 10, seed=1)
MASK = np.array([[1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]], bool)


def block(**arguments):
    layer = layers.TransformerDecoderBlock(3, 20, key_dim=5, value_dim=7, **arguments)
    layer(X, MEMORY)
    return noisy(layer)


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_is_the_block_of_the_paper(norm_first, use_bias):
    layer = block(norm_first=norm_first, use_bias=use_bias)
    output = numpy(layer(X, MEMORY, memory_mask=MASK))
    for i in range(2):
        expected = reference.decoder_block(X[i], MEMORY[i], block_weights(layer), MASK[i], norm_first)
        np.testing.assert_allclose(output[i], expected, atol=1e-4)


@pytest.mark.parametrize("norm_first", [False, True])
def test_left_padding_of_a_prompt_is_cached(norm_first):
    layer = block(norm_first=norm_first)
    mask = np.array([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]], bool)
    whole = numpy(layer(X, MEMORY, inputs_mask=mask, memory_mask=MASK))
    output, cache = layer(X[:, :3], cache=layer.make_cache(MEMORY, 8, MASK), cache_index=0, inputs_mask=mask[:, :3])
    np.testing.assert_allclose(numpy(output), whole[:, :3], atol=1e-4)
    for i in range(3, 6):
        output, cache = layer(X[:, i : i + 1], cache=cache, cache_index=i)
        np.testing.assert_allclose(numpy(output)[:, 0], whole[:, i], atol=1e-4)


@pytest.mark.parametrize("chunks", variants([(1, 1, 1, 1, 1, 1), (3, 1, 2), (6,)], (3, 1, 2)))
def test_decoding_with_a_cache_equals_the_full_forward(chunks):
    layer = block()
    whole, scores = layer(X, MEMORY, memory_mask=MASK, return_attention_scores=True)
    cache, start = layer.make_cache(MEMORY, 8), 0
    for size in chunks:
        index = ops.convert_to_tensor(start, "int32")
        arguments = {"memory_mask": MASK, "cache": cache, "cache_index": index}
        piece = X[:, start : start + size]
        output, piece_scores, cache = layer(piece, return_attention_scores=True, **arguments)
        rows = slice(start, start + size)
        np.testing.assert_allclose(numpy(output), numpy(whole)[:, rows], atol=1e-4)
        assert tuple(piece_scores["self"].shape) == (2, 3, size, 8)
        np.testing.assert_allclose(numpy(piece_scores["self"])[..., :6], numpy(scores["self"])[:, :, rows], atol=1e-5)
        np.testing.assert_allclose(numpy(piece_scores["memory"]), numpy(scores["memory"])[:, :, rows], atol=1e-5)
        np.testing.assert_allclose(numpy(layer(piece, **arguments)[0]), numpy(output), atol=1e-5)
        start += size


def test_symbolic_shapes_with_a_cache_are_the_eager_ones():
    layer = block()
    cache = layer.make_cache(MEMORY, 8)
    symbolic = keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype), cache)
    arguments = {"cache_index": 2, "return_attention_scores": True}
    expected = layer(keras.KerasTensor((2, 1, 12)), cache=symbolic, **arguments)
    eager = layer(X[:, :1], cache=cache, **arguments)
    keras.tree.assert_same_structure(expected, eager)
    shapes = [[tuple(x.shape) for x in keras.tree.flatten(y)] for y in (expected, eager)]
    assert shapes[0] == shapes[1]


def test_masks_and_causality_can_be_set():
    layer = block()
    sees = np.tril(np.ones((6, 6), bool))
    causal = numpy(layer(X, MEMORY))
    free = numpy(layer(X, MEMORY, use_causal_mask=False))
    assert np.abs(causal - free).max() > 1e-3
    np.testing.assert_allclose(numpy(layer(X, MEMORY, use_causal_mask=False, attention_mask=sees)), causal, atol=1e-5)
    mask = np.arange(6)[None] < np.array([[4], [6]])
    short = numpy(layer(X[:, :4], MEMORY, use_causal_mask=False))
    masked = numpy(layer(X, MEMORY, inputs_mask=mask, use_causal_mask=False))
    np.testing.assert_allclose(masked[0, :4], short[0], atol=1e-5)
    hidden = np.broadcast_to(MASK[:, None], (2, 6, 7))
    np.testing.assert_allclose(
        numpy(layer(X, MEMORY, memory_attention_mask=hidden)), numpy(layer(X, MEMORY, memory_mask=MASK)), atol=1e-5
    )


def test_bad_calls():
    layer = layers.TransformerDecoderBlock(3, 20)
    with pytest.raises(ValueError, match="not yet set up.*before `make_cache`"):
        layer.make_cache(MEMORY, 8)
    layer(X, MEMORY)
    with pytest.raises(ValueError, match="`memory` or `cache`"):
        layer(X)
    with pytest.raises(ValueError, match="together.*cache given, cache_index=None"):
        layer(X, cache=layer.make_cache(MEMORY, 8))
    with pytest.raises(ValueError, match="together.*cache not given, cache_index=0"):
        layer(X, MEMORY, cache_index=0)
    for given in ({"batch_size": 2}, {"memory": MEMORY, "batch_size": 2}):
        with pytest.raises(ValueError, match="with a memory must be given `memory` and no `batch_size`"):
            layer.make_cache(max_length=8, **given)


WIDE = random(2, 6, 24)
PADDED = np.array([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]], bool)


def decoder_only(**arguments):
    """The block of Llama, with normalized heads."""
    attention = {"num_key_value_heads": 2, "query_key_norm": True, "rotary": layers.RotaryEmbedding(layout="halves")}
    given = {"norm": "rms", "norm_first": True, "attention": attention, "feed_forward": layers.GatedFeedForward(20)}
    layer = layers.TransformerDecoderBlock(4, 20, key_dim=6, **{**given, **arguments})
    layer(WIDE)
    return noisy(layer)


def test_without_a_memory_it_is_the_block_of_decoder_only_models():
    layer = decoder_only()
    attention, network = layer.self_attention, layer.feed_forward
    weights = {name: numpy(getattr(attention, f"{name}_dense").kernel) for name in ("query", "key", "value", "output")}
    weights |= {f"{name}_norm": numpy(attention._norms[name].scale) for name in ("query", "key")}
    weights |= {name: numpy(getattr(network, name).kernel) for name in ("gate", "expand", "contract")}
    weights |= {"attention_norm": numpy(layer.self_attention_norm.scale)}
    weights |= {"network_norm": numpy(layer.feed_forward_norm.scale)}
    output = numpy(layer(WIDE, inputs_mask=PADDED))
    for i, first in enumerate((2, 0)):
        # Distances alone matter: positions may be counted from the first real one.
        expected = reference_of_decoder_only.block(WIDE[i, first:], weights, PADDED[i, first:])
        np.testing.assert_allclose(output[i, first:], expected, atol=1e-4)
    assert len(layer.weights) == 11


def test_a_left_padded_prompt_stays_masked_without_a_memory():
    layer = decoder_only()
    whole, scores = layer(WIDE, inputs_mask=PADDED, return_attention_scores=True)
    cache = layer.make_cache(batch_size=2, max_length=8)
    assert list(cache) == list(scores) == ["self"]
    given = {"cache_index": 0, "inputs_mask": PADDED[:, :3], "return_attention_scores": True}
    output, seen, cache = layer(WIDE[:, :3], cache=cache, **given)
    np.testing.assert_allclose(numpy(output), numpy(whole)[:, :3], atol=1e-4)
    np.testing.assert_allclose(numpy(seen["self"])[..., :6], numpy(scores["self"])[:, :, :3], atol=1e-5)
    step = layer.prepare_step()
    for i in range(3, 6):
        index = ops.convert_to_tensor(i, "int32")
        prepared, _ = step(ops.convert_to_tensor(WIDE[:, i]), cache, index)
        output, cache = layer(WIDE[:, i : i + 1], cache=cache, cache_index=index)
        np.testing.assert_allclose(numpy(output)[:, 0], numpy(whole)[:, i], atol=1e-4)
        np.testing.assert_allclose(numpy(prepared), numpy(whole)[:, i], atol=1e-4)


def test_bad_calls_without_a_memory():
    layer = decoder_only()
    for name in ("memory", "memory_mask"):
        with pytest.raises(ValueError, match=f"`{name}` must be given in the first call or not at all"):
            layer(WIDE, **{name: MEMORY if name == "memory" else MASK})
    for given in ({"memory": MEMORY}, {}):
        with pytest.raises(ValueError, match="without a memory must be given `batch_size` and no `memory`"):
            layer.make_cache(max_length=8, **given)
