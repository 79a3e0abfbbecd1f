"""Extents of attention over clips: all positions, one frame, one pixel over time, or a group of frames."""

import math
from dataclasses import dataclass

from keras import ops

from keras_attention.ops.shapes.axes import fold_axes, free_axes, unfold_axes

EXTENTS = ("spacetime", "space", "time")


@dataclass(frozen=True)
class Extent:
    """Folds [B, *positions] so that positions that see one another lie along one axis.

    kind: `"spacetime"`; or, of clips [B, T, Y, X], `"space"`, `"time"` or an int: frames in a group.
    """

    kind: object

    def fold(self, x, trailing=1):
        """[B, *positions, *last] -> [B * free, T, *last]; `last` are `trailing` axes."""
        rank, dims = len(x.shape) - trailing, ops.shape(x)
        if isinstance(self.kind, int):
            x = ops.reshape(x, (*self._grouped(dims[:rank]), *dims[rank:]))
        return fold_axes(x, self._axes(rank), trailing)

    def unfold(self, x, dims):
        """The inverse of `fold`, [B * free, T, C] -> [B, *positions, C]; `dims` are [B, *positions]."""
        x = unfold_axes(x, self._axes(len(dims)), self._grouped(dims))
        return ops.reshape(x, (*dims, x.shape[-1])) if isinstance(self.kind, int) else x

    def scores_dims(self, query_dims, key_dims):
        """The dimensions [B, *free, 1, T, S] of scores, from those of queries and keys; `None` is unknown."""
        axes = self._axes(len(query_dims))
        queries, keys = self._grouped(query_dims), self._grouped(key_dims)
        free = (queries[i] for i in free_axes(len(queries), axes))
        return (*free, 1, _product(queries, axes), _product(keys, axes))

    def _axes(self, rank):
        """The attended axes of the grouped dimensions."""
        if self.kind == "spacetime":
            return tuple(range(1, rank))
        return {"space": (2, 3), "time": (1,)}.get(self.kind, (2, 3, 4))

    def _grouped(self, dims):
        if not isinstance(self.kind, int):
            return tuple(dims)
        batch, frames, *rest = dims
        return (batch, None if frames is None else frames // self.kind, self.kind, *rest)


def _product(dims, axes):
    chosen = [dims[i] for i in axes]
    return None if None in chosen else math.prod(chosen)
