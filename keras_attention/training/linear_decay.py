"""Learning rate schedule: constant, then linear decay to zero."""

from typing import Any

import keras
from keras import ops

from keras_attention.ops.require import require_int, require_number


@keras.saving.register_keras_serializable(package="keras_attention")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    r"""Learning rate schedule: constant for `constant_steps`, then linear decay to 0 within `decay_steps`.

    $$ lr(s) = lr_0 \min(1, \max(0, 1 - \frac{s - constant}{decay})) $$

    as for the image-to-image networks of pix2pix and SelectionGAN (2e-4 for 15 to 50 epochs, falling for as many) and
    for SNGAN (2e-4 for 400,000 updates, falling for 50,000). s is the number of updates done.

    An optimizer counts its own updates: with `AdversarialModel(discriminator_steps=n)` the discriminator's makes n in a
    training step, and needs n times as many `constant_steps` and `decay_steps`.

    Differs from the published code of the first two: there the rate is changed after each epoch, here after each
    update.

    Args:
        learning_rate: Positive float.
        constant_steps: Int, at least 0.
        decay_steps: Positive int.

    Call arguments:
        step: Number of updates done; a number or an integer tensor.

    Returns:
        Float32 scalar tensor.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> schedule = LinearDecay(2e-4, constant_steps=100, decay_steps=50)
    >>> [f"{float(schedule(step)):.1e}" for step in (0, 100, 125, 150, 151)]
    ['2.0e-04', '2.0e-04', '1.0e-04', '0.0e+00', '0.0e+00']
    """

    def __init__(self, learning_rate: float, constant_steps: int, decay_steps: int) -> None:
        self.learning_rate = float(require_number(learning_rate, "learning_rate", above=0))
        self.constant_steps = require_int(constant_steps, "constant_steps", least=0)
        self.decay_steps = require_int(decay_steps, "decay_steps")

    def __call__(self, step):
        # As integers: float32 cannot count beyond 2^24.
        elapsed = ops.cast(ops.cast(step, "int32") - self.constant_steps, "float32")
        return self.learning_rate * ops.clip(1.0 - elapsed / self.decay_steps, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "constant_steps": self.constant_steps,
            "decay_steps": self.decay_steps,
        }
