"""Block of the Image Transformer."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_attention.layers.bases.checks import check_padding, require_grid
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.bases.transformer_block import TransformerBlock
from keras_attention.layers.local_attention_1d import LocalAttention1D
from keras_attention.layers.local_attention_2d import LocalAttention2D
from keras_attention.ops.require import is_int, require_bool, require_int, require_pair
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.types import Nest, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageTransformerBlock(TransformerBlock):
    r"""Image Transformer block: local self-attention and a feed-forward network, with residuals and normalization.

    $$ q_a = \mathrm{LN}\left(q + \mathrm{Dropout}\left(\mathrm{softmax}\left(
       \frac{W_q q \, (M W_k)^\top}{\sqrt{H}}\right) M W_v\right)\right), \quad
       q' = \mathrm{LN}(q_a + \mathrm{Dropout}(W_1 \mathrm{ReLU}(W_2 q_a))) $$

    as in "Image Transformer", eq. 1 and 2 ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)); M is the memory of
    the query block of q. Written out, with B batch, Y rows, X columns, D model width, S length of an optional memory
    (an encoder's output):

        x:      [B, Y, X, D] = LN(inputs + drop(local attention over inputs))
        x:      [B, Y, X, D] = LN(x + drop(attention over the memory)), if there is one
        output: [B, Y, X, D] = LN(x + drop(relu(x W_1 + b_1) W_2 + b_2))

    With ints for `query_block` and `memory_block` the positions are one sequence in raster order, attended by
    `LocalAttention1D`; with pairs the blocks are rectangles, attended by `LocalAttention2D`.

    Differs from the paper: the equation shows one head and no output projection; as in the published code there are
    several heads and a projection, without biases unless `use_bias=True`. Layer normalization with epsilon 1e-6.

    Masking: `mask` or `inputs_mask`, and `memory_mask`, or the Keras masks. Padding is not attended to.

    Args:
        num_heads: Positive int N.
        intermediate_dim: Positive int, the width inside the feed-forward network.
        query_block: Size of a query block: an int, or a pair (rows, columns).
        memory_block: How many positions beyond itself a block attends to: an int or a pair, as `query_block`.
        causal: Whether a position attends only to itself and earlier positions in generation order.
        **kwargs: `key_dim`, `value_dim`, `dropout`, `attention_dropout`, `activation`, `norm_first`, `use_bias`,
            `epsilon`, `kernel_initializer` and `seed` as in `TransformerEncoderBlock`; `name`, `dtype` and the rest of
            `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, D]; with a cache [B, positions, D], in generation order.
        memory: [B, S, D'], or `None`. Not needed with a `cache`.
        mask: [B, Y, X] or [B, Y]. True marks positions that take part.
        memory_mask: [B, S].
        cache: What `make_cache` or the previous step returned.
        cache_index: Position of the first of `inputs` in generation order: int or int32 scalar tensor.
        training: Whether to apply dropout.
        inputs_mask: The same as `mask`: the name under which Keras passes the mask of `inputs` where other tensors are
            given too.

    Returns:
        Tensor shaped like `inputs`; with a cache (output, cache).

    Raises:
        ValueError: If shapes do not fit, a cache is given without `cache_index`, or a block that was built with a
            memory is called without.

    Example:

    >>> from keras_attention.layers import ImageTransformerBlock
    >>> block = ImageTransformerBlock(num_heads=4, intermediate_dim=64, query_block=(8, 16), memory_block=(4, 8))
    >>> block(keras.Input((None, None, 16))).shape
    (None, None, None, 16)
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        query_block: int | Sequence[int],
        memory_block: int | Sequence[int],
        causal: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_heads, intermediate_dim, **kwargs)
        if self.attention is not None:
            raise ValueError(
                "`attention` must be `None`: this block's is `LocalAttention1D` or `LocalAttention2D`. "
                f"Received: attention={self.attention}"
            )
        if is_int(query_block) != is_int(memory_block):
            raise ValueError(
                "`query_block` and `memory_block` must be two ints or two pairs. "
                f"Received: query_block={query_block!r}, memory_block={memory_block!r}"
            )
        self.two_dimensional = not is_int(query_block)
        require = require_pair if self.two_dimensional else require_int
        self.query_block = require(query_block, "query_block")
        self.memory_block = require(memory_block, "memory_block", least=0)
        self.causal = require_bool(causal, "causal")

    def build(self, inputs_shape, memory_shape=None):
        require_grid(inputs_shape)
        self.self_attention = self._local_attention(inputs_shape)
        self.self_attention_norm = self._norm("self_attention_norm", inputs_shape)
        self.memory_attention = None
        if memory_shape is not None:
            flat = (inputs_shape[0], None, inputs_shape[-1])
            self.memory_attention = self._attention("memory_attention", flat, memory_shape, 2)
            self.memory_attention_norm = self._norm("memory_attention_norm", inputs_shape)
        self._build_feed_forward(inputs_shape)

    def make_cache(
        self,
        batch_size: int | Tensor,
        height: int,
        width: int,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
    ) -> Nest:
        """Returns an empty cache to generate an image of `height` x `width` positions.

        Args:
            batch_size: Int or int32 scalar tensor, B.
            height, width: Ints, Y and X.
            memory: [B, S, D'], projected once; required if the block was built with a memory.
            memory_mask: [B, S]. True marks positions that take part. The cache keeps it.

        Returns:
            Nested dicts of tensors, batch first.
        """
        self._require_built("make_cache")
        size = (height, width) if self.two_dimensional else (height * width,)
        cache = {"self": self.self_attention.make_cache(batch_size, *size)}
        if self.memory_attention is not None:
            cache["memory"] = self.memory_attention.project_memory(memory, mask=memory_mask)
        return cache

    def call(
        self,
        inputs: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: Nest | None = None,
        cache_index: int | Tensor | None = None,
        training: bool | None = None,
        inputs_mask: Tensor | None = None,
    ) -> Nest:
        self._check_memory(memory, cache)
        for name, given in (("mask", mask), ("inputs_mask", inputs_mask)):
            check_padding(given, name, tuple(inputs.shape[:-1]), "the inputs")
        if memory is not None:
            check_padding(memory_mask, "memory_mask", tuple(memory.shape[:-1]), "the memory")
        mask = full_mask(inputs_mask if mask is None else mask, ops.shape(inputs)[:-1])
        inputs, memory, cache = self._autocast(inputs, memory, cache)
        # NaN in padding would reach the gradients of the normalizations and the feed-forward network.
        inputs = zero_padding(inputs, mask)
        x = self._enter(self.self_attention_norm, inputs)
        y, written = self._attend_to_itself(x, mask, cache, cache_index, training)
        x = self._leave(self.self_attention_norm, inputs, y, training)
        if self.memory_attention is not None:
            read = self._enter(self.memory_attention_norm, x)
            y = self._attend_to_memory(read, memory, memory_mask, cache, training)
            x = self._leave(self.memory_attention_norm, x, y, training)
        y = self.feed_forward(self._enter(self.feed_forward_norm, x))
        output = self._leave(self.feed_forward_norm, x, y, training)
        return output if cache is None else (output, {**cache, "self": written})

    def compute_output_shape(self, inputs_shape, memory_shape=None):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, memory=None, *args, cache=None, **kwargs):
        self._check_memory(memory, cache)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if cache is None:
            return output
        return output, keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, dtype=x.dtype), cache)

    def get_config(self):
        return {
            **super().get_config(),
            "query_block": self.query_block,
            "memory_block": self.memory_block,
            "causal": self.causal,
        }

    def _local_attention(self, inputs_shape):
        D, N = inputs_shape[-1], self.num_heads
        if None in (self.key_dim, self.value_dim) and D % N:
            raise ValueError(
                "The width of `inputs` must be divisible by `num_heads`, or `key_dim` and `value_dim` be given. "
                f"Received: inputs.shape={tuple(inputs_shape)}, num_heads={N}"
            )
        attention = (LocalAttention2D if self.two_dimensional else LocalAttention1D)(
            N,
            self.key_dim or D // N,
            self.query_block,
            self.memory_block,
            causal=self.causal,
            value_dim=self.value_dim or D // N,
            use_bias=self.use_bias,
            dropout=self.attention_dropout,
            kernel_initializer=clone(self.kernel_initializer),
            seed=None if self.seed is None else self.seed + 1,
            name="self_attention",
            dtype=self.dtype_policy,
        )
        attention.build(tuple(inputs_shape) if self.two_dimensional else (inputs_shape[0], None, D))
        return attention

    def _attend_to_itself(self, x, mask, cache, cache_index, training):
        if cache is not None:
            return self.self_attention(x, mask=mask, cache=cache["self"], cache_index=cache_index)
        if self.two_dimensional:
            return self.self_attention(x, mask=mask, training=training), None
        mask = None if mask is None else ops.reshape(mask, (ops.shape(x)[0], math.prod(ops.shape(x)[1:3])))
        y = self.self_attention(_flat(x), mask=mask, training=training)
        return ops.reshape(y, ops.shape(x)), None

    def _attend_to_memory(self, x, memory, mask, cache, training):
        source = {"value": memory} if cache is None else {"memory": cache["memory"]}
        y = self.memory_attention(_flat(x), **source, value_mask=mask, training=training)
        return ops.reshape(y, ops.shape(x))

    def _check_memory(self, memory, cache):
        if self.built and cache is None and (memory is None) != (self.memory_attention is None):
            raise ValueError(
                "A block reads a `memory` either in all calls or in none. Received: memory "
                f"{'not given' if memory is None else 'given'}, other than when the block was built"
            )


def _flat(x):
    """[B, Y, X, D] -> [B, Y·X, D]; unchanged if it is flat."""
    B, *positions, D = ops.shape(x)
    return ops.reshape(x, (B, math.prod(positions), D))
