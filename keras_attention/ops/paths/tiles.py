"""One tile of blockwise attention: `M` rows x `span` keys of the [B, N, T, S] logits, for `Layout.lead` heads."""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.masks import NEGATIVE, band_penalty, both, hide, in_band, revive
from keras_attention.ops.paths.hashed_random import column_hashes, keep, row_hashes
from keras_attention.ops.paths.layout import Layout
from keras_attention.ops.paths.loop import replace
from keras_attention.ops.paths.toeplitz import shear, unshear
from keras_attention.ops.shapes.sizes import known, same
from keras_attention.ops.softmax import sinking_softmax


@dataclass(frozen=True)
class At:
    """Where a tile lies: part `p`, block of rows `i`, and its span of keys from `start`."""

    p: object
    i: object
    start: object
    size: object
    banded: bool  # whether causality or the window may hide a key of the span from a row
    whole: bool  # whether the span is all keys

    def rows(self, x):
        """The span's keys of [*lead, S, H]."""
        return x if self.whole else _cut(x, -2, self.start, self.size)

    def columns(self, x):
        """The span's keys of [*lead, H, S]."""
        return x if self.whole else _cut(x, -1, self.start, self.size)

    def add_to_columns(self, x, update, length):
        """Adds an update [*lead, H, span] to the span's keys of x [*lead, H, S = length]."""
        if self.whole:
            return x + update
        return x + _place(update, self.start, self.size, length)


