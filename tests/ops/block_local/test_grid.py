"""Tiles of images: sizes, inverses and transposes."""

import numpy as np
import pytest

from keras_attention.ops.block_local import grid as local_grid
from keras_attention.ops.block_local.grid import Grid
from keras_attention.ops.block_local.masks import Blocks
from keras_attention.ops.paths import plan
from tests.backend import numpy
from tests.reference.local_attention import mask_2d

B, N, H = 2, 3, 4
CASES = {
    "reach-of-most": (8, 1, Blocks((2, 1), (5, 0), (1, 1), True)),
    "sequence": (11, 1, Blocks((2, 1), (5, 0), (1, 1), True)),
    "both-sides": (11, 1, Blocks((3, 1), (2, 0), (2, 1), False)),
    "image": (7, 10, Blocks((2, 3), (3, 4), (1, 1), True)),
    "image-both-sides": (5, 7, Blocks((2, 3), (1, 2), (1, 2), False)),
    "small-blocks": (40, 9, Blocks((2, 3), (1, 2), (1, 1), True)),
}
each_case = pytest.mark.parametrize("name, device", [(name, device) for name in CASES for device in ("cpu", "gpu")])


def grid_of(name, monkeypatch, device="cpu", budget=160):
    monkeypatch.setattr(plan, "NUMBERS_AT_ONCE", 40)
    monkeypatch.setattr(plan, "BUDGET", budget)
    if name != "small-blocks":
        monkeypatch.setattr(local_grid, "TILE_POSITIONS", 1)
    Y, X, blocks = CASES[name]
    x = np.random.default_rng(0).standard_normal((B, Y, X, N, H)).astype("float32")
    return Grid.of(x, blocks, device), x


@each_case
def test_unqueries_is_the_inverse_of_queries(name, device, monkeypatch):
    grid, x = grid_of(name, monkeypatch, device)
    cut = grid.queries(x)
    assert cut.shape[0] == grid.items > 1
    assert cut.shape[-2] == grid.tile[0] * grid.tile[1]
    np.testing.assert_array_equal(numpy(grid.unqueries(cut)), x)


@each_case
def test_memories_and_penalty_match_the_mask(name, device, monkeypatch):
    """Each visible pair of query and key occurs once, and no other."""
    grid, _ = grid_of(name, monkeypatch, device)
    Y, X, blocks = CASES[name]
    indices = np.arange(1, Y * X + 1, dtype="float32").reshape(1, Y, X, 1, 1) * np.ones((B, 1, 1, N, 1), "float32")
    queries, keys = numpy(grid.queries(indices)), grid.keys(indices)
    penalty = grid.penalty("float32")
    found = np.zeros((Y * X + 1, Y * X + 1), int)
    for item in range(grid.items):
        memories = numpy(grid.memories(grid.strip(keys, item)))[..., 0]
        for place in np.ndindex(*memories.shape[:-1]):
            seen = np.ones((queries.shape[-2], memories.shape[-1]), int) if penalty is None else numpy(penalty) == 0
            q, k = queries[(item, *place)][:, 0].astype(int), memories[place].astype(int)
            np.add.at(found, (q[:, None], k[None]), seen)
    expected = mask_2d(Y, X, blocks.query, blocks.memory, blocks.causal, blocks.dilation).reshape(Y * X, Y * X)
    np.testing.assert_array_equal(found[1:, 1:], B * N * expected)


@each_case
def test_add_strips_and_add_memories_are_transposes(name, device, monkeypatch):
    grid, x = grid_of(name, monkeypatch, device)
    keys = grid.keys(x)
    rng = np.random.default_rng(1)
    strips = [grid.strip(keys, item) for item in range(grid.items)]
    y = [rng.standard_normal(tuple(s.shape)).astype("float32") for s in strips]
    cut = sum(np.sum(numpy(s) * one) for s, one in zip(strips, y, strict=True))
    np.testing.assert_allclose(cut, np.sum(numpy(keys) * numpy(grid.add_strips(np.stack(y)))), rtol=1e-3, atol=1e-3)
    memories = grid.memories(strips[0])
    y = rng.standard_normal(tuple(memories.shape)).astype("float32")
    added = numpy(grid.add_memories(y))
    np.testing.assert_allclose(np.sum(numpy(memories) * y), np.sum(numpy(strips[0]) * added), rtol=1e-3, atol=1e-3)


def test_small_blocks_share_a_tile(monkeypatch):
    assert grid_of("small-blocks", monkeypatch)[0].tile == (12, 3)
    blocks = Blocks.of_sequence(256, 256, False, 1)
    grid = Grid.of(np.zeros((1, 512, 1, 1, 1)), blocks)
    assert grid.tile == (256, 1) and grid.penalty("float32") is None, "a window of whole blocks needs no penalty"
