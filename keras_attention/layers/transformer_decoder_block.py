"""Decoder block of the Transformer."""

from collections.abc import Callable
from typing import Any

import keras

from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.prepared_steps import is_plain
from keras_attention.layers.bases.transformer_block import TransformerBlock
from keras_attention.layers.multi_head_attention import MultiHeadAttention
from keras_attention.ops import require_boolean
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.types import Nest, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerDecoderBlock(TransformerBlock):
    r"""Transformer decoder block: causal self-attention, cross-attention and a feed-forward network.

    $$ x \leftarrow \mathrm{LN}(x + \mathrm{Dropout}(f(x))), \quad
       f = \mathrm{Attention}(x, x, x), \; \mathrm{Attention}(x, m, m), \; \mathrm{FFN}(x) $$

    in turn, as in "Attention Is All You Need", section 3.1
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)); built without a memory,
    the causal block of decoder-only models, without the cross-attention
    ([Radford et al., 2018](https://openai.com/research/language-unsupervised)). Written out, with B
    batch, T length, S length of the memory, N heads, D model width:

        x:      [B, T, D] = LN(inputs + drop(attention over inputs, s <= t))
        x:      [B, T, D] = LN(x + drop(attention over memory))
        output: [B, T, D] = LN(x + drop(relu(x W_1 + b_1) W_2 + b_2))

    Differs from the paper: as `TransformerEncoderBlock`. `norm_first` does not
    normalize the memory: the encoder has done so.

    Masking: `inputs_mask` and `memory_mask`, or the Keras masks of both; that of
    `inputs` is propagated. Padding is not attended to.

    Args:
        num_heads: Positive int N.
        intermediate_dim: Positive int, the width inside the feed-forward network.
        key_dim: Int, size of a head of queries and keys; `None` means D // N.
        value_dim: Int, size of a head of values; `None` means D // N.
        dropout: Float in [0, 1), dropout rate on the output of each sub-layer.
        attention_dropout: Float in [0, 1), dropout rate on the scores; 0 in the paper.
        activation: Activation of the feed-forward network: a name or function of Keras,
            or `"gelu_tanh"`, the approximation of GELU by tanh.
        norm_first: Whether to normalize the input of a sub-layer (pre-norm) instead of
            the sum (post-norm, as in the paper).
        use_bias: Whether the attention's projections have biases.
        epsilon: Positive float, of the layer normalizations.
        kernel_initializer: Initializer of all kernels.
        seed: Int, seed of the dropout.
        attention: What the self-attention has beyond the arguments above: a dict of
            further arguments of `MultiHeadAttention` (`num_key_value_heads`, `rotary`,
            `sliding_window`, ...); or a layer, called as it, in its place.
        feed_forward: Dict of further arguments of `FeedForward`; or a layer in its
            place, such as `GatedFeedForward`.
        norm: `"layer"`, layer normalization, or `"rms"`, `RMSNormalization`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        memory: [B, S, D'], the encoder's output; not needed with a `cache`. If the first
            call (or `build`) is without, the block has no cross-attention.
        inputs_mask: [B, T]. True marks positions that take part.
        memory_mask: [B, S].
        attention_mask: [T, T], [B, T, T] or [B, N, T, T], of the self-attention, in
            addition to the causal mask. True marks positions that take part.
        memory_attention_mask: [T, S], [B, T, S] or [B, N, T, S], of the
            cross-attention.
        attention_bias: Added to the logits of the self-attention: [B|1, N|1, T, T], or
            by distance [B|1, N, 2T-1]. With a cache of length L, S = L.
        cache: What `make_cache` or the previous step returned. It holds the masks of
            the inputs written so far (padding on either side) and of the memory.
        cache_index: Position of the first of `inputs`: int or int32 scalar tensor.
        use_causal_mask: Whether a position attends to no later one; with a cache,
            always.
        training: Whether to apply dropout.
        return_attention_scores: Whether to also return the scores.

    Returns:
        `output`, `(output, scores)`, with a cache `(output, cache)` or `(output,
        scores, cache)`: output [B, T, D]; scores `{"self": [B, N, T, T or L],
        "memory": [B, N, T, S]}`, the latter with a memory; the cache with the keys and values of `inputs`
        written at `cache_index`.

    Raises:
        ValueError: If a block that was built with a memory gets neither `memory` nor a
            cache, one that was built without gets `memory`, or a cache is given
            without `cache_index`.

    Example:

    >>> from keras_attention.layers import TransformerDecoderBlock
    >>> block = TransformerDecoderBlock(num_heads=4, intermediate_dim=64)
    >>> block(keras.Input((None, 16)), keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def build(self, inputs_shape, memory_shape=None):
        self.self_attention = self._attention("self_attention", inputs_shape, inputs_shape, 1, self.attention)
        self.self_attention_norm = self._norm("self_attention_norm", inputs_shape)
        self.memory_attention = None
        if memory_shape is not None:
            self.memory_attention = self._attention("memory_attention", inputs_shape, memory_shape, 2)
            self.memory_attention_norm = self._norm("memory_attention_norm", inputs_shape)
        self._build_feed_forward(inputs_shape)

    def make_cache(
        self,
        memory: Tensor | None = None,
        max_length: int | Tensor | None = None,
        memory_mask: Tensor | None = None,
        batch_size: int | Tensor | None = None,
    ) -> Nest:
        """Returns a cache for decoding: the projected memory and an empty key/value cache for `max_length` positions.

        Args:
            memory: [B, S, D'], if the block was built with a memory.
            max_length: Positive int or int32 scalar tensor, the maximum number of
                positions.
            memory_mask: [B, S]. True marks positions that take part. The cache keeps
                it.
            batch_size: Int or int32 scalar tensor B, if the block was built without a
                memory.

        Returns:
            `{"self": {"key", "value", "mask"}, "memory": {"key", "value"}}`, with the
            "mask" of the memory if there is one, without "memory" if the block was
            built without; every tensor batch first.

        Raises:
            ValueError: If the block is not built, or not the one of `memory` and
                `batch_size` is given that it needs.
        """
        self._require_built("make_cache")
        has = self.memory_attention is not None
        if (memory is not None) != has or (batch_size is None) != has:
            needed = "`memory` and no `batch_size`" if has else "`batch_size` and no `memory`"
            raise ValueError(
                f"`make_cache` of a block built {'with' if has else 'without'} a memory must be given {needed}. "
                f"Received: batch_size={batch_size}, memory {'not given' if memory is None else 'given'}"
            )
        batch_size = keras.ops.shape(memory)[0] if has else batch_size
        cache = {"self": self.self_attention.make_cache(batch_size, max_length)}
        if has:
            cache["memory"] = self.memory_attention.project_memory(memory, mask=memory_mask)
        return cache

    def prepare_step(self) -> Callable[..., Any] | None:
        """Returns `step(x [B, D], cache, index) -> (x [B, D], cache)`, a call on one position with a cache.

        Weights are read and laid out here, once for all steps. `None` if a subclass or quantization needs the call.
        """
        own, ask = self.self_attention, self.memory_attention
        attentions = [own] if ask is None else [own, ask]
        plain = type(self) is TransformerDecoderBlock and all(type(x) is MultiHeadAttention for x in attentions)
        network = self.feed_forward.prepare_step() if hasattr(self.feed_forward, "prepare_step") else None
        if not plain or network is None or not all(is_plain(x) for one in attentions for x in one._projections()):
            return None
        own, ask = own.prepare_cached_step(), None if ask is None else ask.prepare_memory_step()

        def step(x, cache, index):
            y, written = own(self._enter(self.self_attention_norm, x), cache["self"], index)
            x = self._leave(self.self_attention_norm, x, y, False)
            if ask is not None:
                y = ask(self._enter(self.memory_attention_norm, x), cache["memory"])
                x = self._leave(self.memory_attention_norm, x, y, False)
            y = network(self._enter(self.feed_forward_norm, x))
            return self._leave(self.feed_forward_norm, x, y, False), {**cache, "self": written}

        return step

    def call(
        self,
        inputs: Tensor,
        memory: Tensor | None = None,
        inputs_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        memory_attention_mask: Tensor | None = None,
        attention_bias: Tensor | None = None,
        cache: Nest | None = None,
        cache_index: int | Tensor | None = None,
        use_causal_mask: bool = True,
        training: bool | None = None,
        return_attention_scores: bool = False,
    ) -> Nest:
        self._check_cache(memory, memory_mask, cache, cache_index)
        check_padding(inputs_mask, "inputs_mask", tuple(inputs.shape[:-1]), "the inputs")
        if memory is not None:
            check_padding(memory_mask, "memory_mask", tuple(memory.shape[:-1]), "the memory")
        inputs, memory, cache = self._autocast(inputs, memory, cache)
        # NaN in padding would reach the gradients of the normalizations and the feed-forward network.
        inputs = zero_padding(inputs, require_boolean(inputs_mask, "inputs_mask"))
        x = self._enter(self.self_attention_norm, inputs)
        options = {"training": training, "return_attention_scores": return_attention_scores}
        given = {"attention_mask": attention_mask, "attention_bias": attention_bias, **options}
        y, self_scores, self_cache = self._attend_to_itself(x, inputs_mask, cache, cache_index, use_causal_mask, given)
        x = self._leave(self.self_attention_norm, inputs, y, training)
        scores = {"self": self_scores}
        if self.memory_attention is not None:
            masks = {"query_mask": inputs_mask, "value_mask": memory_mask, "attention_mask": memory_attention_mask}
            y = self._enter(self.memory_attention_norm, x)
            y, scores["memory"] = self._attend_to_memory(y, memory, cache, {**masks, **options})
            x = self._leave(self.memory_attention_norm, x, y, training)
        y = self.feed_forward(self._enter(self.feed_forward_norm, x))
        output = self._leave(self.feed_forward_norm, x, y, training)
        more = [scores] * return_attention_scores + [{**(cache or {}), "self": self_cache}] * (cache is not None)
        return (output, *more) if more else output

    def compute_output_shape(self, inputs_shape, memory_shape=None):
        return tuple(inputs_shape)

    def compute_output_spec(
        self, inputs, memory=None, *args, cache=None, cache_index=None, return_attention_scores=False, **kwargs
    ):
        self._check_cache(memory, None, cache, cache_index)
        B, T, _ = inputs.shape
        keys = {"self": T if cache is None else cache["self"]["key"].shape[2]}
        if memory is not None or "memory" in (cache or {}):
            keys["memory"] = memory.shape[1] if cache is None else cache["memory"]["key"].shape[2]
        shapes = {name: (B, self.num_heads, T, length) for name, length in keys.items()}
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        scores = {name: keras.KerasTensor(shape, dtype=self.compute_dtype) for name, shape in shapes.items()}
        written = keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, dtype=self.compute_dtype), cache or {})
        more = [scores] * return_attention_scores + [written] * (cache is not None)
        return (output, *more) if more else output

    def _attend_to_itself(self, x, mask, cache, cache_index, causal, given):
        """The output, the scores or `None`, and the new cache or `None`; `given`: further call arguments."""
        scored = given["return_attention_scores"]
        if cache is not None:
            y = self.self_attention(x, query_mask=mask, cache=cache["self"], cache_index=cache_index, **given)
            return (y[0], y[1], y[2]) if scored else (y[0], None, y[1])
        y = self.self_attention(x, x, query_mask=mask, value_mask=mask, use_causal_mask=causal, **given)
        return (y[0], y[1], None) if scored else (y, None, None)

    def _attend_to_memory(self, x, memory, cache, given):
        """The output, and the scores or `None`; `given`: further call arguments."""
        source = {"value": memory} if cache is None else {"memory": cache["memory"]}
        y = self.memory_attention(x, **source, **given)
        return y if given["return_attention_scores"] else (y, None)

    def _check_cache(self, memory, memory_mask, cache, cache_index):
        if (cache is None) != (cache_index is None):
            raise ValueError(
                "`cache` and `cache_index` must be given together. "
                f"Received: cache {'not given' if cache is None else 'given'}, cache_index={cache_index}"
            )
        if not self.built:
            return
        has = self.memory_attention is not None
        if has and cache is None and memory is None:
            raise ValueError(
                "Either `memory` or `cache` must be given: the block was built with a memory. "
                "Received: memory=None, cache=None"
            )
        for name, given in (("memory", memory), ("memory_mask", memory_mask)):
            if not has and given is not None:
                raise ValueError(
                    f"`{name}` must be given in the first call or not at all: the block was built without a memory. "
                    f"Received: {name} given"
                )
