"""The Image Transformer in NumPy loops, from the paper: one image, one head, one position at a time.

Weights are nested dicts, as in tests/reference/transformer.py; sequences are in generation order.
"""

import numpy as np

from tests.reference import generation
from tests.reference.local_attention import mask_1d, mask_2d
from tests.reference.positions import sinusoidal, sinusoidal_reference
from tests.reference.transformer import encoder_block, feed_forward, layer_norm, multi_head, residual


def mask(size, query_block, memory_block):
    """Mask [L, L] in generation order, section 3.3. Ints: 1D local attention; pairs: 2D."""
    flat = isinstance(query_block, int)
    if flat:
        seen = mask_1d(size[0] * size[1], query_block, memory_block, causal=True).reshape(*size, *size)
    else:
        seen = mask_2d(*size, query_block, memory_block, causal=True)
    order = generation.positions(*size, None if flat else query_block)
    return np.array([[seen[*p, *q] for q in order] for p in order])


def position(row, column, D, variant, learned=None):
    """The position embedding: sinusoids, or the `learned` tables of rows and columns."""
    if learned:
        rows, columns = (np.sqrt(D) * table for table in learned)
        both = rows[row], columns[column]
        return np.concatenate(both) if variant == "paper" else both[0] + both[1]
    table = {"paper": sinusoidal, "reference": sinusoidal_reference}[variant](max(row, column) + 1, D // 2)
    return np.concatenate([table[row], table[column]])


def embed(image, w, categorical):
    """Embeds [Y, X, C] as vectors [Y][X'][D], one per value (categorical) or per pixel."""
    Y, X, C = image.shape
    if not categorical:
        scaled = 2 * image / 255 - 1
        return [[np.maximum(0, scaled[y, x] @ w["W"] + w["b"]) for x in range(X)] for y in range(Y)]
    D = w["table"].shape[1]
    return [[w["table"][256 * c + image[y, x, c]] * np.sqrt(D) for x in range(X) for c in range(C)] for y in range(Y)]


def encode(image, w, categorical, norm_first, variant):
    """The encoder: [S, D]."""
    grid = embed(image, w["encoder_embedding"], categorical)
    D = len(grid[0][0])
    learned = w.get("encoder_position")
    x = np.array([v + position(r, c, D, variant, learned) for r, row in enumerate(grid) for c, v in enumerate(row)])
    for block in w["encoder"]:
        x = encoder_block(x, block, [True] * len(x), norm_first)
    return layer_norm(x, w["encoder_norm"]) if norm_first else x


def decoder_block(x, w, sees, memory=None, norm_first=False):
    """Equations 1 and 2, with attention over a memory [S, D'], if any, between them; x: [L, D]."""
    x = residual(x, lambda y: multi_head(y, y, w["self"], sees)[0], w["self_norm"], norm_first)
    if memory is not None:
        all_of_it = np.ones((len(x), len(memory)), bool)
        x = residual(x, lambda y: multi_head(y, memory, w["memory"], all_of_it)[0], w["memory_norm"], norm_first)
    return residual(x, lambda y: feed_forward(y, w["ffn"]), w["ffn_norm"], norm_first)


def decode(
    image,
    w,
    query_block,
    memory_block,
    *,
    categorical=True,
    norm_first=False,
    variant="paper",
    label=None,
    source=None,
):
    """Outputs [L, V] of all positions of an image [Y, X, C], in generation order."""
    two_dimensional = not isinstance(query_block, int)
    block_of = query_block if two_dimensional else None
    memory = None if source is None else encode(source, w, categorical, norm_first, variant)
    vectors = embed(image, w["decoder_embedding"], categorical)
    size, D = (len(vectors), len(vectors[0])), len(vectors[0][0])
    each_block = two_dimensional and variant == "reference"
    before = generation.shifted(vectors, block_of, each_block)
    rows = []
    for row, column in generation.positions(*size, block_of):
        vector = before[row][column] + position(row, column, D, variant, w.get("decoder_position"))
        rows.append(vector if label is None else vector + w["classes"][label] * np.sqrt(D))
    x, sees = np.array(rows), mask(size, query_block, memory_block)
    for block in w["decoder"]:
        x = decoder_block(x, block, sees, memory, norm_first)
    x = layer_norm(x, w["decoder_norm"]) if norm_first else x
    return x @ w["head"]["W"] + w["head"].get("b", 0)
