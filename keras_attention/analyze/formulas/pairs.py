"""Attention of pairs of positions, as this library's operations compute it on this device."""

import dataclasses

from keras_attention.analyze.calls import itemsize
from keras_attention.analyze.cost import Cost
from keras_attention.ops.paths.layout import Layout
from keras_attention.ops.paths.plan import device_kind, is_dense, tile_of_heads, tile_of_pairs
from keras_attention.ops.paths.stages import stages
from keras_attention.ops.shapes.sizes import divide


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Sizes of attention: queries [B, T, N, H], keys [B, S, N / groups, H] and values [B, S, N / groups, V].

    pairs: Pairs of a query and a key whose logit is computed, for each head; `None`: T * S.
    held: Whether the probabilities [B, N, T, S] are held as a whole.
    """

    B: int
    T: int
    S: int
    N: int
    H: int
    V: int
    groups: int = 1
    pairs: int | None = None
    held: bool = True

    def planned(self, dtype, block=None, causal=False, window=None):
        """These sizes with the pairs that the operation computes, in `block` rows at a time (`None`: by itself)."""
        device, size = device_kind(), max(4, itemsize(dtype))  # logits are float32 at least
        dense = block == 0 if block is not None else is_dense(self.B, self.T, self.S, self.N, device, size)
        if dense or 0 in (self.B, self.T, self.S):
            return self
        kv_heads = self.N // self.groups
        tile = tile_of_heads(self.B, self.T, self.S, self.N, kv_heads, device, block, size)
        blocks = divide(self.T, tile.rows)
        layout = Layout(self.B, self.T, self.S, kv_heads, self.groups, tile.rows, blocks, tile.batch, tile.heads)
        pairs = sum((s.last - s.first) * tile.rows * s.size for s in stages(layout, causal, window, 0))
        return dataclasses.replace(self, pairs=pairs, held=False)

    def in_tiles(self, dtype, width):
        """These sizes where the operation holds `width` numbers for each pair of a tile of rows."""
        tile = tile_of_pairs(self.B, self.T, self.S, width, device_kind(), None, max(4, itemsize(dtype)))
        if tile is None:
            return self
        return dataclasses.replace(self, pairs=divide(self.T, tile.rows) * tile.rows * self.S, held=False)

    def cost(self, dtype, path=1):
        """The logits, and the weighted sum of the values."""
        heads, pairs = self.B * self.N, self.T * self.S if self.pairs is None else self.pairs
        numbers = heads * self.T * (self.V + (self.S if self.held else 0))
        return Cost(heads * pairs * (self.H + self.V), 0, 1, path, numbers * itemsize(dtype))
