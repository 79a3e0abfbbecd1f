"""Patch embedding of the Vision Transformer."""

from collections.abc import Sequence
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_bool, require_data_format, require_int, require_pair
from keras_attention.ops.shapes.sizes import known
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class PatchEmbedding(BaseLayer):
    r"""Patch embedding: cuts an image into patches and projects each to a vector.

    $$ z_p = x_p E + b $$

    as in "An Image is Worth 16x16 Words", eq. 1 ([Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929)), without
    its class token (`ClassToken`) and positions (`LearnedPositionEncoding`). One convolution, with the patch as its
    kernel and stride. Written out, with B batch, Y × X pixels, C channels, patches of P × Q pixels, D = output_dim:

        output: [B, Y/P * X/Q, D] = patches of inputs [B, Y/P * X/Q, P Q C] . kernel [P, Q, C, D] + bias

    The patches are in the order of rows: (0, 0), (0, 1), ...

    Masking: none; a mask of pixels is not propagated.

    Args:
        patch_size: Positive int P, or two for (rows, columns).
        output_dim: Positive int D.
        use_bias: Whether to add a bias.
        data_format: `"channels_last"` or `"channels_first"` ([B, C, Y, X]); `None` means
            `keras.config.image_data_format()`.
        kernel_initializer: Initializer of the kernel.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, Y, X, C].

    Returns:
        [B, Y/P * X/Q, D].

    Raises:
        ValueError: If an argument is out of range, the rank is not 4, C is unknown, or known rows or columns are not a
            multiple of the patch's. In a graph that does not know them, the rest of an image is dropped.

    Example:

    >>> from keras_attention.layers import PatchEmbedding
    >>> tuple(PatchEmbedding(patch_size=16, output_dim=8)(keras.ops.ones((2, 32, 48, 3))).shape)
    (2, 6, 8)
    """

    def __init__(
        self,
        patch_size: int | Sequence[int],
        output_dim: int,
        use_bias: bool = True,
        data_format: str | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.patch_size = require_pair(patch_size, "patch_size")
        self.output_dim = require_int(output_dim, "output_dim")
        self.use_bias = require_bool(use_bias, "use_bias")
        self.data_format = require_data_format(data_format)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        self.projection = keras.layers.Conv2D(
            self.output_dim,
            self.patch_size,
            self.patch_size,
            data_format="channels_last",
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            name="projection",
            dtype=self.dtype_policy,
        )
        self.projection.build(self._channels_last(input_shape))

    def call(self, inputs: Tensor) -> Tensor:
        self._channels_last(inputs.shape)
        x = self.projection(inputs if self.data_format == "channels_last" else ops.moveaxis(inputs, 1, -1))
        B, rows, columns, D = ops.shape(x)
        return ops.reshape(x, (B, rows * columns, D))

    def compute_output_shape(self, input_shape):
        B, *sizes, _ = self._channels_last(input_shape)
        rows, columns = (None if n is None else n // by for n, by in zip(sizes, self.patch_size))
        return (B, None if None in (rows, columns) else rows * columns, self.output_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "patch_size": list(self.patch_size),
            "output_dim": self.output_dim,
            "use_bias": self.use_bias,
            "data_format": self.data_format,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }

    def _channels_last(self, shape):
        """A checked shape of the inputs as [B, Y, X, C]."""
        shape = tuple(shape)
        received = f"Received: inputs.shape={shape}, patch_size={self.patch_size}"
        if len(shape) == 4 and self.data_format == "channels_first":
            shape = (shape[0], *shape[2:], shape[1])
        if len(shape) != 4 or shape[-1] is None:
            raise ValueError(f"`inputs` must be [B, Y, X, C] (channels_first: [B, C, Y, X]) with a known C. {received}")
        if any(known(n) and n % by for n, by in zip(shape[1:3], self.patch_size)):
            raise ValueError(f"The rows and columns of `inputs` must be multiples of `patch_size`. {received}")
        return shape
