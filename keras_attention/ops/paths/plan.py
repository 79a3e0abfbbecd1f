"""How attention is cut into tiles: decided here for every path, from sizes, dtype and the kind of device.

    cpu         a small product fills a core, and what it holds should fit into the caches: a tile is a few hundred
                rows of queries of one head of one batch entry
    gpu, tpu    a step takes tens of microseconds whatever it holds, and only a large product fills the chip: a tile
                spans all heads and batch entries, and as many rows as fit into `BUDGET`. An axis that is not cut may be
                sharded over devices: no step gathers it.

Letters: B batch, T queries, S keys, N heads, K key/value heads.
"""

import math
import os
from dataclasses import dataclass

import keras
from keras import ops

from keras_attention.ops.shapes.sizes import choose, divide, known, maximum, minimum, product, same, symbolic

DEVICES = ("cpu", "gpu", "tpu")
# The environment variable that names the kind of device, for programs that are compiled for another one.
SETTING = "KERAS_ATTENTION_DEVICE"
_FOUND = {}

# GPUs and TPUs: bytes of logits, or of what else a path holds for each pair, that are held at once.
BUDGET = 512 * 2**20
# CPUs, as measured (docs/benchmarks.md). From this many logits per head on, tiles are faster than the dense path.
DENSE_BELOW = 1024 * 1024
# CPUs: rows of a tile of one head; fewer are slower, more need more memory.
ROWS = 256
# CPUs: numbers that are held at once by paths other than that of the heads.
NUMBERS_AT_ONCE = 2**20


@dataclass(frozen=True)
class Tile:
    """What one tile spans: `batch` entries, `heads` key/value heads, `rows` of queries. Sizes may be scalar tensors.

    The last tiles may span zeros beyond the batch and the rows.
    """

    batch: object
    heads: object
    rows: object


def device_kind(device=None):
    """`device`, or what the environment variable `KERAS_ATTENTION_DEVICE` says, or the kind of the default device."""
    if device:
        return device
    named = os.environ.get(SETTING)
    if named and named not in DEVICES:
        raise ValueError(f"`{SETTING}` must be one of {', '.join(DEVICES)}. Received: {SETTING}={named!r}")
    return named or default_device(keras.backend.backend())


def default_device(backend):
    """The kind of the backend's default device, asked once: devices do not come and go while a program runs."""
    if backend not in _FOUND:  # not a cached function, of which `torch.compile` warns
        _FOUND[backend] = _find_device(backend)
    return _FOUND[backend]


def _find_device(backend):
    if backend == "torch":
        import torch

        return "gpu" if torch.cuda.is_available() else "cpu"
    if backend == "jax":
        import jax

        kind = jax.default_backend()
        return kind if kind in DEVICES else "gpu"  # a vendor's own name
    for kind in ("tpu", "gpu"):
        if keras.distribution.list_devices(kind):
            return kind
    return "cpu"


def is_dense(B, T, S, heads, device, itemsize=4):
    """Whether all logits [B, heads, T, S] are held at once; on CPUs a boolean tensor if that depends on unknown sizes.

    On others unknown sizes mean tiles, whose number is found out at run time: as few as one. A graph that chooses at
    run time has no second derivative under XLA, and a model is usually trained there with a batch that is not known.
    Symbols of `jax.export` mean all at once.
    """
    if symbolic(B, T, S):
        return True
    if device == "cpu":
        return product(T, S) < DENSE_BELOW
    return known(B, T, S) and B * T * S * heads * itemsize <= BUDGET


def is_mask_small(shape, given, device, itemsize=4):
    """Whether a mask [B|1, N|1, T, S] may be made for a fused kernel; the caller holds one of `given` numbers."""
    if device == "cpu" and math.prod(shape[2:]) < DENSE_BELOW:
        return True
    allowed = device != "cpu" or math.prod(shape) <= given
    return allowed and math.prod(shape) * itemsize <= BUDGET


