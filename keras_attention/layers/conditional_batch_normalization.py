"""Batch normalization with a scale and a shift per class."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_label
from keras_attention.ops.require import require_bool, require_choice, require_int, require_number, require_rate
from keras_attention.types import LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class ConditionalBatchNormalization(BaseLayer):
    r"""Batch normalization with a scale and a shift per class.

    $$ y = \gamma_{c} \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta_{c} $$

    as in "A Learned Representation For Artistic Style", eq. 5
    ([Dumoulin et al., 2017](https://arxiv.org/abs/1610.07629)), with batch statistics as in the generators of "cGANs
    with Projection Discriminator" ([Miyato and Koyama, 2018](https://arxiv.org/abs/1802.05637)) and of SAGAN. Written
    out, with B batch, S positions in any number of axes, C channels, K classes:

        normalized: [B, *S, C] = (inputs - mean) / sqrt(variance + epsilon), by the batch or moving statistics
        output:     [B, *S, C] = normalized * gamma[label] + beta[label]

    Gammas start at 1 and betas at 0. Only the rows of the batch's classes get a gradient. Keras's `momentum` is the
    published codes' decay; the moving variance is the biased one.

    Differs from the papers: nothing; the defaults are those of SAGAN's published code (SNGAN's: 0.9 and 2e-5).

    Labels outside 0 to K - 1 are undefined behavior inside a graph, where they cannot be checked.

    Weights: `gamma` and `beta` [K, C]; `norm/moving_mean` and `norm/moving_variance` [C], non-trainable.

    Args:
        num_classes: Positive int K.
        momentum: Float in [0, 1), of the moving statistics.
        epsilon: Positive float, added to the variance.
        axis: The axis of the channels, -1 or 1.
        synchronized: Whether to compute the statistics of the batches of all replicas of
            `tf.distribute` together. Other backends ignore it.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, *S, C], or [B, C, *S] with `axis=1`.
        label: Integers [B], from 0 to K - 1.
        training: Whether to use the batch's statistics and update the moving ones.

    Returns:
        Tensor shaped like `inputs`.

    Raises:
        ValueError: If an argument is out of range, C is unknown, or `label` is not [B] integers.

    Example:

    >>> import numpy as np
    >>> layer = ConditionalBatchNormalization(num_classes=10)
    >>> tuple(layer(np.ones((2, 5, 7, 8)), np.array([3, 9]), training=True).shape)
    (2, 5, 7, 8)
    """

    def __init__(
        self,
        num_classes: int,
        momentum: float = 0.999,
        epsilon: float = 1e-5,
        axis: int = -1,
        synchronized: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = require_int(num_classes, "num_classes")
        self.momentum = require_rate(momentum, "momentum")
        self.epsilon = require_number(epsilon, "epsilon", above=0)
        self.axis = require_choice(axis, "axis", (-1, 1))
        self.synchronized = require_bool(synchronized, "synchronized")

    def build(self, inputs_shape, label_shape=None):
        channels = inputs_shape[self.axis]
        if channels is None:
            raise ValueError(f"The channels of `inputs` must be known. Received: inputs.shape={tuple(inputs_shape)}")
        shape = (self.num_classes, channels)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        self.norm = keras.layers.BatchNormalization(
            axis=self.axis,
            momentum=self.momentum,
            epsilon=self.epsilon,
            center=False,
            scale=False,
            synchronized=self.synchronized and keras.backend.backend() == "tensorflow",
            name="norm",
            dtype=self.dtype_policy,
        )
        self.norm.build(inputs_shape)

    @property
    def _features_axis(self):
        return self.axis

    def call(self, inputs: Tensor, label: Tensor, training: bool | None = None) -> Tensor:
        check_label(label, inputs.shape[0])
        shape = [1] * len(inputs.shape)
        shape[0], shape[self.axis] = -1, inputs.shape[self.axis]
        gamma, beta = (ops.reshape(ops.take(table, label, axis=0), shape) for table in (self.gamma, self.beta))
        return self.norm(inputs, training=training) * gamma + beta

    def compute_output_shape(self, inputs_shape, label_shape=None):
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs, label, training=None):
        check_label(label, inputs.shape[0])
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "axis": self.axis,
            "synchronized": self.synchronized,
        }
