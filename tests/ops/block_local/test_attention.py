"""Block-local attention against loops from the paper: values, gradients and memory."""

import keras
import numpy as np
import pytest

from keras_attention.ops import block_local
from keras_attention.ops.block_local import grid as local_grid
from keras_attention.ops.block_local.masks import Blocks
from keras_attention.ops.paths import plan
from tests.backend import BACKEND, COMPILED, DEFAULT, numpy, value_and_gradients
from tests.ops.paths.test_blockwise import second, tensors_of
from tests.reference import local_attention as reference
from tests.reference.attend import attend, gradient_along
from tests.variants import variants

B, N, H, V = 2, 3, 4, 6
RNG = np.random.default_rng(0)
# name: (Y, X, Blocks). An image of one column is a sequence.
CASES = {
    "causal": (17, 1, Blocks((4, 1), (4, 0), (1, 1), True)),
    "memory-of-more": (11, 1, Blocks((2, 1), (5, 0), (1, 1), True)),
    "reach-of-most": (8, 1, Blocks((2, 1), (5, 0), (1, 1), True)),
    "both-sides": (11, 1, Blocks((3, 1), (2, 0), (1, 1), False)),
    "own-block": (8, 1, Blocks((3, 1), (0, 0), (1, 1), False)),
    "longer-than-all": (5, 1, Blocks((8, 1), (9, 0), (1, 1), True)),
    "dilated": (19, 1, Blocks((2, 1), (3, 0), (3, 1), True)),
    "image": (6, 8, Blocks((2, 4), (1, 2), (1, 1), True)),
    "image-7x10": (7, 10, Blocks((2, 3), (3, 4), (1, 1), True)),
    "image-no-rows": (4, 9, Blocks((2, 3), (0, 5), (1, 1), True)),
    "image-no-columns": (6, 5, Blocks((2, 3), (3, 0), (1, 1), True)),
    "image-both-sides": (5, 7, Blocks((2, 3), (1, 2), (1, 1), False)),
    "image-smaller-than-a-block": (2, 3, Blocks((4, 5), (1, 2), (1, 1), True)),
    "image-dilated": (7, 9, Blocks((2, 1), (1, 2), (2, 1), True)),
}
each_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def few(monkeypatch, plan_of_cpus):
    """Tiles of single blocks, few at a time, so that small inputs run every loop."""
    monkeypatch.setattr(local_grid, "TILE_POSITIONS", 1)
    monkeypatch.setattr(plan, "NUMBERS_AT_ONCE", 40)
    monkeypatch.setattr(plan, "BUDGET", 1000)


def arrays(name, batch=B, heads=N):
    Y, X, _ = CASES[name]
    rng = np.random.default_rng(1)
    return [rng.standard_normal((batch, Y, X, heads, size)) for size in (H, H, V)]


def seen(name):
    Y, X, blocks = CASES[name]
    return reference.mask_2d(Y, X, blocks.query, blocks.memory, blocks.causal, blocks.dilation).reshape(Y * X, Y * X)


def oracle(name, mask=None, **options):
    """The paper's attention under the dense mask, for [B, Y, X, N, H]."""
    Y, X, _ = CASES[name]

    def run(*arrays):
        flat = [a.reshape(len(a), Y * X, a.shape[3], -1) for a in arrays]
        padding = None if mask is None else mask.reshape(-1, Y * X)
        context, _ = attend(*flat, mask=seen(name), query_mask=padding, key_mask=padding, **options)
        return context.reshape(*arrays[2].shape)

    return run


def blocked(name, **options):
    return lambda query, key, value: block_local.attend(query, key, value, CASES[name][2], **options)


def check(given, name, mask=None, how=DEFAULT, **options):
    """Asserts that context and gradients match the oracle."""
    rng = np.random.default_rng(3)
    cotangent, direction = rng.standard_normal((*given[0].shape[:-1], V)), [rng.standard_normal(a.shape) for a in given]
    run = blocked(name, mask=mask, **options)
    context, gradients = value_and_gradients(run, given, cotangent, how)
    known = oracle(name, mask)
    np.testing.assert_allclose(context, known(*given), atol=2e-5)
    along = sum(np.sum(g * d) for g, d in zip(gradients, direction, strict=True))
    np.testing.assert_allclose(along, gradient_along(known, given, direction, cotangent), rtol=2e-4, atol=2e-3)


@each_case
def test_all_tiles_at_once_match_the_paper(name):
    check(arrays(name), name)


