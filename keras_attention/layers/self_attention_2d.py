"""Self-attention block of SAGAN."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.spectral_normalization import normalised_if
from keras_attention.ops import non_local
from keras_attention.ops.paths.chosen_queries import chosen_dims
from keras_attention.ops.require import require_bool, require_choice, require_data_format, require_int
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.ops.shapes.sizes import below
from keras_attention.ops.shapes.subsample import POOL, subsample, subsampled
from keras_attention.types import Initializer, LayerOptions, MaybeScores, Tensor

VARIANTS = ("reference", "paper")


@keras.saving.register_keras_serializable(package="keras_attention")
class SelfAttention2D(BaseLayer):
    r"""Self-attention block of SAGAN: attention over all positions of an image, added with a trainable scalar gamma.

    $$ o_j = W_v \sum_i \mathrm{softmax}_i(q_j \cdot k_i) \, h_i, \quad y_j = \gamma \, o_j + x_j $$

    as in "Self-Attention Generative Adversarial Networks", eqs. 1 to 3
    ([Zhang et al., 2019](https://arxiv.org/abs/1805.08318)). Written out, with B batch, Y rows and X columns, P = Y · X
    positions, S of them sub-sampled, C channels, H = C // reduction, V = C // 2:

        query:  [B, P, H] = x . W_query;  key: [B, S, H] = pool(x . W_key);  value: [B, S, V] = pool(x . W_value)
        scores: [B, 1, P, S] = softmax over S of query . key
        output: [B, Y, X, C] = x + gamma * (scores . value) . W_out

    gamma is a scalar, 0 at first: a new layer is the identity. The projections have no biases, the logits no scale.
    Large maps are computed in blocks of queries, forward and backward, so that memory grows with P and not with P · S,
    unless the scores are returned.

    In a discriminator of small receptive field it made two far digits of generated images agree more
    (docs/examples/twin_digits.md). In 3000 training steps on Fashion-MNIST it did not measurably lower FID or KID
    (docs/examples/sagan_images.md).

    Differs from the paper: `variant="paper"` has no pooling, and V = H. `"reference"`, the default, is its published
    code, which gave its results: keys and values are max-pooled 2 × 2 after their projections (an odd last row or
    column is dropped), and V = C // 2. The paper writes f, g, h and v for the kernels of keys, queries, values and
    output; its code theta, phi and g for queries, keys and values.

    Weights: `query/kernel` and `key/kernel` [C, H], `value/kernel` [C, V], `out/kernel` [V, C], `gamma` []; in the
    reference 1.25 C² + 1, in the paper 0.5 C² + 1. Spectral normalization adds their `u`.

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding, even NaN, is not attended to; its
    output is 0.

    Args:
        variant: `"reference"` or `"paper"`.
        reduction: Positive int; 8 in both variants (the paper tries 1, 2, 4 and 8). H and V are at least 1.
        spectral_normalization: Whether to divide the four kernels by their largest singular value, as in both variants.
        kernel_initializer: Initializer of the kernels.
        data_format: `"channels_last"` or `"channels_first"`; `None` means `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, C].
        mask: Boolean or integer [B, Y, X]. True marks positions that take part; `None` means the Keras mask.
        return_attention_scores: Whether to also return the scores.
        score_queries: Integers [R], positions y * X + x of queries (negative ones from the end): the
            scores are those of these queries alone, [B, 1, R, S]; no others are computed.
        training: Whether the spectral normalization updates u.

    Returns:
        Tensor shaped like `inputs`; or (output, scores [B, 1, P, S]), positions in raster order.

    Raises:
        ValueError: If an argument is out of range, the rank does not fit, C is unknown, the mask does not fit, or there
            are fewer than 2 rows or columns to pool.

    Example:

    >>> from keras_attention.layers import SelfAttention2D
    >>> output, scores = SelfAttention2D()(keras.ops.ones((2, 6, 8, 16)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((2, 6, 8, 16), (2, 1, 48, 12))
    """

    def __init__(
        self,
        variant: str = "reference",
        reduction: int = 8,
        spectral_normalization: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.variant = require_choice(variant, "variant", VARIANTS)
        self.reduction = require_int(reduction, "reduction")
        self.spectral_normalization = require_bool(spectral_normalization, "spectral_normalization")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.data_format = require_data_format(data_format)
        self.supports_masking = True

    def build(self, input_shape):
        dims = self._positions_shape(input_shape)
        C = input_shape[-1 if self.data_format == "channels_last" else 1]
        if C is None:
            raise ValueError(f"The channels of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        H = max(C // self.reduction, 1)
        V = max(C // 2, 1) if self.variant == "reference" else H
        self.query = self._project("query", (*dims, C), H)
        self.key = self._project("key", (*dims, C), H)
        self.value = self._project("value", (*dims, C), V)
        self.out = self._project("out", (*dims, V), C)
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        score_queries: Tensor | None = None,
    ) -> MaybeScores:
        self._check(inputs, mask)
        x = inputs if self.data_format == "channels_last" else ops.moveaxis(inputs, 1, -1)
        dims = ops.shape(x)[:-1]
        mask = full_mask(mask, dims)
        x = zero_padding(x, mask)
        pool = subsample if self.variant == "reference" else _all
        query = self.query(x, training=training)
        key, key_mask = pool(self.key(x, training=training), mask)
        value, _ = pool(self.value(x, training=training), mask)
        result = non_local(
            *(_flat(t) for t in (query, key, value)),
            query_mask=None if mask is None else _flat(mask),
            key_mask=None if mask is None else _flat(key_mask),
            return_scores=return_attention_scores,
            training=bool(training),
            score_queries=score_queries,
        )
        context, scores = result if return_attention_scores else (result, None)
        context = ops.reshape(context, (*dims, context.shape[-1]))
        output = x + self.gamma * self.out(context, training=training)
        output = output if self.data_format == "channels_last" else ops.moveaxis(output, -1, 1)
        return (output, ops.expand_dims(scores, 1)) if return_attention_scores else output

    def compute_output_spec(self, inputs, mask=None, return_attention_scores=False, training=None, score_queries=None):
        B, Y, X = self._check(inputs, mask)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        _, y, x = subsampled((B, Y, X)) if self.variant == "reference" else (B, Y, X)
        P, S = (None if None in pair else pair[0] * pair[1] for pair in ((Y, X), (y, x)))
        return output, keras.KerasTensor(chosen_dims((B, 1, P, S), score_queries), dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "variant": self.variant,
            "reduction": self.reduction,
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "data_format": self.data_format,
        }

    def _project(self, name, shape, units):
        """A built projection of the channels, without bias."""
        arguments = {"use_bias": False, "kernel_initializer": clone(self.kernel_initializer)}
        dense = keras.layers.Dense(units, name=name, dtype=self.dtype_policy, **arguments)
        dense = normalised_if(self.spectral_normalization, dense)
        dense.build(shape)
        return dense

    def _check(self, inputs, mask):
        """Raises for wrong shapes and masks, naming the argument; returns the static [B, Y, X]."""
        dims = self._positions_shape(inputs.shape)
        check_padding(mask, "mask", dims, "the positions")
        return dims

    def _positions_shape(self, shape):
        received = f"Received: inputs.shape={tuple(shape)}"
        if len(shape) != 4:
            raise ValueError(f"`inputs` must be [B, Y, X, C]. {received}")
        dims = tuple(shape[:-1]) if self.data_format == "channels_last" else (shape[0], *shape[2:])
        few = 0 not in dims[1:] and any(below(n, POOL) for n in dims[1:])
        if self.variant == "reference" and few:
            raise ValueError(
                f'`inputs` must have {POOL} rows and columns at least, to be pooled; `variant="paper"` takes any. '
                f"{received}"
            )
        return dims


def _flat(x):
    """[B, y, x, *] -> [B, y · x, *]."""
    B, rows, columns, *last = ops.shape(x)
    return ops.reshape(x, (B, rows * columns, *last))


def _all(x, mask):
    return x, mask
