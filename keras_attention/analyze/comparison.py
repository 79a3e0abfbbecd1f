"""Costs and times of layers side by side, for several lengths."""

import dataclasses
import inspect
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import keras
import numpy as np

from keras_attention.analyze.cost import Cost
from keras_attention.analyze.layer_cost import complexity
from keras_attention.ops.require import require_int, require_ints

MEASURES = ("multiply_adds", "sequential_steps", "longest_path", "activation_bytes", "seconds")
_PREFIXES = ("", "K", "M", "G", "T", "P")
_REPEATS, _AT_LEAST = 3, 0.2  # runs, and seconds of them, of which the median is taken


@dataclasses.dataclass(frozen=True)
class Row:
    """What one layer costs for one length.

    Args:
        name: Name of the layer.
        length: Number of positions.
        cost: `Cost`.
        seconds: Median time of a forward pass; NaN if it was not measured.
    """

    name: str
    length: int
    cost: Cost
    seconds: float = math.nan

    def value(self, measure: str) -> float:
        """One of `MEASURES`.

        Args:
            measure: Name of a field of `Cost`, or `"seconds"`.

        Returns:
            Number.
        """
        return self.seconds if measure == "seconds" else getattr(self.cost, measure)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Costs of several layers for several lengths, as `compare` returns them.

    Args:
        rows: List of `Row`, ordered by layer and length.
    """

    rows: list

    @property
    def names(self) -> list[str]:
        """Names of the layers."""
        return list(dict.fromkeys(row.name for row in self.rows))

    def curve(self, name: str, measure: str) -> tuple[np.ndarray, np.ndarray]:
        """Lengths, and a layer's value for each.

        Args:
            name: Name of a layer.
            measure: Name of a field of `Cost`, or `"seconds"`.

        Returns:
            Two NumPy arrays, of the lengths for which the value is finite.
        """
        points = [(row.length, row.value(measure)) for row in self.rows if row.name == name]
        points = [(n, value) for n, value in points if math.isfinite(value)]
        return np.array([n for n, _ in points], "int64"), np.array([value for _, value in points], "float64")

    def crossings(self, measure: str = "multiply_adds") -> dict[tuple[str, str], float]:
        """Lengths at which two layers cost the same, interpolated in logarithms between the lengths of the rows.

        Args:
            measure: Name of a field of `Cost`, or `"seconds"`.

        Returns:
            Dict from (cheaper before, cheaper after) to the length.
        """
        found = {}
        for a, b in combinations(self.names, 2):
            curves = (dict(zip(*self.curve(name, measure), strict=True)) for name in (a, b))
            first, second = curves
            lengths = sorted(n for n in set(first) & set(second) if first[n] > 0 and second[n] > 0)
            gaps = [(n, math.log(first[n] / second[n])) for n in lengths]
            for (n, gap), (m, next_gap) in pairwise(gaps):
                if gap * next_gap < 0 or (gap and not next_gap):
                    at = n * (m / n) ** (gap / (gap - next_gap))
                    found[(a, b) if gap < 0 else (b, a)] = float(at)
        return found

    def table(self) -> str:
        """The rows as a Markdown table.

        Returns:
            String.
        """
        heads = ["layer", "n", "multiply-adds", "parameters", "sequential steps", "longest path", "activations"]
        lines = [[row.name, row.length, *_cells(row.cost)] for row in self.rows]
        if any(math.isfinite(row.seconds) for row in self.rows):
            heads.append("time")
            for line, row in zip(lines, self.rows, strict=True):
                line.append(_time(row.seconds))
        lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *lines]
        return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def compare(
    layers: Mapping[str, keras.Layer],
    lengths: Sequence[int],
    width: int,
    *,
    batch_size: int = 1,
    measure_up_to: int = 0,
) -> Comparison:
    """What each of several layers costs for sequences of several lengths, as Table 1 of "Attention Is All You Need".

    Every required argument of a layer's call gets the same sequence [B, n, width]: `keras.layers.MultiHeadAttention`
    is compared as self-attention.

    Args:
        layers: Dict from names to layers; built for `width` features, or not yet.
        lengths: Positive ints: the numbers n of positions.
        width: Int: features of a position.
        batch_size: Int.
        measure_up_to: Int: lengths up to this one are run, too: compiled, random inputs, the median of at least three
            runs after a first one. 0: none.

    Returns:
        `Comparison`.

    Raises:
        ValueError: If `layers` is not a dict of layers, a length is not a positive int, or a layer has no formula.

    Example: one head of self-attention does as many multiply-adds as a simple recurrent layer where n is the width.

    >>> import keras
    >>> from keras_attention import analyze, layers
    >>> rows = {"attention": layers.ScaledDotProductAttention(), "recurrence": keras.layers.SimpleRNN(8)}
    >>> {names: round(n, 3) for names, n in analyze.compare(rows, (2, 4, 16, 32), 8).crossings().items()}
    {('attention', 'recurrence'): 8.0}
    """
    if not isinstance(layers, dict) or not all(isinstance(layer, keras.Layer) for layer in layers.values()):
        raise ValueError(f"`layers` must be a dict from names to Keras layers. Received: layers={layers!r}")
    if not lengths:
        raise ValueError(f"`lengths` must be ints, at least one. Received: lengths={lengths!r}")
    lengths = sorted(require_ints(lengths, "lengths", least=1))
    require_int(width, "width")
    require_int(batch_size, "batch_size")
    require_int(measure_up_to, "measure_up_to", least=0)
    rows = []
    for name, layer in layers.items():
        for length in lengths:
            shape = (batch_size, length, width)
            cost = complexity(layer, *[shape] * _required(layer))
            seconds = _measured(layer, shape) if length <= measure_up_to else math.nan
            rows.append(Row(name, length, cost, seconds))
    return Comparison(rows)


def _required(layer):
    """How many arguments a call of the layer needs."""
    parameters = inspect.signature(layer.call).parameters.values()
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _measured(layer, shape):
    """Median seconds of a forward pass."""
    inputs = keras.Input(batch_shape=shape)
    model = keras.Model(inputs, layer(*[inputs] * _required(layer)))
    x = np.random.default_rng(0).standard_normal(shape).astype("float32")
    model.predict_on_batch(x)
    seconds = []
    while len(seconds) < _REPEATS or sum(seconds) < _AT_LEAST:
        start = time.perf_counter()
        model.predict_on_batch(x)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _cells(cost):
    path = "inf" if math.isinf(cost.longest_path) else f"{cost.longest_path:,}"
    numbers = [_short(cost.multiply_adds, 1000, ""), _short(cost.parameters, 1000, ""), f"{cost.sequential_steps:,}"]
    return [*numbers, path, _short(cost.activation_bytes, 1024, "B")]


def _short(number, base, unit):
    """1234567 -> 1.23 M; 1536 -> 1.5 KiB in base 1024."""
    power = 0
    while number >= 999.5 and power < len(_PREFIXES) - 1:
        number, power = number / base, power + 1
    binary = "i" if power and base == 1024 else ""
    return f"{number:.3g} {_PREFIXES[power]}{binary}{unit}".strip()


def _time(seconds):
    if not math.isfinite(seconds):
        return "–"
    return f"{seconds:.3g} s" if seconds >= 0.9995 else f"{seconds * 1000:.3g} ms"
