"""The dense projections of multi-head attention, over inputs of any rank.

into heads:  [B, *T, D]    -> [B, *T, N, H] = inputs . kernel [D, N, H] + bias [N, H]
out of them: [B, *T, N, V] -> [B, *T, *E]   = context . kernel [N, V, *E] + bias [*E]
"""

import math

import keras
from keras import ops

from keras_attention.layers.bases.adapters import AdaptsProjections
from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import require_batch_size
from keras_attention.layers.bases.memory_attention import memory_mask
from keras_attention.ops.cache import write_rows
from keras_attention.ops.pair_checks import require_length
from keras_attention.ops.require import require_bool
from keras_attention.ops.shapes.axes import contract, swap_heads
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.types import Nest, Tensor

MIDDLE = "TUVWXYZ"  # the axes between batch and features
OUT = "EFGIJKLM"  # the axes of the output's features


class ProjectsHeads(AdaptsProjections, BaseLayer):
    """Base class of multi-head attention: the projections into heads and out of them.

    A subclass sets `num_heads`, `num_key_value_heads`, `key_dim` and `value_dim`.
    """

    def __init__(
        self,
        *,
        use_bias,
        use_gate,
        kernel_initializer,
        bias_initializer,
        kernel_regularizer,
        bias_regularizer,
        projection_activity_regularizer,
        kernel_constraint,
        bias_constraint,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.use_bias = require_bool(use_bias, "use_bias")
        self.use_gate = require_bool(use_gate, "use_gate")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        # Not `activity_regularizer`: Keras applies it to the output of the layer itself.
        self._activity_regularizer = keras.regularizers.get(projection_activity_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def get_config(self):
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self._activity_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
        }

    def _build_projections(self, query_shape, value_shape, key_shape, features):
        """Creates the weights in Keras's order, so that `set_weights(keras_layer.get_weights())` fits."""
        N, K, H, V = self.num_heads, self.num_key_value_heads, self.key_dim, self.value_dim
        self._query_dense = into_heads(query_shape, N, H, **self._projection("query"))
        self._key_dense = into_heads(key_shape, K, H, **self._projection("key"))
        if self.use_gate:
            self._gate_dense = into_heads(query_shape, N, V, activation="sigmoid", **self._projection("gate"))
        self._value_dense = into_heads(value_shape, K, V, **self._projection("value"))
        context_shape = (*query_shape[:-1], N, V)
        self._output_dense = out_of_heads(context_shape, features, **self._projection("attention_output"))

    def _projection(self, name):
        """Arguments of a projection. Each gets its own initializers: one object would give all the same values."""
        return {
            "use_bias": self.use_bias,
            "initializer": self.kernel_initializer,
            "bias_initializer": clone(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "activity_regularizer": self._activity_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
            "name": name,
        }

    def _projections(self):
        gate = [self._gate_dense] if self.use_gate else []
        return [self._query_dense, self._key_dense, *gate, self._value_dense, self._output_dense]

    @property
    def query_dense(self) -> keras.Layer:
        return self._query_dense

    @property
    def key_dense(self) -> keras.Layer:
        return self._key_dense

    @property
    def value_dense(self) -> keras.Layer:
        return self._value_dense

    @property
    def gate_dense(self) -> keras.Layer:
        return self._gate_dense

    @property
    def output_dense(self) -> keras.Layer:
        return self._output_dense


class ProjectsMemory(ProjectsHeads):
    """Base class of multi-head attention with a projected memory: a growing key/value cache or a constant memory."""

    def _project(self, value, key, mask, start=0):
        """Keys and values in heads of inputs whose first position is `start`."""
        padded = zero_padding(value, mask)
        keys = self._key_dense(padded if key is None else zero_padding(key, mask))
        return {"key": self._place(keys, "key", start), "value": self._value_dense(padded)}

    def _write(self, cache, value, key, mask, index):
        """The cache with keys, values and mask of `value` written at `index`."""
        rows = self._project_in_heads(value, key, mask, index)
        written = {name: write_rows(cache[name], rows[name], index, axis=2) for name in rows}
        if "mask" in cache:
            mask = ops.ones(ops.shape(value)[:2], dtype="bool") if mask is None else mask
            written["mask"] = write_rows(cache["mask"], mask, index)
        return written

    def _project_in_heads(self, value, key, mask, start=0):
        """Keys [B, K, T, H] and values [B, K, T, V]: what later steps read lies together in memory."""
        return {name: swap_heads(x) for name, x in self._project(value, key, mask, start).items()}

    def make_cache(self, batch_size: int | Tensor, max_length: int | Tensor) -> Nest:
        """Returns an empty cache for `max_length` positions.

        Args:
            batch_size: Int or int32 scalar tensor, B.
            max_length: Positive int or int32 scalar tensor, L.

        Returns:
            {"key": [B, K, L, H], "value": [B, K, L, V], "mask": [B, L]}: the mask is boolean, true for written
            positions that are not padding.
        """
        require_batch_size(batch_size)
        require_length(max_length, "max_length", least=1)
        dims = (batch_size, self.num_key_value_heads, max_length)
        return {
            "key": ops.zeros((*dims, self.key_dim), dtype=self.compute_dtype),
            "value": ops.zeros((*dims, self.value_dim), dtype=self.compute_dtype),
            "mask": ops.zeros((batch_size, max_length), dtype="bool"),
        }

    def project_memory(
        self, value: Tensor, key: Tensor | None = None, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Projects a constant memory once, for all decoding steps.

        Args:
            value: [B, S, Dv].
            key: [B, S, Dk]; `None` means `value`.
            mask: [B, S]. True marks positions that take part; `None` means the Keras mask of `value`, or `lengths`.
            lengths: Integers [B], the lengths without padding.

        Returns:
            What to pass as `memory`: {"key": [B, K, S, H], "value": [B, K, S, V]} and, where there is a mask, "mask".
        """
        self._require_built("project_memory")
        value = ops.convert_to_tensor(value)
        mask = memory_mask(value, mask, lengths)
        self._check_widths({"value": value, "key": key})
        mask = full_mask(mask, ops.shape(value)[:-1])
        memory = self._project_in_heads(value, key, mask)
        return memory if mask is None else {**memory, "mask": mask}


class Projection(keras.layers.EinsumDense):
    """`EinsumDense` that contracts the last axes of its inputs with the first of its kernel.

    On TensorFlow as one product of matrices: Keras's einsum multiplies each batch entry by the kernel, and its gradient
    holds a kernel for each.
    """

    def call(self, inputs, training=None):
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training)
        of_inputs, of_kernel = self.equation.split("->")[0].split(",")
        outputs = contract(inputs, self.kernel, len(set(of_inputs) & set(of_kernel)))
        # Not `ops.add`, see `WithAxisOfOne`.
        outputs = outputs if self.bias is None else outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)

    def quantize(self, mode=None, type_check=True, **kwargs):
        super().quantize(mode, type_check=False, **kwargs)  # the check would reject a subclass


class WithAxisOfOne(Projection):
    """`Projection` with one more axis of size 1 after the batch, which `call` adds and removes.

    For biases [N, 1]. On TensorFlow, `keras.ops.add` treats a bias with a single axis other than 1 as a vector and adds
    it along axis 1 of the inputs if that has its length: to the T positions where T = N.
    """

    def build(self, input_shape):
        super().build((input_shape[0], 1, *input_shape[1:]))
        self.input_spec = keras.layers.InputSpec(ndim=len(input_shape), axes={-1: input_shape[-1]})

    def call(self, inputs, training=None):
        return ops.squeeze(super().call(ops.expand_dims(inputs, 1), training=training), 1)

    def quantized_call(self, inputs, training=None):
        return ops.squeeze(super().quantized_call(ops.expand_dims(inputs, 1), training=training), 1)

    def compute_output_shape(self, input_shape):
        batch, _, *rest = super().compute_output_shape((input_shape[0], 1, *input_shape[1:]))
        return (batch, *rest)


def into_heads(input_shape, heads, size, use_bias, initializer, **kwargs):
    """Builds the projection of `input_shape` [B, *T, D] into heads [B, *T, heads, size]."""
    kind, middle = _kind(use_bias, size, len(input_shape) - 2)
    dense = kind(
        f"B{middle}D,DNH->B{middle}NH",
        output_shape=(*(None,) * len(middle), heads, size),
        bias_axes="NH" if use_bias else None,
        kernel_initializer=clone(initializer),
        **kwargs,
    )
    dense.build(input_shape)
    return _drawn_as_a_matrix(dense, initializer, (input_shape[-1], heads * size))


def out_of_heads(input_shape, output_shape, use_bias, initializer, **kwargs):
    """Builds the projection of `input_shape` [B, *T, N, V] to features [B, *T, *output_shape]."""
    out = OUT[: len(output_shape)]
    kind, middle = _kind(use_bias, output_shape[-1], len(input_shape) - 3)
    dense = kind(
        f"B{middle}NH,NH{out}->B{middle}{out}",
        output_shape=(*(None,) * len(middle), *output_shape),
        bias_axes=out if use_bias else None,
        kernel_initializer=clone(initializer),
        **kwargs,
    )
    dense.build(input_shape)
    return _drawn_as_a_matrix(dense, initializer, (input_shape[-2] * input_shape[-1], math.prod(output_shape)))


def _kind(use_bias, last, middle):
    """The class of a projection, and the letters of its axes between batch and features."""
    if use_bias and last == 1:
        return WithAxisOfOne, MIDDLE[: middle + 1]
    return Projection, MIDDLE[:middle]


def clone(initializer):
    """Copies an initializer: one object gives every weight the same values."""
    if not hasattr(initializer, "get_config"):
        return initializer
    return type(initializer).from_config(initializer.get_config())


def _drawn_as_a_matrix(dense, initializer, shape):
    """Initializes the kernel as a matrix where Keras would treat [D, N, H] as a convolution.

    Older Keras computes the fans of a kernel of rank 3 as of a convolution, which makes Glorot's limit six times too
    small at D = 512.
    """
    scaled = isinstance(initializer, keras.initializers.VarianceScaling)
    if scaled and not hasattr(initializer, "input_axes") and hasattr(dense, "_kernel"):
        kernel = clone(initializer)(shape, dtype=dense.variable_dtype)
        dense._kernel.assign(ops.reshape(kernel, dense._kernel.shape))
    return dense