# The loops of "causal" and "image" are in others, as are those of the slow ones.
@pytest.mark.parametrize(
    "name",
    variants(
        [name for name in CASES if name not in ("causal", "image")],
        *(name for name in CASES if name not in ("causal", "image", "reach-of-most", "image-both-sides", "image-7x10")),
    ),
)
def test_few_tiles_at_a_time_match_the_paper(name, few):
    """With two heads of one image only, because items are slow where nothing is compiled."""
    given = arrays(name, batch=1, heads=2)
    assert local_grid.Grid.of(given[0], CASES[name][2]).items > 1
    check(given, name, mask=np.random.default_rng(4).random((1, *CASES[name][:2])) < 0.7)


@pytest.mark.parametrize("name, budget", [("dilated", 1000), ("image-7x10", 45000)])
def test_tiles_of_accelerators_match_the_paper(name, budget, few, monkeypatch):
    """Of all heads of two of three images: the last part has one of zeros."""
    monkeypatch.setattr(plan, "BUDGET", budget)
    given = arrays(name, batch=3, heads=2)
    grid = local_grid.Grid.of(given[0].astype("float32"), CASES[name][2], "gpu")
    assert grid.batch == 2 and grid.strips > 1
    check(given, name, mask=np.random.default_rng(4).random((3, *CASES[name][:2])) < 0.7, device="gpu")


@pytest.mark.skipif("xla" not in COMPILED or DEFAULT == "xla", reason="the tests above are compiled, or nothing is")
def test_compiled_matches_the_paper(few):
    """An image takes every code path of a sequence, and one more."""
    check(arrays("image-7x10"), "image-7x10", how="xla")


@pytest.mark.parametrize("length", [5, 15, 16, 17, 20])
def test_matches_dense_attention_with_the_published_mask(length):
    query, key, value = (np.random.default_rng(i).standard_normal((1, length, N, H)) for i in range(3))
    expected, _ = attend(query, key, value, mask=reference.published_1d(length, 8))
    images = [x[:, :, None].astype("float32") for x in (query, key, value)]
    actual = block_local.attend(*images, Blocks.of_sequence(8, 8, True, 1))
    np.testing.assert_allclose(numpy(actual)[:, :, 0], expected, atol=2e-5)


def test_two_blocks_are_full_causal_attention():
    query, key, value = (np.random.default_rng(i).standard_normal((1, 15, N, H)) for i in range(3))
    expected, _ = attend(query, key, value, causal=True)
    images = [x[:, :, None].astype("float32") for x in (query, key, value)]
    actual = block_local.attend(*images, Blocks.of_sequence(8, 8, True, 1))
    np.testing.assert_allclose(numpy(actual)[:, :, 0], expected, atol=2e-5)


def largest(size, blocks, scores=False):
    """Size of the largest tensor of a forward and backward pass over (Y, X), without running it."""
    x = np.zeros((1, *size, 2, 3), "float32")

    def run(query, key):
        context = block_local.attend(query, key, key, blocks, return_scores=scores)
        return keras.ops.sum(context[0] if scores else context)

    if BACKEND == "jax":
        import jax

        shapes = tensors_of(jax.make_jaxpr(jax.grad(run, argnums=(0, 1)))(x, x).jaxpr)
        return max(int(np.prod(s)) for s in shapes)
    import tensorflow as tf

    def both(query, key):
        with tf.GradientTape() as tape:
            tape.watch((query, key))
            loss = run(query, key)
        return tape.gradient(loss, (query, key))

    graph = tf.function(both, autograph=False).get_concrete_function(x, x).graph
    graphs = [graph, *(graph._get_function(n).graph for n in graph._functions)]
    tensors = [t for g in graphs for o in g.get_operations() for t in o.outputs if t.shape.rank is not None]
    return max(int(np.prod([d or 1 for d in t.shape])) for t in tensors)


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has no graph whose tensors could be listed")
@pytest.mark.usefixtures("plan_of_cpus")
def test_memory_grows_with_length_times_block():
    """n = 12288, l = 64: no tensor is larger than the scores of two blocks per position, or the padded inputs."""
    n, block = 12288, 64
    eights, blocks = (Blocks.of_sequence(size, size, True, 1) for size in (8, block))
    assert largest((512, 1), eights, scores=True) >= 512 * 512, "the measure sees the scores of all pairs"
    most = largest((n, 1), blocks)
    assert most <= max(2 * n * 2 * block, 2 * 2 * n * 4)
    assert most < n * n / 50


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has no graph whose tensors could be listed")
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.usefixtures("plan_of_cpus")
def test_memory_of_an_image_grows_with_pixels_times_block_memory(causal):
    """192 x 256, blocks of 8 x 16 and 4 x 8 around them: no tensor is larger than twice the scores."""
    blocks, memory, pixels = Blocks((8, 16), (4, 8), (1, 1), causal), 16 * 32, 192 * 256
    assert largest((192, 256), blocks) <= 2 * pixels * memory < pixels**2 / 10


