"""Local self-attention over an image."""

from collections.abc import Sequence
from typing import Unpack

import keras

from keras_attention.layers.bases.local_attention import LocalAttention
from keras_attention.ops.block_local.masks import Blocks
from keras_attention.ops.pixel_order import generation_coordinates
from keras_attention.ops.require import require_int, require_pair
from keras_attention.types import Constraint, Initializer, LayerOptions, Nest, Regularizer, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class LocalAttention2D(LocalAttention):
    r"""Local self-attention over an image: each pixel attends to its block and to the memory around it.

    $$ \mathrm{output}_t = \sum_{s \in M(t)} \mathrm{softmax}_{s \in M(t)}\left(\frac{q_t \cdot k_s}{\sqrt{H}}\right)
       v_s \, W^O $$

    as in "Image Transformer", section 3.3, "2D local attention"
    ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)); M(t) is the mask of `ops.local_mask_2d`. Written out,
    with B batch, Y rows, X columns, N heads, H `key_dim`, V `value_dim`, blocks of (qh, qw) pixels and a memory of
    (fh, fw) around them:

        q, k:    [B, Y, X, N, H] = inputs . W_Q, inputs . W_K;  v: [B, Y, X, N, V] = inputs . W_V
        context: [B, Y, X, N, V] = softmax of q . k / sqrt(H) over the memory of the block of q, . v
        output:  [B, Y, X, D]    = context . W_O

    The memory of a block is (qh + 2 fh) x (qw + 2 fw) pixels; if causal, qh qw + fh (qw + 2 fw) + qh fw of them: those
    above, above to the right and to the left, and those of the block that are not later. Time and memory grow with Y X
    times that; only `return_attention_scores` builds [Y, X, Y, X]. Narrow blocks are computed several at once along
    their row, with the logits of all their memories: for one column with a flat memory some tens of times as many.

    Causal refers to the generation order: row by row of blocks, within it block by block, within a block row by row, as
    in `ops.shift_right(x, block=query_block)` (dilated: blocks of `query_block * dilation`). That is not the raster
    order of the image.

    Differs from the paper: the projections have biases unless `use_bias=False` (the published code has none). Differs
    from the published code: sizes that are no multiple of the block are padded on the right and at the bottom, and the
    padding is masked (there it takes part in the softmax); pixels outside the image are masked by their position, not
    by a key of zeros; `dropout` is new.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding is zeroed before the projections, so
    that NaN in it reaches neither the output nor a gradient; its context is zero.

    Args:
        num_heads: Positive int, N.
        key_dim: Positive int, H: the size of a head of queries and keys.
        query_block: Two positive ints (qh, qw), or one for both: the size of a block.
        memory_block: Two ints (fh, fw), or one for both, 0 or more: how many rows and columns beyond itself a block
            attends to.
        causal: Whether a pixel attends only to itself and earlier pixels in generation order.
        dilation: Two positive ints (dy, dx), or one for both: a pixel attends only to pixels at a multiple of these
            distances; blocks and memory count these pixels.
        value_dim: Positive int, V; `None` means `key_dim`.
        use_bias: Whether the projections have biases.
        dropout: Float in [0, 1): the fraction of scores dropped in training.
        kernel_initializer, bias_initializer: Initializers of the projections.
        kernel_regularizer, bias_regularizer: Their regularizers.
        kernel_constraint, bias_constraint: Their constraints.
        seed: Int, seed of the dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, D].
        mask: [B, Y, X] or [B, Y]. True marks positions that take part; `None` means the Keras mask.
        return_attention_scores: Whether to also return the scores, as large as those of full attention.
        score_queries: Integers [R], positions y * X + x of queries (negative ones from the end): the
            scores are those of these queries alone, [B, N, R, Y, X]; no others are computed.
        cache: What `make_cache` or the previous step returned; needs `causal`. `inputs` and output are then only the
            next pixels [B, pixels, D] in generation order, which attend to those in the cache. A step takes the same
            time at any pixel.
        cache_index: With a cache, the position of the first of `inputs` in generation order.
        training: Whether to apply dropout; ignored with a cache.

    Returns:
        [B, Y, X, D]; or (output, scores [B, N, Y, X, Y, X]) with `return_attention_scores`: query axes, then key axes;
        or (output, cache) with a cache.

    Raises:
        ValueError: If a mask is floating, or a shape does not fit.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import LocalAttention2D
    >>> layer = LocalAttention2D(num_heads=2, key_dim=4, query_block=(2, 3), memory_block=(1, 2), causal=True)
    >>> tuple(layer(np.ones((2, 5, 7, 6))).shape)
    (2, 5, 7, 6)
    """

    AXES = ("Y", "X")

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        query_block: int | Sequence[int],
        memory_block: int | Sequence[int],
        causal: bool = False,
        dilation: int | Sequence[int] = 1,
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
        self.query_block = require_pair(query_block, "query_block")
        self.memory_block = require_pair(memory_block, "memory_block", least=0)
        self.dilation = require_pair(dilation, "dilation")
        self._blocks = Blocks(self.query_block, self.memory_block, self.dilation, self.causal)

    def make_cache(self, batch_size: int | Tensor, height: int, width: int) -> Nest:
        """Returns an empty cache for an image of `height` x `width` pixels."""
        require_int(height, "height")
        require_int(width, "width")
        return self._empty_cache(batch_size, height, width)

    def get_config(self):
        sizes = {"query_block": self.query_block, "memory_block": self.memory_block, "dilation": self.dilation}
        return {**super().get_config(), **sizes}

    def _rows_and_columns(self, dims):
        return dims[1], dims[2]

    def _coordinates(self, index, cache):
        Y, X = cache["mask"].shape[1:3]
        size = [q * d for q, d in zip(self.query_block, self.dilation, strict=True)]
        return *generation_coordinates(index, Y, X, size), Y

    def _room(self, cache):
        Y, X = cache["mask"].shape[1:3]
        return None if Y is None or X is None else Y * X
