"""Decoding steps with everything that does not change from token to token computed once, before the loop.

A step computes one row a sequence: its time is that of reading the weights. What a layer would do besides for every
token is done before: kernels become matrices, those with the same input one matrix, and quantized ones are dequantized.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_attention.ops.attention import attend_row
from keras_attention.ops.cache import put_row, write_rows
from keras_attention.ops.runtime.compiled import apart

DENSE = (keras.layers.Dense, keras.layers.EinsumDense)


class PreparesSteps:
    """Mixin of `MultiHeadAttention`: its steps over a cache and over a memory, prepared."""

    def prepare_cached_step(self) -> Callable[..., Any]:
        """`step(x [B, D], cache, index) -> (output [B, E], cache)`: a call with `cache` and `cache_index`."""
        gate = [self._gate_dense] if self.use_gate else []
        enter = prepare(self._query_dense, self._key_dense, self._value_dense, *gate)
        leave = prepare(self._output_dense)

        def step(x, cache, index):
            query, key, value, *gates = enter(x)
            key = self._place(ops.reshape(key, (-1, 1, self.num_key_value_heads, self.key_dim)), "key", index)
            written = {name: self._put(cache[name], row, index) for name, row in (("key", key), ("value", value))}
            if "mask" in cache:
                written["mask"] = write_rows(cache["mask"], ops.ones((ops.shape(x)[0], 1), "bool"), index)
            band = {"causal": True, "query_offset": index, "window": self.sliding_window}
            return leave(self._mix(query, written, gates, **band))[0], written

        return step

    def prepare_memory_step(self) -> Callable[..., Any]:
        """`step(x [B, D], memory) -> output [B, E]`: a call with `memory`."""
        gate = [self._gate_dense] if self.use_gate else []
        enter, leave = prepare(self._query_dense, *gate), prepare(self._output_dense)

        def step(x, memory):
            query, *gates = enter(x)
            return leave(self._mix(query, memory, gates, window=self.sliding_window))[0]

        return step

    def _put(self, cache, rows, index):
        """`cache` [B, K, L, H] with `rows`, B * K * H numbers, at position `index`."""
        K, size = cache.shape[1], cache.shape[3]
        return put_row(cache, ops.reshape(rows, (-1, K, 1, size)), index)

    def _mix(self, query, projected, gates, **band):
        """Context [B, N * V] of `query` [B, N * H]."""
        query = ops.reshape(query, (-1, 1, self.num_heads, self.key_dim))
        query = self._place(query, "query", band.get("query_offset", 0))
        bias = self._bias(query, projected["key"], 2, band.get("query_offset", 0), None)
        given = {"key_mask": projected.get("mask"), "bias": bias, **band, **self._on_logits()}
        context = attend_row(query, projected["key"], projected["value"], **given)
        context = ops.reshape(context, (-1, self.num_heads * self.value_dim))
        return context * gates[0] if gates else context


def is_plain(layer):
    """Whether `prepare` knows the weights of a layer: `Dense` or `EinsumDense`, with LoRA or int8, but not both."""
    if not isinstance(layer, DENSE):
        return False
    mode = layer.quantization_mode
    return mode is None or (mode == "int8" and not layer.lora_enabled)


def prepare(*layers):
    """A function from rows [B, D] to the outputs, each [B, F], of plain dense layers with this input.

    Args:
        *layers: `Dense` or `EinsumDense` of one row a sequence, [B, D] or [B, 1, *D]; the axes of D and F are merged.
    """
    matrices = [_matrix(layer) for layer in layers]
    sizes = [matrix.shape[1] for matrix in matrices]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    kernel, bias = _join(matrices, axis=1), None
    if layers[0].bias is not None:
        bias = _join([ops.cast(ops.reshape(layer.bias, (-1,)), layer.compute_dtype) for layer in layers], axis=0)

    def project(rows):
        rows = apart(ops.matmul(rows, kernel))
        rows = rows if bias is None else rows + bias
        parts = ops.split(rows, ends, axis=1) if ends else [rows]
        return [part if layer.activation is None else layer.activation(part) for layer, part in zip(layers, parts)]

    return project


def _matrix(layer):
    """The kernel as a matrix [D, F] in the layer's compute dtype."""
    kernel = ops.convert_to_tensor(layer.kernel)
    inputs = math.prod(kernel.shape[: _input_axes(layer)])
    kernel = ops.reshape(kernel, (inputs, -1))
    if layer.quantization_mode == "int8":
        scale = ops.reshape(layer.kernel_scale, (1, -1))
        kernel = ops.cast(kernel, scale.dtype) / scale
    return ops.cast(kernel, layer.compute_dtype)


def _input_axes(layer):
    """How many axes of the kernel, which come first, are those of the input."""
    if isinstance(layer, keras.layers.Dense):
        return 1
    inputs, kernel = layer.equation.split("->")[0].split(",")
    return sum(letter in inputs for letter in kernel)


def _join(tensors, axis):
    return tensors[0] if len(tensors) == 1 else ops.concatenate(tensors, axis=axis)
