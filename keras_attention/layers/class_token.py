"""Class token of BERT and the Vision Transformer."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ClassToken(BaseLayer):
    r"""Class token: prepends a trainable vector to a sequence, whose output represents the whole sequence.

    $$ y = [x_{class}; x_1; \dots; x_T] $$

    as in "An Image is Worth 16x16 Words", eq. 1 ([Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929)). Written
    out, with B batch, T length, D model width:

        output: [B, T + 1, D] = [token, inputs]

    Masking: a Keras mask is propagated, with a True for the token in front.

    Args:
        initializer: Initializer of the token; zeros, as in the published code.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].

    Returns:
        [B, T + 1, D].

    Raises:
        ValueError: If the rank is not 3 or D is unknown.

    Example:

    >>> from keras_attention.layers import ClassToken
    >>> tuple(ClassToken()(keras.ops.ones((2, 5, 16))).shape)
    (2, 6, 16)
    """

    def __init__(self, initializer: Initializer = "zeros", **kwargs: Unpack[LayerOptions]) -> None:
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)
        self.supports_masking = True

    def build(self, input_shape):
        self._check(input_shape)
        self.token = self.add_weight(shape=(1, 1, input_shape[-1]), initializer=self.initializer, name="token")

    def call(self, inputs: Tensor) -> Tensor:
        self._check(inputs.shape)
        B, _, D = ops.shape(inputs)
        token = ops.broadcast_to(ops.cast(self.token, inputs.dtype), (B, 1, D))
        return ops.concatenate([token, inputs], axis=1)

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        B, T, D = input_shape
        return (B, None if T is None else T + 1, D)

    def compute_mask(self, inputs, previous_mask=None):
        if previous_mask is None:
            return None
        mask = ops.cast(previous_mask, "bool")
        return ops.concatenate([ops.ones_like(ops.any(mask, axis=1, keepdims=True)), mask], axis=1)

    def get_config(self):
        return {**super().get_config(), "initializer": keras.initializers.serialize(self.initializer)}

    def _check(self, shape):
        if len(shape) != 3 or shape[-1] is None:
            raise ValueError(f"`inputs` must be [B, T, D] with a known D. Received: inputs.shape={tuple(shape)}")
