"""Gaussian location policy of recurrent attention."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops.require import require_bool, require_number, require_seed
from keras_attention.ops.runtime.random_numbers import normal
from keras_attention.types import Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class LocationPolicy(BaseLayer):
    r"""Gaussian policy of the next glimpse location: samples around a linear function of the hidden state.

    $$ l \sim \mathcal{N}(W h + b, \sigma^2 I), \quad \log \pi(l) = - \frac{\lVert l - W h - b \rVert^2}{2 \sigma^2}
       - 2 \log(\sigma \sqrt{2 \pi}) $$

    as in "Recurrent Models of Visual Attention", section 3.1 ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)).
    Written out, with B batch, U features of the hidden state:

        mean:      [B, 2] = hidden W + b
        sample:    [B, 2] = mean + std * noise in training, mean in inference
        locations: [B, 2] = sample, clipped to [-1, 1]
        log_probs: [B]    = log density of the unclipped sample

    With the density of the clipped sample, REINFORCE would be biased. No gradient flows from `locations` to the mean,
    nor from `log_probs` to the sample: the policy is trained through `log_probs` alone (`training.HybridLoss`), whose
    gradient `detach` stops before the hidden states.

    Differs from the paper: nothing; it leaves open whether REINFORCE also trains the core.

    With `differentiable`, for soft glimpses, gradients flow from the locations to the mean, and `log_probs` is not
    used. Without `detach` they go on to the hidden states, through all glimpses before: among clutter, this moved all
    locations to the edges of the images, where no gradient brings them back
    (docs/examples/recurrent_attention_digits.md).

    Args:
        std: Positive float, the standard deviation.
        detach: Whether to stop the gradient to the hidden states.
        differentiable: Whether gradients flow from the locations to the mean.
        kernel_initializer: Initializer of the kernel.
        seed: Int, seed of the samples.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        hidden: [B, U], the hidden states.
        training: Whether to sample; otherwise the location is the mean.

    Returns:
        (locations [B, 2], log_probs [B]), float32.

    Raises:
        ValueError: If `std` is not positive.

    Example:

    >>> import numpy as np
    >>> locations, log_probs = LocationPolicy(0.1, kernel_initializer="zeros")(np.ones((1, 5)))
    >>> keras.ops.convert_to_numpy(locations).tolist(), round(float(log_probs[0]), 3)
    ([[0.0, 0.0]], 2.767)
    """

    def __init__(
        self,
        std: float = 0.1,
        detach: bool = True,
        differentiable: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.std = require_number(std, "std", above=0)
        self.detach = require_bool(detach, "detach")
        self.differentiable = require_bool(differentiable, "differentiable")
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = require_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape):
        self.mean = keras.layers.Dense(
            2, kernel_initializer=self.kernel_initializer, name="mean", dtype=self.dtype_policy
        )
        self.mean.build(input_shape)

    def call(self, hidden: Tensor, training: bool | None = None) -> tuple[Tensor, Tensor]:
        mean = ops.cast(self.mean(ops.stop_gradient(hidden) if self.detach else hidden), "float32")
        noise = normal(ops.shape(mean), self.seed_generator) if training else 0.0
        sample = mean + self.std * noise
        locations = ops.clip(sample, -1.0, 1.0)
        if not self.differentiable:
            sample, locations = ops.stop_gradient(sample), ops.stop_gradient(locations)
        distance = ops.sum(ops.square((sample - mean) / self.std), axis=-1)
        return locations, -0.5 * distance - 2.0 * math.log(self.std * math.sqrt(2.0 * math.pi))

    def compute_output_shape(self, hidden_shape):
        return (hidden_shape[0], 2), (hidden_shape[0],)

    def compute_output_spec(self, hidden, training=None):
        return tuple(keras.KerasTensor(shape, dtype="float32") for shape in self.compute_output_shape(hidden.shape))

    def get_config(self):
        return {
            **super().get_config(),
            "std": self.std,
            "detach": self.detach,
            "differentiable": self.differentiable,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }
