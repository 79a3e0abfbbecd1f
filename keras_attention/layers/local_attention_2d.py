"""Local attention over an image: blocks of queries, each with the memory around it."""

import keras

from keras_attention.layers.bases.local_attention import LocalAttention
from keras_attention.ops.block_local.masks import Blocks
from keras_attention.ops.pixel_order import generation_coordinates
from keras_attention.ops.require import require_int, require_pair


@keras.saving.register_keras_serializable(package="keras_attention")
class LocalAttention2D(LocalAttention):
    r"""Self-attention of each pixel to the block of an image that it lies in, and to the memory around that block.

    $$ \mathrm{output}_t = \sum_{s \in M(t)} \mathrm{softmax}_{s \in M(t)}\left(\frac{q_t \cdot k_s}{\sqrt{H}}\right)
       v_s \, W^O $$

    as in "Image Transformer", section 3.3, "2D local attention"
    ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)); M(t) is what `ops.local_mask_2d` says. Written out, with
    B batch, Y rows, X columns, N heads, H `key_dim`, V `value_dim`, blocks of (qh, qw) pixels and a memory of
    (fh, fw) around them:

        q, k:    [B, Y, X, N, H] = inputs . W_Q, inputs . W_K;  v: [B, Y, X, N, V] = inputs . W_V
        context: [B, Y, X, N, V] = softmax of q . k / sqrt(H) over the memory of the block of q, . v
        output:  [B, Y, X, D]    = context . W_O

    The memory of a block is (qh + 2 fh) x (qw + 2 fw) pixels; causal, qh qw + fh (qw + 2 fw) + qh fw of them: what is
    above, above to the right and to the left, and of the block itself what is not later. Time and memory grow with
    Y X times that (blocks of few columns are computed several at once along their row, and then score all of what
    these see: of one column with a flat memory, some tens of times as much); only `return_attention_scores` makes
    [Y, X, Y, X].

    Causal means the order of generation: one row of blocks after the other, in it block after block, in a block row by
    row, as `ops.shift_right(x, block=query_block)` shifts (dilated: by blocks of `query_block * dilation`). That is not
    the order of the rows of the image.

    Differs from the paper: the projections have biases unless `use_bias=False` (the published code has none).
    Differs from the published code: sizes that do not divide, or are smaller than a block, are padded on the right and
    at the bottom, and the padding is masked (there it takes part in the softmax); whether a pixel lies outside of the
    image is known from its place, not from a key of zeros; the scores may be dropped in training.

    Masking: `mask`, or the Keras mask of the inputs, is used and handed on. Padding is zeroed before the projections,
    so that NaN in it reaches neither the output nor a gradient, and its own context is zero.

    Args:
        num_heads: Positive int, N.
        key_dim: Positive int, H: the size of a head of queries and keys.
        query_block: Two positive ints (qh, qw), or one for both: the pixels of a block.
        memory_block: Two ints (fh, fw), or one for both, 0 or more: how far a block sees beyond itself, in rows and in
            columns.
        causal: Whether a pixel sees only what is generated before it, and itself.
        dilation: Two positive ints (dy, dx), or one for both: a pixel sees only pixels a multiple of so many rows and
            columns away; blocks and memory are counted in these.
        value_dim: Positive int, V; `None` means `key_dim`.
        use_bias: Whether the projections have biases.
        dropout: Float in [0, 1): the share of scores dropped in training.
        kernel_initializer, bias_initializer: Initialisers of the projections.
        kernel_regularizer, bias_regularizer: Their regularisers.
        kernel_constraint, bias_constraint: Their constraints.
        seed: Int seed of the dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, D].
        mask: [B, Y, X] or [B, Y], true = no padding; `None` means the Keras mask.
        return_attention_scores: Whether to return the scores too; they are as large as those of full attention.
        cache: What `make_cache` or the step before returned; needs `causal`. The inputs are then only the next pixels
            [B, pixels, D] in the order of generation, which see what was written before them, and so is the output. A
            step takes the same time at any pixel.
        cache_index: With a cache: which of all pixels, in the order of generation, the first of the inputs is.
        training: Whether to drop scores; with a cache none are.

    Returns:
        [B, Y, X, D]; or (output, scores [B, N, Y, X, Y, X]) with `return_attention_scores`: the axes of the queries,
        then those of the keys; or (output, cache) with a cache.

    Raises:
        ValueError: If a mask is floating, or a shape is not as above.

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
        num_heads,
        key_dim,
        query_block,
        memory_block,
        causal=False,
        dilation=1,
        value_dim=None,
        use_bias=True,
        dropout=0.0,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        seed=None,
        **kwargs,
    ):
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

    def make_cache(self, batch_size, height, width):
        """Returns an empty cache for an image of `height` x `width` pixels."""
        require_int(height, "height")
        require_int(width, "width")
        return self._empty_cache(batch_size, height, width)

    def get_config(self):
        sizes = {"query_block": self.query_block, "memory_block": self.memory_block, "dilation": self.dilation}
        return {**super().get_config(), **sizes}

    def _rows_and_columns(self, dims):
        return dims[1], dims[2]

    def _place(self, index, cache):
        Y, X = cache["mask"].shape[1:3]
        size = [q * d for q, d in zip(self.query_block, self.dilation, strict=True)]
        return *generation_coordinates(index, Y, X, size), Y

    def _room(self, cache):
        Y, X = cache["mask"].shape[1:3]
        return None if Y is None or X is None else Y * X
