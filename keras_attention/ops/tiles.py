"""One tile of blockwise attention: `M` rows x `span` keys of the [B, N, T, S] logits, all of one key/value head."""

from dataclasses import dataclass

from keras import ops

from keras_attention.ops.distances import shear, unshear
from keras_attention.ops.dropout import column_hashes, keep, row_hashes
from keras_attention.ops.layout import Layout
from keras_attention.ops.masks import band_penalty, both, hide, in_band, revive
from keras_attention.ops.softmax import softmax
from keras_attention.ops.stages import stages


@dataclass(frozen=True)
class At:
    """Where a tile lies: part `p`, block of rows `i`, and its span of keys from `start`."""

    p: object
    i: object
    start: object
    size: object
    prefix: object  # the first keys of the span, which every row sees as far as position goes
    whole: bool  # the span is all keys

    def rows(self, x):
        """The span's keys of [S, H]."""
        return x if self.whole else ops.slice(x, (self.start, 0), (self.size, x.shape[1]))

    def columns(self, x):
        """The span's keys of [H, S]."""
        return x if self.whole else ops.slice(x, (0, self.start), (x.shape[0], self.size))

    def add_to_columns(self, x, update):
        """Adds an update [H, span] to the span's keys of x [H, S]."""
        if self.whole:
            return x + update
        return x + _place(update, self.start, ops.shape(x)[1])