@dataclass(frozen=True)
class Tiles:
    """What tiles need besides queries, keys, values and bias; not differentiated."""

    layout: Layout
    stages: list  # of Stage
    causal: bool = False
    window: object = None
    query_offset: object = 0
    mask: object = None  # Layout.grid of a mask
    mask_dims: tuple = ()  # [B|1, N|1, T|1, S|1] before it became a grid
    key_mask: object = None  # Layout.key_mask, only with a mask or a bias: whether a row sees a key depends on both
    bias_dims: tuple = ()  # before it became a grid; of three dimensions: by distance
    dropout: float = 0.0
    seed: object = None
    logit_cap: object = None
    sink_dims: tuple = ()  # before they became a grid; empty: no sinks

    @property
    def ranges(self):
        """(first, last) block of each stage."""
        return [(stage.first, stage.last) for stage in self.stages]

    def at(self, stage, p, i):
        """Where the tile of block `i` of part `p` lies."""
        start = stage.start(i)
        whole = known(start) and same(stage.size, self.layout.S)
        return At(p, i, start, stage.size, stage.banded, whole)

    def probs(self, at, query, key, added):
        """Probabilities of the logits query . key, capped, + bias, and what the backward pass needs besides.

        A bias may be lower than any finite penalty: with one, masked logits are -inf.

        Args:
            at: `At`.
            query: [*lead, M, H].
            key: [*lead, H, span].
            added: List of the bias and the sinks, those that there are.

        Returns:
            Probabilities [*lead, M, span]; 1 for rows that see a key, else 0, [*lead, M, 1] (`None`: all do); and
            tanh(query . key / cap), as the probabilities (`None`: there is no cap).
        """
        bias, sinks = self._split_added(at, added)
        logits, bent = self._capped(query @ key)
        if bias is None and self.mask is None and self.key_mask is None:
            return sinking_softmax(self._penalise(at, logits), sinks), None, bent
        logits, visible = self._split(logits, at.size), self._visible(at)
        if bias is not None:
            logits, alive = revive(hide(logits + self._bias(at, bias), visible))
        else:
            alive = ops.any(visible, axis=-1, keepdims=True)
            logits = ops.where(visible, logits, ops.cast(NEGATIVE, logits.dtype))
            alive = ops.broadcast_to(alive, (*self.layout.lead, self.layout.groups, self.layout.rows, 1))
        probs = sinking_softmax(self._join(logits, at.size), sinks)
        return probs, ops.cast(self._join(alive, 1), probs.dtype), bent

    def _capped(self, logits):
        """The capped logits, and what is multiplied by the cap; the logits and `None` without a cap."""
        if self.logit_cap is None:
            return logits, None
        bent = ops.tanh(logits / self.logit_cap)
        return bent * self.logit_cap, bent

    def _split_added(self, at, added):
        """The bias, or `None`, and the sinks of a tile, [*lead, M, 1] or `None`."""
        *bias, sinks = added if self.sink_dims else [*added, None]
        if sinks is not None:
            sinks = sinks[self.layout.slot(self.sink_dims, at.p, at.i)]
            rows = (*self.layout.lead, self.layout.groups, self.layout.rows, 1)
            sinks = self._join(ops.broadcast_to(sinks, rows), 1)
        return bias[0] if bias else None, sinks

    def drop(self, at, probs):
        """Dropout on [*lead, M, span], the same in the forward and in the backward pass."""
        if not self.dropout:
            return probs
        return ops.where(self._keep(at), probs * (1 / (1 - self.dropout)), 0.0)

    def d_probs(self, at, d_out, value):
        """[dO, -delta] [V, 1]^T; dropped entries get no gradient but that of delta."""
        if not self.dropout:
            return d_out @ value
        d_probs = d_out[..., :-1] @ value[..., :-1, :]
        return self.drop(at, d_probs) + d_out[..., -1:]

    def add_gradients(self, at, totals, probs, d_logits, d_out):
        """`totals`, the gradients of the bias and the sinks where there are, with those of a tile added.

        Args:
            at: `At`.
            totals: List of tensors.
            probs, d_logits: [*lead, M, span].
            d_out: [dO, -delta], [*lead, M, V + 1].
        """
        *bias, sinks = totals if self.sink_dims else [*totals, None]
        found = [self._add_bias_gradient(at, gradient, d_logits) for gradient in bias]
        if sinks is not None:
            d_sinks = (1 - ops.sum(probs, axis=-1, keepdims=True)) * d_out[..., -1:]
            d_sinks = _sum_to(self._split(d_sinks, 1), sinks)
            slot = self.layout.slot(self.sink_dims, at.p, at.i)
            found.append(replace(sinks, slot, sinks[slot] + d_sinks))
        return found

    def _add_bias_gradient(self, at, gradient, d_logits):
        """Adds the d_logits [*lead, M, span] of a tile to the gradient of the bias."""
        layout, slot = self.layout, self.layout.slot(self.bias_dims, at.p, at.i)
        d_bias = self._split(d_logits, at.size)
        if len(self.bias_dims) == 3:
            begin, width = layout.distance_range(at.i, at.start, at.size)
            d_bias = unshear(d_bias, layout.rows, at.size)
        else:
            begin, width = at.start, at.size
        d_bias = _sum_to(d_bias, gradient)
        if gradient.shape[-1] != 1:
            d_bias = _place(d_bias, begin, width, ops.shape(gradient)[-1])
        return replace(gradient, slot, gradient[slot] + d_bias)

    def _penalise(self, at, logits):
        """Adds a penalty far below zero where causality or the window hides a key."""
        if not at.banded:
            return logits
        penalty = band_penalty(*self._positions(at), self.causal, self.window, logits.dtype)
        return self._join(self._split(logits, at.size) + penalty, at.size)

    def _positions(self, at):
        """Positions [rows, 1] of the queries and [1, span] of the keys."""
        queries = ops.arange(self.layout.rows, dtype="int32") + (at.i * self.layout.rows + self.query_offset)
        keys = at.start + ops.arange(at.size, dtype="int32")
        return ops.expand_dims(queries, 1), ops.expand_dims(keys, 0)

    def _visible(self, at):
        """Causality, window, mask and key mask combined, broadcastable to [*lead, G, rows, span]; or `None`."""
        visible = None
        by_distance = len(self.bias_dims) == 3  # causality and the window are in the bias already
        if at.banded and not by_distance:
            visible = in_band(*self._positions(at), self.causal, self.window)
        if self.mask is not None:
            mask = self.mask[self.layout.slot(self.mask_dims, at.p, at.i)]
            visible = both(_last_axis(mask, at.start, at.size), visible)
        if self.key_mask is None:
            return visible
        keys = self.key_mask[at.p // self.layout.splits]
        return both(visible, _cut(keys, -1, at.start, at.size))

    def _bias(self, at, bias):
        """Broadcastable to [*lead, G, rows, span]."""
        bias = bias[self.layout.slot(self.bias_dims, at.p, at.i)]
        if len(self.bias_dims) == 4:
            return _last_axis(bias, at.start, at.size)
        first, width = self.layout.distance_range(at.i, at.start, at.size)
        return shear(_last_axis(bias, first, width), self.layout.rows, at.size)

    def _keep(self, at):
        """Which probabilities dropout keeps, [*lead, M, span]."""
        layout = self.layout
        row = at.i * layout.rows + ops.expand_dims(ops.arange(layout.rows, dtype="int32"), 1)
        rows = row_hashes(self.seed, layout.batch_of(at.p), layout.heads_of(at.p), row)
        columns = column_hashes(self.seed, at.start + ops.arange(at.size, dtype="int32"))
        return self._join(keep(rows, columns, self.dropout), at.size)

    def _split(self, x, size):
        """[*lead, M, size] -> [*lead, G, rows, size]."""
        return ops.reshape(x, (*self.layout.lead, self.layout.groups, self.layout.rows, size))

    def _join(self, x, size):
        """[*lead, G, rows, size] -> [*lead, M, size]."""
        return ops.reshape(x, (*self.layout.lead, self.layout.groups * self.layout.rows, size))


def _sum_to(d_tile, gradient):
    """Sums over the axes of a tile along which `gradient` [slots, *tile], of a bias or of sinks, has one entry."""
    for axis, size in enumerate(gradient.shape[1:]):
        if size == 1:
            d_tile = ops.sum(d_tile, axis=axis, keepdims=True)
    return d_tile


def _place(x, start, size, length):
    """Pads x [.., size] to `length` with zeros, `start` of them in front; `start` may be a tensor."""
    x = ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, length - size)])
    return x if same(start, 0) else ops.roll(x, start, axis=-1)


def _last_axis(x, start, size):
    """`size` entries of the last axis from `start`; an axis of one broadcasts."""
    return x if x.shape[-1] == 1 else _cut(x, -1, start, size)


def _cut(x, axis, start, size):
    """`size` entries of an axis from `start`."""
    if same(start, 0) and same(size, x.shape[axis]):  # XLA has no second derivative of a slice in TensorFlow's loop
        return x
    starts, sizes = [0] * len(x.shape), list(ops.shape(x))
    starts[axis], sizes[axis] = start, size
    return ops.slice(x, starts, sizes)
