"""Class embedding as additional channels."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_label
from keras_attention.layers.spectral_normalization import normalised_if
from keras_attention.ops.require import require_bool, require_int
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class LabelConcatenation(BaseLayer):
    r"""Concatenates a class embedding to the channels at every position.

    $$ y_s = [x_s; e_c] $$

    as in the baseline discriminators of "cGANs with Projection Discriminator", section 5
    ([Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637)). Written out, with B batch, S positions in any number
    of axes, C channels, K classes, E = embedding_dim:

        output: [B, *S, C + E] = [inputs, embeddings[label]], the same at each position

    Differs from the published code: nothing (E = 128, after the third block of its discriminator).

    Labels outside 0 to K - 1 are undefined behavior inside a graph, where they cannot be checked.

    Weights: `embedding/embeddings` [K, E]; spectral normalization adds its `u` [K].

    Args:
        num_classes: Positive int K.
        embedding_dim: Positive int E.
        spectral_normalization: Whether to divide the table by its largest singular value.
        kernel_initializer: Initializer of the table.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *S, C].
        label: Integers [B], from 0 to K - 1.
        training: Whether the spectral normalization updates u.

    Returns:
        [B, *S, C + E].

    Raises:
        ValueError: If an argument is out of range, or `label` is not [B] integers.

    Example:

    >>> import numpy as np
    >>> layer = LabelConcatenation(num_classes=10, embedding_dim=4)
    >>> tuple(layer(np.ones((2, 5, 7, 8)), np.array([3, 9])).shape)
    (2, 5, 7, 12)
    """

    def __init__(
        self,
        num_classes: int,
        embedding_dim: int = 128,
        spectral_normalization: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = require_int(num_classes, "num_classes")
        self.embedding_dim = require_int(embedding_dim, "embedding_dim")
        self.spectral_normalization = require_bool(spectral_normalization, "spectral_normalization")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, inputs_shape, label_shape=None):
        table = keras.layers.Embedding(
            self.num_classes, self.embedding_dim, self.kernel_initializer, name="embedding", dtype=self.dtype_policy
        )
        self.embedding = normalised_if(self.spectral_normalization, table)
        self.embedding.build((inputs_shape[0],))

    def call(self, inputs: Tensor, label: Tensor, training: bool | None = None) -> Tensor:
        check_label(label, inputs.shape[0])
        vectors = self.embedding(label, training=training)
        for _ in inputs.shape[2:]:
            vectors = ops.expand_dims(vectors, 1)
        vectors = ops.broadcast_to(vectors, (*ops.shape(inputs)[:-1], self.embedding_dim))
        return ops.concatenate([inputs, vectors], axis=-1)

    def compute_output_shape(self, inputs_shape, label_shape=None):
        return (*inputs_shape[:-1], None if inputs_shape[-1] is None else inputs_shape[-1] + self.embedding_dim)

    def compute_output_spec(self, inputs, label, training=None):
        check_label(label, inputs.shape[0])
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "embedding_dim": self.embedding_dim,
            "spectral_normalization": self.spectral_normalization,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