@dataclass(frozen=True)
class Tiles:
    """What tiles need besides queries, keys, values and bias; nothing here is differentiated."""

    layout: Layout
    causal: bool = False
    window: object = None
    query_offset: object = 0
    mask: object = None  # Layout.grid of a mask
    mask_dims: tuple = ()  # [B|1, N|1, T|1, S|1] before
    key_mask: object = None  # [B, S], only beside a mask or a bias: whether a row sees anything then depends on both
    bias_dims: tuple = ()  # before it became a grid; of three dimensions: by distance
    dropout: float = 0.0
    seed: object = None

    def fold(self, p, tile, state):
        """`state = tile(at, state)` for each block of part `p`."""
        for stage in self._stages():
            state = ops.fori_loop(
                stage.first, stage.last, lambda i, state, stage=stage: tile(self._at(stage, p, i), state), state
            )
        return state

    def probs(self, at, query, key, bias=None):
        """softmax(query . key + bias) [M, span]; and 1 for rows that see something, else 0, [M, 1] (`None`: all)."""
        cuts = [(0, at.prefix, False), (at.prefix, at.size, True)]
        if len(self.bias_dims) == 3:  # what position hides is in the bias
            cuts = [(0, at.size, False)]
        pieces = [self._logits(at, query, key, bias, *cut) for cut in cuts if not _same(cut[0], cut[1])]
        logits = pieces[0] if len(pieces) == 1 else ops.concatenate(pieces, axis=-1)
        if bias is None and self.mask is None:
            return softmax(logits), None
        logits, alive = revive(logits)
        probs = softmax(logits)
        return probs, ops.cast(alive, probs.dtype)

    def drop(self, at, probs):
        """Dropout on [M, span], the same whenever it is asked for."""
        if not self.dropout:
            return probs
        return ops.where(self._keep(at), probs * (1 / (1 - self.dropout)), 0.0)

    def d_probs(self, at, d_out, value):
        """[dO, -delta] [V, 1]^T; what dropout dropped passes no gradient on, but delta holds for all."""
        if not self.dropout:
            return d_out @ value
        d_probs = d_out[..., :-1] @ value[:-1]
        return self.drop(at, d_probs) + d_out[..., -1:]

    def add_bias_gradient(self, at, gradient, d_logits):
        """Adds the d_logits [M, span] of a tile to the gradient of the bias."""
        layout, slot = self.layout, self.layout.slot(self.bias_dims, at.p, at.i)
        d_bias = self._split(d_logits)
        if len(self.bias_dims) == 3:
            begin, _ = layout.distance_range(at.i, at.start, at.size)
            d_bias = unshear(d_bias, layout.rows, at.size)
            d_bias = ops.sum(d_bias, axis=0, keepdims=True) if gradient.shape[1] == 1 else d_bias
        else:
            begin = at.start
            for axis in range(3):
                if gradient.shape[axis + 1] == 1:
                    d_bias = ops.sum(d_bias, axis=axis, keepdims=True)
        if gradient.shape[-1] == 1:
            d_bias = ops.sum(d_bias, axis=-1, keepdims=True)
        else:
            d_bias = _place(d_bias, begin, ops.shape(gradient)[-1])
        index = ops.reshape(ops.cast(slot, "int32"), (1, 1))
        return ops.scatter_update(gradient, index, (ops.take(gradient, slot, axis=0) + d_bias)[None])

    def _stages(self):
        return stages(self.layout, self.causal, self.window, self.query_offset)

    def _at(self, stage, p, i):
        start = stage.start(i)
        whole = isinstance(start, int) and _same(stage.size, self.layout.S)
        return At(p, i, start, stage.size, stage.prefix, whole)

    def _logits(self, at, query, key, bias, begin, end, banded):
        """Columns `begin` to `end` of the span: logits [M, columns], far below zero or -inf where hidden."""
        if not (_same(begin, 0) and _same(end, at.size)):
            key = key[..., begin:end]
        logits = query @ key
        if bias is None and self.mask is None and not banded:
            return logits
        logits = self._split(logits)
        if bias is None and self.mask is None:
            return self._join(logits + band_penalty(*self._positions(at, begin, end), dtype=logits.dtype))
        if bias is not None:
            logits = logits + self._bias(at, bias, begin, end)
        visible = in_band(*self._positions(at, begin, end)) if banded else None
        return self._join(hide(logits, both(visible, self._visible(at, begin, end))))

    def _positions(self, at, begin, end):
        """Positions [rows, 1] of the queries and [1, end - begin] of the keys, causality and the window."""
        queries = at.i * self.layout.rows + ops.arange(self.layout.rows, dtype="int32") + self.query_offset
        keys = at.start + begin + ops.arange(end - begin, dtype="int32")
        return queries[:, None], keys[None, :], self.causal, self.window

    def _visible(self, at, begin, end):
        """The mask's and the key mask's word, boolean, broadcastable to [G, rows, end - begin], or `None`."""
        visible = None
        if self.mask is not None:
            mask = ops.take(self.mask, self.layout.slot(self.mask_dims, at.p, at.i), axis=0)
            visible = _last_axis(mask, at.start + begin, end - begin)
        if self.key_mask is None:
            return visible
        row = ops.take(self.key_mask, at.p // self.layout.heads, axis=0)
        return both(visible, ops.slice(row, (at.start + begin,), (end - begin,)))

    def _bias(self, at, bias, begin, end):
        """Broadcastable to [G, rows, end - begin]."""
        bias = ops.take(bias, self.layout.slot(self.bias_dims, at.p, at.i), axis=0)
        if len(self.bias_dims) == 4:
            return _last_axis(bias, at.start + begin, end - begin)
        first, width = self.layout.distance_range(at.i, at.start + begin, end - begin)
        return shear(_last_axis(bias, first, width), self.layout.rows, end - begin)

    def _keep(self, at):
        """Which probabilities dropout keeps, [M, span]."""
        layout = self.layout
        head = (at.p % layout.heads) * layout.groups + ops.arange(layout.groups, dtype="int32")[:, None, None]
        row = at.i * layout.rows + ops.arange(layout.rows, dtype="int32")[:, None]
        columns = column_hashes(self.seed, at.start + ops.arange(at.size, dtype="int32"))
        return self._join(keep(row_hashes(self.seed, at.p // layout.heads, head, row), columns, self.dropout))

    def _split(self, x):
        """[M, span] -> [G, rows, span]."""
        return ops.reshape(x, (self.layout.groups, self.layout.rows, ops.shape(x)[-1]))

    def _join(self, x):
        """The inverse of `_split`."""
        return ops.reshape(x, (self.layout.groups * self.layout.rows, ops.shape(x)[-1]))


def _same(a, b):
    """Whether two lengths are known to be equal."""
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


def _place(x, start, length):
    """x in `length` zeros, along the last axis, from `start` on, which may be known only when the graph runs."""
    x = ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, length - ops.shape(x)[-1])])
    return x if _same(start, 0) else ops.roll(x, start, axis=-1)


def _last_axis(x, start, size):
    """`size` entries of the last axis from `start`; an axis of one broadcasts."""
    if x.shape[-1] == 1:
        return x
    lead = tuple(ops.shape(x)[:-1])
    return ops.slice(x, (*[0] * len(lead), start), (*lead, size))
