"""Non-local block."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_padding
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.non_local_operation import PAIRWISE, SOFTMAX, non_local
from keras_attention.ops.paths.chosen_queries import chosen_dims
from keras_attention.ops.require import require_bool, require_choice, require_data_format, require_int
from keras_attention.ops.shapes.extents import EXTENTS, Extent
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.ops.shapes.subsample import POOL, subsample, subsampled
from keras_attention.types import Initializer, LayerOptions, MaybeScores, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class NonLocalBlock(BaseLayer):
    r"""Non-local block over sequences, images or video clips, by the rank of its input.

    $$ z_i = W_z \, \frac{1}{\mathcal{C}(x)} \sum_j f(x_i, x_j) \, W_g x_j + x_i $$

    as in "Non-local Neural Networks", eqs. 1 and 6 ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)). Written
    out, with B batch, P positions ([T], [Y, X] or [T, Y, X]), S of them sub-sampled, C channels, H = C // reduction:

        theta:  [B, P, H] = x . W_theta;  phi, g: [B, S, H] = pool(x . W_phi), pool(x . W_g)
        scores: [B, P, S] = f(theta, phi) / normalizer
        output: [B, P, C] = x + norm((scores . g) . W_z)

    | `pairwise` | f | normalizer |
    |---|---|---|
    | `"gaussian"` | exp(x . x), without W_theta and W_phi, over all C channels | sum over S of f |
    | `"embedded_gaussian"` | exp(theta . phi) | sum over S of f |
    | `"dot_product"` | theta . phi | number of keys |
    | `"concatenation"` | relu(w_f . [theta, phi]) | number of keys |

    A new block is the identity. Memory grows with P, not with P · S (`ops.non_local`).

    It compares far positions, which convolutions and a mean over positions cannot: whether two patches of a clip are of
    one kind, a small network answers with an accuracy of 52 % without it and 100 % with it
    (docs/examples/non_local_pairs.md). Short training on Fashion-MNIST (docs/examples/attention_resnet_images.md) and
    on clips of motion (docs/examples/non_local_video.md) showed no gain.

    Differs from the paper: nothing by default; all projections have biases, as in its published code; the paper does
    not mention them. That code pools x before W_phi and W_g (`pool="before"`), scales the logits by H^-1/2
    (`scale="inv_sqrt"`) and initializes from N(0, 0.01²) (`kernel_initializer`). With frozen batch normalization it
    omits it and initializes W_z to zero (`batch_norm=False`).

    Masking: `mask`, or the Keras mask of `inputs`, which is propagated. Padding is neither attended to nor counted in
    statistics; its output is 0. With a mask, inputs of a single channel cannot be trained on JAX and PyTorch unless
    `batch_norm=False`: Keras's batch normalization fails there.

    Args:
        pairwise: Name of f, see above.
        reduction: Positive int: the block has max(C // reduction, 1) inner channels.
        extent: What a position of a clip attends to: `"spacetime"`, all positions; `"space"`, its own frame; `"time"`,
            its own position in all frames; an int, which must divide T: its group of that many frames. Sequences and
            images: `"spacetime"`.
        pool: Max-pooling of phi and g by 2 in space (of a sequence: along it), never over time: `"after"` the
            projections, `"before"` them, or `None`. An odd last row is dropped. An axis of size 1 is an error, or, if
            its size is only known at run time, leaves no keys. `extent="time"` does not pool.
        scale: `None`, or `"inv_sqrt"`: softmax logits are divided by the square root of their number of features.
        batch_norm: Whether batch normalization (momentum 0.9, epsilon 1e-5, gamma initialized to 0) follows W_z;
            otherwise W_z and its bias start at zero.
        kernel_initializer: Initializer of the projections and w_f.
        data_format: `"channels_last"` or `"channels_first"`; `None` means `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, C], [B, Y, X, C] or [B, T, Y, X, C].
        mask: Boolean or integer [B, *positions], where trailing axes may be missing. True marks positions that take
            part.
        return_attention_scores: Whether to also return the scores.
        score_queries: Integers [R], positions of queries along the flattened positions that see one another
            (negative ones from the end): the scores are those of these queries alone; no others are computed.
        training: Whether batch normalization uses the batch's statistics.

    Returns:
        Tensor shaped like `inputs`; or (output, scores [B, 1, P, S]), positions in raster order. With `"space"`
        [B, T, 1, P, S], with an int [B, groups, 1, P, S], with `"time"` [B, Y, X, 1, T, T].

    Raises:
        ValueError: If the rank does not fit, a mask is floating, or there are fewer than 2 positions to pool.

    Example:

    >>> import numpy as np
    >>> from keras_attention.layers import NonLocalBlock
    >>> output, scores = NonLocalBlock()(np.ones((2, 3, 4, 6, 8)), return_attention_scores=True)
    >>> tuple(output.shape), tuple(scores.shape)
    ((2, 3, 4, 6, 8), (2, 1, 72, 18))
    """

    def __init__(
        self,
        pairwise: str = "embedded_gaussian",
        reduction: int = 2,
        extent: str = "spacetime",
        pool: str | None = "after",
        scale: str | None = None,
        batch_norm: bool = True,
        kernel_initializer: Initializer = "he_normal",
        data_format: str | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.pairwise = require_choice(pairwise, "pairwise", PAIRWISE)
        self.reduction = require_int(reduction, "reduction")
        by_name = isinstance(extent, str) or extent is None
        self.extent = require_choice(extent, "extent", EXTENTS) if by_name else require_int(extent, "extent")
        self.pool = require_choice(pool, "pool", ("after", "before", None))
        self.scale = require_choice(scale, "scale", (None, "inv_sqrt") if pairwise in SOFTMAX else (None,))
        self.batch_norm = require_bool(batch_norm, "batch_norm")
        self.data_format = require_data_format(data_format)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.supports_masking = True

    def build(self, input_shape):
        dims = self._positions(input_shape)
        channels = input_shape[-1 if self.data_format == "channels_last" else 1]
        if channels is None:
            raise ValueError(f"The channels of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        units = max(channels // self.reduction, 1)
        inside = (*dims, channels)
        if self.pairwise != "gaussian":
            self.theta = self._dense("theta", inside, units)
            self.phi = self._dense("phi", inside, units)
        self.g = self._dense("g", inside, units)
        if self.pairwise == "concatenation":
            initializer = clone(self.kernel_initializer)
            self.w_f = self.add_weight(shape=(2 * units,), initializer=initializer, name="w_f")
        zero = {} if self.batch_norm else {"kernel_initializer": "zeros"}
        self.w_z = self._dense("w_z", (*dims, units), channels, **zero)
        if self.batch_norm:
            self.norm = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, gamma_initializer="zeros", name="norm", dtype=self.dtype_policy
            )
            self.norm.build(inside)

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
        mask = full_mask(mask, ops.shape(x)[:-1])
        x = zero_padding(x, mask)
        context, scores = self._look(x, mask, return_attention_scores, training, score_queries)
        y = self.w_z(context)
        if self.batch_norm:
            y = self.norm(y, training=training, mask=mask)
        output = x + zero_padding(y, mask)
        output = output if self.data_format == "channels_last" else ops.moveaxis(output, -1, 1)
        return (output, scores) if return_attention_scores else output

    def compute_output_spec(self, inputs, mask=None, return_attention_scores=False, training=None, score_queries=None):
        dims = self._check(inputs, mask)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        scores = Extent(self.extent).scores_dims(dims, subsampled(dims) if self._pools() else dims)
        return output, keras.KerasTensor(chosen_dims(scores, score_queries), dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "pairwise": self.pairwise,
            "reduction": self.reduction,
            "extent": self.extent,
            "pool": self.pool,
            "scale": self.scale,
            "batch_norm": self.batch_norm,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "data_format": self.data_format,
        }

    def _look(self, x, mask, return_scores, training, score_queries):
        """The context of each position of x [B, *P, C], [B, *P, H], and the scores or `None`."""
        theta = x if self.pairwise == "gaussian" else self.theta(x)
        pool, embed = subsample if self._pools() else _all, _itself if self.pairwise == "gaussian" else self.phi
        if self.pool == "before":
            keys, key_mask = pool(x, mask)
            phi, g = embed(keys), self.g(keys)
        else:
            phi, key_mask = pool(embed(x), mask)
            g, _ = pool(self.g(x), mask)
        extent = Extent(self.extent)
        dims = ops.shape(x)[:-1]
        result = non_local(
            extent.fold(theta),
            extent.fold(phi),
            extent.fold(g),
            self.pairwise,
            vector=self.w_f if self.pairwise == "concatenation" else None,
            scale=1.0 if self.scale is None else None,
            query_mask=None if mask is None else extent.fold(mask, trailing=0),
            key_mask=None if key_mask is None else extent.fold(key_mask, trailing=0),
            return_scores=return_scores,
            training=bool(training),
            score_queries=score_queries,
        )
        context, scores = result if return_scores else (result, None)
        if return_scores:
            scores_dims = extent.scores_dims(dims, ops.shape(phi)[:-1])
            scores = ops.reshape(scores, (*scores_dims[:-2], *ops.shape(scores)[-2:]))
        return extent.unfold(context, dims), scores

    def _pools(self):
        return self.pool is not None and self.extent != "time"

    def _check(self, inputs, mask):
        """Raises for wrong shapes and masks, naming the argument; returns the static [B, *positions]."""
        dims = self._positions(inputs.shape)
        check_padding(mask, "mask", dims, "the positions")
        return dims

    def _positions(self, shape):
        """[B, *positions] of an input of this shape."""
        received = f"Received: inputs.shape={tuple(shape)}"
        if not 3 <= len(shape) <= 5:
            raise ValueError(f"`inputs` must be [B, T, C], [B, Y, X, C] or [B, T, Y, X, C]. {received}")
        dims = tuple(shape[:-1]) if self.data_format == "channels_last" else (shape[0], *shape[2:])
        if self.extent != "spacetime" and len(dims) != 4:
            raise ValueError(f"`extent` is for clips [B, T, Y, X, C]. {received}, extent={self.extent!r}")
        if isinstance(self.extent, int) and dims[1] is not None and dims[1] % self.extent:
            raise ValueError(f"`extent` must divide the frames of `inputs`. {received}, extent={self.extent}")
        if self._pools() and 0 in subsampled(dims)[1:] and 0 not in dims[1:]:
            raise ValueError(
                f"`pool` needs at least {POOL} positions along every axis of space; `pool=None` takes any. "
                f"{received}, pool={self.pool!r}"
            )
        return dims

    def _dense(self, name, shape, units, **kwargs):
        initializer = {"kernel_initializer": clone(self.kernel_initializer), **kwargs}
        dense = keras.layers.Dense(units, name=name, dtype=self.dtype_policy, **initializer)
        dense.build(shape)
        return dense


def _itself(x):
    return x


def _all(x, mask):
    return x, mask