def tile_of_heads(B, T, S, heads, kv_heads, device, block_size=None, itemsize=4):
    """The `Tile` of blockwise attention; `block_size` overrides its rows."""
    if device == "cpu":
        rows = max(1, ROWS // (heads // kv_heads)) if block_size is None else block_size
        return Tile(1, 1, maximum(1, minimum(T, rows)))
    if block_size is not None:
        return Tile(B, kv_heads, maximum(1, minimum(T, block_size)))
    batch, rows = _within_budget(B, T, product(S) * heads * itemsize)
    return Tile(batch, kv_heads, rows)


def tile_of_pairs(B, T, S, width, device, block_size=None, itemsize=4):
    """The `Tile` of a path that holds `width` numbers for each pair, or `None` for all pairs at once.

    B, T and S are not 0. One row needs no tiles.
    """
    small = same(T, 1) or (known(B, T, S) and B * T * S * width <= numbers_at_once(device, itemsize))
    if block_size == 0 or (block_size is None and small):
        return None
    if block_size is not None:
        return Tile(1 if device == "cpu" else B, 1, maximum(1, minimum(T, block_size)))
    if symbolic(B, T, S):
        return Tile(B, 1, 1)  # of a row alone it is certain that tiles are whole
    if device == "cpu":
        return Tile(1, 1, maximum(1, minimum(T, NUMBERS_AT_ONCE // maximum(1, S * width))))
    batch, rows = _within_budget(B, T, product(S) * width * itemsize)
    return Tile(batch, 1, rows)


def tile_of_strips(B, heads, residues, rows, least, logits, device, itemsize=4):
    """The `Tile` of block-local attention: rows of blocks; its heads are those of all residues of the dilation.

    On a CPU, heads of several entries count as heads of one. On others, entries are cut only where the fewest rows of
    all are too large.

    Args:
        B, heads, residues: Sizes.
        rows: Rows of blocks of an image, at least 1.
        least: The fewest rows of a tile, unless there are fewer.
        logits: How many logits a row of blocks of one head and residue has.
        device, itemsize: As above.
    """
    planes = heads * residues
    if symbolic(B, rows, logits):
        return Tile(B, planes, rows)
    if device == "cpu":
        fit = minimum(rows, maximum(least, maximum(1, NUMBERS_AT_ONCE // logits)))
        some = choose(product(heads, rows, logits) <= NUMBERS_AT_ONCE, heads, 1)
        some = choose(product(B, planes, rows, logits) <= NUMBERS_AT_ONCE, B * planes, some)
        return Tile(1, some, divide(rows, rows // fit))
    row = product(logits) * planes * itemsize
    strips = maximum(1, minimum(divide(rows, _rows_of_all(B, rows, row)), rows // max(1, least)))
    rows = divide(rows, strips)
    if known(B, rows, row) and B * rows * row > BUDGET:
        B = divide(B, divide(B, max(1, BUDGET // (rows * row))))
    return Tile(B, planes, rows)


def numbers_at_once(device, itemsize=4):
    """How many numbers are held at once by paths other than that of the heads."""
    return NUMBERS_AT_ONCE if device == "cpu" else BUDGET // itemsize


def _within_budget(B, T, row):
    """Batch entries and rows of a tile of at most `BUDGET` bytes, if a row of one batch entry has `row` bytes.

    There are at most 1 + all bytes / BUDGET, rounded up, tiles. Entries are cut only if rows alone do not suffice.
    Where so few tiles of whole rows and entries cannot be small enough, they are the smallest.
    """
    if not known(B, T, row):
        return B, _rows_of_all(B, T, row)
    if not (B and T and row):
        return B, max(1, T)
    least = -(-B * T * row // BUDGET)
    shapes = [
        (-(-B // parts), -(-T // (tiles // parts)))
        for parts in range(1, min(B, least) + 1)
        for tiles in (least, least + 1)
    ]
    return next((shape for shape in shapes if math.prod(shape) * row <= BUDGET), min(shapes, key=math.prod))


def _rows_of_all(B, T, row):
    """Rows, at least 1, of a tile of all batch entries."""
    if known(B, T, row):
        return max(1, min(T, BUDGET // max(1, B * row)))
    rows = ops.cast(BUDGET / ops.maximum(product(B) * ops.cast(row, "float32"), 1.0), "int32")
    return ops.clip(rows, 1, ops.maximum(T, 1))
