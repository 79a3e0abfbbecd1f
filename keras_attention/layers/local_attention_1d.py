"""Local self-attention over a sequence."""

from typing import Unpack

import keras

from keras_attention.layers.bases.local_attention import LocalAttention
from keras_attention.ops.block_local.cache import ring_length
from keras_attention.ops.block_local.masks import Blocks
from keras_attention.ops.require import require_int
from keras_attention.types import Constraint, Initializer, LayerOptions, Nest, Regularizer, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class LocalAttention1D(LocalAttention):
    r"""Local self-attention over a sequence: each position attends to its block and to the memory around it.

    $$ \mathrm{output}_t = \sum_{s \in M(t)} \mathrm{softmax}_{s \in M(t)}\left(\frac{q_t \cdot k_s}{\sqrt{H}}\right)
       v_s \, W^O $$

    as in "Image Transformer", section 3.3, "1D local attention"
    ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)); M(t) is the mask of `ops.local_mask_1d`. Written out,
    with B batch, T positions, N heads, H `key_dim`, V `value_dim`:

        q, k:    [B, T, N, H] = inputs . W_Q, inputs . W_K;  v: [B, T, N, V] = inputs . W_V
        context: [B, T, N, V] = softmax of q . k / sqrt(H) over the memory of the block of q, . v
        output:  [B, T, D]    = context . W_O

    The memory of a block is the block itself, `memory_block` positions before it and, unless causal, as many after it.
    Time and memory grow with T times its size; only `return_attention_scores` builds [T, T].

    The `block_length` of the published code sets both `query_block` and `memory_block`; with `causal`, a position then
    attends to between block_length + 1 and 2 block_length keys from the second block on.

    Differs from the paper: the projections have biases unless `use_bias=False` (the published code has none); a length
    that is no multiple of the block is padded at the end, and the padding masked. `dropout` is not in the published
    code.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding is zeroed before the projections, so
    that NaN in it reaches neither the output nor a gradient; its context is zero.

    Args:
        num_heads: Positive int, N.
        key_dim: Positive int, H: the size of a head of queries and keys.
        query_block: Positive int, the size of a block.
        memory_block: Int, 0 or more: how many positions beyond itself a block attends to.
        causal: Whether a position attends to no later one.
        dilation: Positive int, d: a position attends only to positions at a distance that is a multiple of d; blocks
            and memory count these positions.
        value_dim: Positive int, V; `None` means `key_dim`.
        use_bias: Whether the projections have biases.
        dropout: Float in [0, 1): the fraction of scores dropped in training.
        kernel_initializer, bias_initializer: Initializers of the projections.
        kernel_regularizer, bias_regularizer: Their regularizers.
        kernel_constraint, bias_constraint: Their constraints.
        seed: Int, seed of the dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        mask: [B, T]. True marks positions that take part; `None` means the Keras mask.
        return_attention_scores: Whether to also return the scores, as large as those of full attention.
        score_queries: Integers [R], positions of queries (negative ones from the end): the scores
            are those of these queries alone, [B, N, R, T]; no others are computed.
        cache: What `make_cache` or the previous step returned; needs `causal`. `inputs` then holds only the next
            positions, which attend to those in the cache. A step takes the same time and memory at any position.
        cache_index: With a cache, the position of the first of `inputs`.
        training: Whether to apply dropout; ignored with a cache.

    Returns:
        [B, T, D]; or (output, scores [B, N, T, T]) with `return_attention_scores`; or (output, cache) with a cache.

    Raises:
        ValueError: If a mask is floating, or a shape does not fit.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import LocalAttention1D
    >>> layer = LocalAttention1D(num_heads=2, key_dim=4, query_block=3, memory_block=2, causal=True)
    >>> tuple(layer(np.ones((2, 7, 6))).shape)
    (2, 7, 6)
    """

    AXES = ("T",)

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        query_block: int,
        memory_block: int,
        causal: bool = False,
        dilation: int = 1,
        value_dim: int | None = None,
        use_bias: bool = True,
        dropout: float = 0.0,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            num_heads,
            key_dim,
            causal=causal,
            value_dim=value_dim,
            dropout=dropout,
            seed=seed,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.query_block = require_int(query_block, "query_block")
        self.memory_block = require_int(memory_block, "memory_block", least=0)
        self.dilation = require_int(dilation, "dilation")
        self._blocks = Blocks.of_sequence(self.query_block, self.memory_block, self.causal, self.dilation)

    def make_cache(self, batch_size: int | Tensor, max_length: int | Tensor) -> Nest:
        """Returns an empty cache; it holds only the keys within reach, which may be fewer than `max_length`."""
        require_int(max_length, "max_length")
        return self._empty_cache(batch_size, ring_length(self._blocks, max_length), 1)

    def get_config(self):
        sizes = {"query_block": self.query_block, "memory_block": self.memory_block, "dilation": self.dilation}
        return {**super().get_config(), **sizes}

    def _rows_and_columns(self, dims):
        return dims[1], 1

    def _coordinates(self, index, cache):
        return index, 0, index + 1

    def _room(self, cache):
        slots = cache["mask"].shape[1]
        # A ring buffer as long as the reach takes any number of positions.
        return None if slots is None or slots >= ring_length(self._blocks, slots + 1) else slots
