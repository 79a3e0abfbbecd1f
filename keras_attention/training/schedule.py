"""Learning rate schedule of the Transformer: linear warmup, then inverse square root decay."""

from typing import Any

import keras
from keras import ops

from keras_attention.ops.require import require_choice, require_int, require_number

VARIANTS = ("paper", "reference")


@keras.saving.register_keras_serializable(package="keras_attention")
class TransformerSchedule(keras.optimizers.schedules.LearningRateSchedule):
    r"""Learning rate schedule of the Transformer: linear warmup, then inverse square root decay.

    $$ lr(s) = c \, D^{-1/2} \min(s^{-1/2}, \; s \cdot warmup^{-3/2}) $$

    as in "Attention Is All You Need", eq. 3
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)), which uses it with
    `keras.optimizers.Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9)`.

    Keras counts the updates *done*: the first one has step 0. With `variant="paper"` s is
    that number, as in the equation, and the first update has a learning rate of 0. The
    published code counts from 1, s = step + 1: `variant="reference"`. Its
    `learning_rate=0.2` is `factor=2`.

    Args:
        model_dim: Positive int D, the width of the model.
        warmup_steps: Positive int; the peak is at s = warmup_steps.
        factor: Positive float c.
        variant: `"paper"` or `"reference"`.

    Call arguments:
        step: Number of updates done; a number or an integer tensor.

    Returns:
        Float32 scalar tensor.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> schedule = TransformerSchedule(model_dim=512)
    >>> [f"{float(schedule(step)):.5e}" for step in (1, 4000, 100_000)]
    ['1.74693e-07', '6.98771e-04', '1.39754e-04']
    """

    def __init__(self, model_dim: int, warmup_steps: int = 4000, factor: float = 1.0, variant: str = "paper") -> None:
        self.model_dim = require_int(model_dim, "model_dim")
        self.warmup_steps = require_int(warmup_steps, "warmup_steps")
        self.factor = require_number(factor, "factor", above=0)
        self.variant = require_choice(variant, "variant", VARIANTS)

    def __call__(self, step):
        s = ops.cast(step, "float32") + (1.0 if self.variant == "reference" else 0.0)
        # Without the infinity at s = 0, where the warmup is the minimum of the two.
        decay = ops.rsqrt(ops.maximum(s, 1.0))
        return self.factor * self.model_dim**-0.5 * ops.minimum(decay, s * self.warmup_steps**-1.5)

    def get_config(self) -> dict[str, Any]:
        return {
            "model_dim": self.model_dim,
            "warmup_steps": self.warmup_steps,
            "factor": self.factor,
            "variant": self.variant,
        }