@pytest.mark.parametrize(("name", "item"), [("memory-of-more", 40), ("image-dilated", 2**20)], ids=["items", "whole"])
def test_dropout_equals_that_of_the_dense_path(name, item, monkeypatch):
    monkeypatch.setattr(local_grid, "TILE_POSITIONS", 1)
    monkeypatch.setattr(plan, "NUMBERS_AT_ONCE", item)
    options = {"dropout": 0.3, "seed": np.array([5, 6], "int32")}
    given, cotangent = arrays(name), RNG.standard_normal((B, *CASES[name][:2], N, V))
    blocks = CASES[name][2]

    def dense(query, key, value):
        return block_local.attend(query, key, value, blocks, return_scores=True, **options)[0]

    expected, gradients = value_and_gradients(dense, given, cotangent)
    actual, mine = value_and_gradients(blocked(name, **options), given, cotangent)
    assert np.abs(expected - oracle(name)(*given)).max() > 0.1
    np.testing.assert_allclose(actual, expected, atol=2e-5)
    for one, other in zip(mine, gradients, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-5)


@pytest.mark.slow
def test_second_derivatives_of_items_match_the_dense_path(few):
    """Under XLA on TensorFlow, which aborts if there are empty slices; of unknown length."""
    blocks = CASES["both-sides"][2]
    query = RNG.standard_normal((2, 5, 1, 2, H)).astype("float32")
    assert local_grid.Grid.of(query, blocks).items > 1

    def loss(scores):
        def run(x):
            context = block_local.attend(x, x * 0.7, x + 0.3, blocks, return_scores=scores)
            return keras.ops.sum((context[0] if scores else context) ** 2)

        return run

    expected = second(loss(True), query)
    np.testing.assert_allclose(second(loss(False), query, xla=True, unknown=(1,)), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["both-sides", "image-7x10"])
def test_scores_are_zero_where_masked_and_context_matches_the_paper(name):
    Y, X, blocks = CASES[name]
    mask = np.random.default_rng(4).random((B, Y, X)) < 0.7
    given = [a.astype("float32") for a in arrays(name)]
    context, scores = block_local.attend(*given, blocks, mask=mask, return_scores=True)
    np.testing.assert_allclose(numpy(context), oracle(name, mask)(*given), atol=2e-5)
    assert tuple(scores.shape) == (B, N, Y, X, Y, X)
    assert not numpy(scores).reshape(B, N, Y * X, Y * X)[:, :, ~seen(name)].any()
    assert not numpy(scores).transpose(0, 2, 3, 1, 4, 5)[~mask].any()


@pytest.mark.parametrize("dtype, atol", [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_half_precision_survives_large_logits(dtype, atol, few):
    query, key, value = arrays("image-7x10", batch=1, heads=2)
    query, key = 200 * np.sign(query), 200 * np.sign(key)  # q . k reaches 160,000, beyond float16
    given = [keras.ops.cast(a, dtype) for a in (query, key, value)]
    context = block_local.attend(*given, CASES["image-7x10"][2])
    assert keras.backend.standardize_dtype(context.dtype) == dtype
    exact = oracle("image-7x10")(*(numpy(keras.ops.cast(x, "float32")) for x in given))
    np.testing.assert_allclose(numpy(keras.ops.cast(context, "float32")), exact, atol=atol, rtol=1e-2)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has unknown sizes")
def test_one_graph_for_every_size(monkeypatch):
    """Values and gradients match those of static sizes with all tiles at once."""
    import tensorflow as tf

    monkeypatch.setattr(local_grid, "TILE_POSITIONS", 1)
    blocks, grids = CASES["image-7x10"][2], []

    def both(query, key, value, cotangent):
        with tf.GradientTape() as tape:
            tape.watch((query, key, value))
            context = block_local.attend(query, key, value, blocks)
        return context, *tape.gradient(context, (query, key, value), cotangent)

    specs = [tf.TensorSpec([None, None, None, N, size]) for size in (H, H, V, V)]
    graph = tf.function(both, input_signature=specs, autograph=False)
    for sizes in ((1, 3, 3), (2, 3, 3), (2, 7, 10)):
        given = [RNG.standard_normal((*sizes, N, spec.shape[-1])).astype("float32") for spec in specs]
        monkeypatch.setattr(plan, "NUMBERS_AT_ONCE", 2000)
        grid = local_grid.Grid.of(given[0], blocks)
        grids.append((grid.items, grid.planes, grid.strips))
        found = graph(*given)
        monkeypatch.setattr(plan, "NUMBERS_AT_ONCE", 2**20)
        for one, other in zip(found, both(*map(tf.constant, given)), strict=True):
            np.testing.assert_allclose(one, other, atol=5e-5)
    assert grids == [(1, N, 1), (2, N, 1), (2 * N * 2, 1, 2)], "whole, an image at a time, strips of single planes"
