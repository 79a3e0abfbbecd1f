"""Multi-channel attention selection of SelectionGAN."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.projections import clone
from keras_attention.ops import select_candidates
from keras_attention.ops.require import require_bool, require_data_format, require_int
from keras_attention.types import Initializer, LayerOptions, Nest, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class MultiChannelAttentionSelection(BaseLayer):
    r"""Multi-channel attention selection: generates M candidate images and averages them per pixel by attention.

    $$ I_m = \tanh(W_m * F + b_m), \quad A = \mathrm{softmax}_m(W_A F + b_A), \quad
       I = \sum_m A_m \odot I_m, \quad U = \sigma(W_u A + b_u) $$

    as in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)). Written out,
    with B batch, Y × X positions, F channels of the features, C of an image, M candidates, k = kernel_size:

        candidates:  [B, Y, X, M, C] = tanh(k × k convolution of inputs to M C channels)
        attention:   [B, Y, X, M]    = softmax over M of inputs . W_A [F, M] + b_A
        image:       [B, Y, X, C]    = sum over M of attention * candidates
        uncertainty: [B, Y, X, 1]    = sigmoid(attention . W_u [M, 1] + b_u)

    The uncertainty weights the pixels of a loss (`training.uncertainty_guided_loss`) and does not affect the image. The
    softmax is in float32.

    Differs from the paper: it shows an uncertainty map for each of four losses; here, as in its published code, there
    is one.

    In 3000 training steps on 64 × 64 cross-view images the second stage, which has this layer, had a lower PSNR than
    the first with the published adversarial weights, and a slightly higher one without the adversarial loss
    (docs/examples/selection_gan_cross_view.md).

    Parameters: k² F M C + M C, F M + M and, with `uncertainty`, M + 1.

    Masking: not supported; a Keras mask is ignored and not propagated.

    Args:
        num_candidates: Positive int M; 10 in the paper. With 1 the attention is 1 everywhere.
        image_channels: Positive int C.
        kernel_size: Positive odd int k.
        uncertainty: Whether to compute the uncertainty map. `False` where no loss uses it: W_u would get no gradient.
        data_format: Of `inputs` and image: `"channels_last"` or `"channels_first"` ([B, C, Y, X]); `None` means
            `keras.config.image_data_format()`. The maps are always channels last.
        kernel_initializer: Initializer of all kernels.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, F].
        return_attention_scores: Whether to also return the attention.
        return_maps: Whether to return image and all maps in a dict.

    Returns:
        The image [B, Y, X, C], with values between -1 and 1; with `return_attention_scores` (image, attention); with
        `return_maps` `{"image", "attention", "candidates"}` and, if enabled, `"uncertainty"`.

    Raises:
        ValueError: If an argument is out of range, the rank is not 4, or F is unknown.

    Example:

    >>> from keras_attention.layers import MultiChannelAttentionSelection
    >>> maps = MultiChannelAttentionSelection()(keras.ops.ones((2, 5, 7, 4)), return_maps=True)
    >>> {name: tuple(x.shape) for name, x in sorted(maps.items())}
    {'attention': (2, 5, 7, 10), 'candidates': (2, 5, 7, 10, 3), 'image': (2, 5, 7, 3), 'uncertainty': (2, 5, 7, 1)}
    """

    def __init__(
        self,
        num_candidates: int = 10,
        image_channels: int = 3,
        kernel_size: int = 3,
        uncertainty: bool = True,
        data_format: str | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_candidates = require_int(num_candidates, "num_candidates")
        self.image_channels = require_int(image_channels, "image_channels")
        self.kernel_size = require_int(kernel_size, "kernel_size", odd=True)
        self.uncertainty = require_bool(uncertainty, "uncertainty")
        self.data_format = require_data_format(data_format)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        B, Y, X, F = self._dims(input_shape)
        common = {"dtype": self.dtype_policy}
        M = self.num_candidates
        self.paint = keras.layers.Conv2D(
            M * self.image_channels,
            self.kernel_size,
            padding="same",
            activation="tanh",
            data_format="channels_last",
            kernel_initializer=clone(self.kernel_initializer),
            name="candidates",
            **common,
        )
        self.score = keras.layers.Dense(
            M, kernel_initializer=clone(self.kernel_initializer), name="attention", **common
        )
        self.paint.build((B, Y, X, F))
        self.score.build((B, Y, X, F))
        if self.uncertainty:
            self.doubt = keras.layers.Dense(
                1, "sigmoid", kernel_initializer=clone(self.kernel_initializer), name="uncertainty", **common
            )
            self.doubt.build((B, Y, X, M))

    def call(self, inputs: Tensor, return_attention_scores: bool = False, return_maps: bool = False) -> Nest:
        self._dims(inputs.shape)
        x = inputs if self._last else ops.moveaxis(inputs, 1, -1)
        candidates = self.paint(x)
        candidates = ops.reshape(candidates, (*ops.shape(candidates)[:-1], self.num_candidates, self.image_channels))
        image, attention = select_candidates(candidates, self.score(x))
        image = image if self._last else ops.moveaxis(image, -1, 1)
        if return_maps:
            maps = {"image": image, "attention": attention, "candidates": candidates}
            maps |= {"uncertainty": self.doubt(attention)} if self.uncertainty else {}
            return (maps, attention) if return_attention_scores else maps
        return (image, attention) if return_attention_scores else image

    def compute_output_spec(self, inputs, return_attention_scores=False, return_maps=False):
        *positions, _ = self._dims(inputs.shape)
        M, C = self.num_candidates, self.image_channels

        def spec(*dims):
            return keras.KerasTensor(dims, dtype=self.compute_dtype)

        image, attention = spec(*self.compute_output_shape(inputs.shape)), spec(*positions, M)
        if return_maps:
            maps = {"image": image, "attention": attention, "candidates": spec(*positions, M, C)}
            maps |= {"uncertainty": spec(*positions, 1)} if self.uncertainty else {}
            return (maps, attention) if return_attention_scores else maps
        return (image, attention) if return_attention_scores else image

    def compute_output_shape(self, input_shape):
        B, Y, X, _ = self._dims(input_shape)
        return (B, Y, X, self.image_channels) if self._last else (B, self.image_channels, Y, X)

    def get_config(self):
        return {
            **super().get_config(),
            "num_candidates": self.num_candidates,
            "image_channels": self.image_channels,
            "kernel_size": self.kernel_size,
            "uncertainty": self.uncertainty,
            "data_format": self.data_format,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    @property
    def _last(self):
        return self.data_format == "channels_last"

    def _dims(self, shape):
        """The checked shape, with the channels last."""
        dims = tuple(shape) if self._last or len(shape) != 4 else (shape[0], *shape[2:], shape[1])
        if len(dims) != 4 or dims[-1] is None:
            raise ValueError(
                "`inputs` must be [B, Y, X, F] (channels_first: [B, F, Y, X]) with a known F. Received: "
                f"inputs.shape={tuple(shape)}, data_format={self.data_format!r}"
            )
        return dims
