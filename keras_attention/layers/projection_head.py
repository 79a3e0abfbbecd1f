"""Projection head of a class-conditional discriminator."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_label
from keras_attention.layers.bases.projections import clone
from keras_attention.layers.spectral_normalization import normalised_if
from keras_attention.ops.require import require_bool, require_int
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ProjectionHead(BaseLayer):
    r"""Projection discriminator head: a linear logit plus the dot product of features and class embedding.

    $$ D(x, c) = w \cdot h(x) + b + \langle e_c, h(x) \rangle $$

    as in "cGANs with Projection Discriminator", eq. 3 ([Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637)).
    Written out, with B batch, C features, K classes:

        output: [B, 1] = inputs . kernel [C, 1] + bias + sum over C of inputs * embeddings[label]

    Differs from the paper: nothing. With spectral normalization the embeddings are divided by the largest singular
    value of the whole table [K, C], as in the published code.

    Labels outside 0 to K - 1 are undefined behavior inside a graph, where they cannot be checked.

    Weights: `linear/kernel` [C, 1], `linear/bias` [1], `embedding/embeddings` [K, C]; spectral normalization adds their
    `u`, [1] and [K].

    Args:
        num_classes: Positive int K.
        spectral_normalization: Whether to divide kernel and embeddings by their largest singular values.
        kernel_initializer: Initializer of both.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: Pooled features [B, C] of an image.
        label: Integers [B], from 0 to K - 1.
        training: Whether the spectral normalization updates u.

    Returns:
        Logits [B, 1].

    Raises:
        ValueError: If `num_classes` is out of range, `inputs` is not [B, C], or `label` is not [B] integers.

    Example:

    >>> import numpy as np
    >>> tuple(ProjectionHead(num_classes=10)(np.ones((2, 16)), np.array([3, 9])).shape)
    (2, 1)
    """

    def __init__(
        self,
        num_classes: int,
        spectral_normalization: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = require_int(num_classes, "num_classes")
        self.spectral_normalization = require_bool(spectral_normalization, "spectral_normalization")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, inputs_shape, label_shape=None):
        if len(inputs_shape) != 2 or inputs_shape[-1] is None:
            raise ValueError(f"`inputs` must be [B, C] with a known C. Received: inputs.shape={tuple(inputs_shape)}")
        linear = keras.layers.Dense(
            1, kernel_initializer=clone(self.kernel_initializer), name="linear", dtype=self.dtype_policy
        )
        table = keras.layers.Embedding(
            self.num_classes,
            inputs_shape[-1],
            clone(self.kernel_initializer),
            name="embedding",
            dtype=self.dtype_policy,
        )
        self.linear = normalised_if(self.spectral_normalization, linear)
        self.embedding = normalised_if(self.spectral_normalization, table)
        self.linear.build(inputs_shape)
        self.embedding.build((inputs_shape[0],))

    def call(self, inputs: Tensor, label: Tensor, training: bool | None = None) -> Tensor:
        check_label(label, inputs.shape[0])
        vectors = self.embedding(label, training=training)
        return self.linear(inputs, training=training) + ops.sum(inputs * vectors, axis=-1, keepdims=True)

    def compute_output_shape(self, inputs_shape, label_shape=None):
        return (inputs_shape[0], 1)

    def compute_output_spec(self, inputs, label, training=None):
        check_label(label, inputs.shape[0])
        return keras.KerasTensor((inputs.shape[0], 1), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
