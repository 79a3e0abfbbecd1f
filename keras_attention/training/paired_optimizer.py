"""The optimizers of a generator and of a discriminator as one Keras optimizer, saved and restored together."""

import keras
from keras import ops

from keras_attention.ops.runtime.replicas import replicas


class PairedOptimizer(keras.optimizers.Optimizer):
    """The optimizers of a generator and of a discriminator, each for its own variables.

    `iterations` counts the training steps, one for each update of the generator.

    `learning_rate` is the generator's. Setting it, as `ReduceLROnPlateau` and `LearningRateScheduler` do, multiplies
    the discriminator's by the same factor. To change one alone, set that of `generator_optimizer` or of
    `discriminator_optimizer`. If either has a schedule, Keras's `TypeError` says so.

    Args:
        generator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_optimizer: Another one.
        generator_variables: Variables that the first updates.
        discriminator_variables: Variables that the second updates.
    """

    def __init__(
        self, generator_optimizer, discriminator_optimizer, generator_variables, discriminator_variables, name=None
    ):
        super().__init__(learning_rate=0.0, name=name)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        generator_optimizer.build(generator_variables)
        discriminator_optimizer.build(discriminator_variables)
        self.built = True
        self._ratio = None
        self._remember_ratio()

    def build(self, variables):
        """Ignored: the two optimizers were built for their variables."""

    @property
    def variables(self):
        return super().variables + self.generator_optimizer.variables + self.discriminator_optimizer.variables

    @property
    def learning_rate(self):
        return self.generator_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        if callable(learning_rate):
            raise ValueError(
                "`learning_rate` must be a number: a schedule is given to `generator_optimizer` or to "
                f"`discriminator_optimizer`. Received: learning_rate={learning_rate!r}"
            )
        for optimizer, rate in zip(self._pair(), self._rates()):
            optimizer.learning_rate = rate  # raises if it has a schedule, before either rate changes
        self._remember_ratio()
        if self._ratio is None:
            raise ValueError(
                "The generator's learning rate has been 0 since `compile`, so that the discriminator's has no ratio to "
                "it: set that of `generator_optimizer` and of `discriminator_optimizer`"
            )
        self.generator_optimizer.learning_rate = learning_rate
        self.discriminator_optimizer.learning_rate = self._ratio * self._rates()[0]

    def finalize_variable_values(self, var_list):
        """Ignored: neither optimizer averages its variables, see `require_optimizers`."""

    def save_own_variables(self, store):
        # Keras saves the two optimizers itself.
        for i, variable in enumerate(super().variables):
            store[str(i)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        for i, variable in enumerate(super().variables):
            variable.assign(store[str(i)])

    def get_config(self):
        return {
            "name": self.name,
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
            "discriminator_optimizer": keras.saving.serialize_keras_object(self.discriminator_optimizer),
        }

    def _pair(self):
        return self.generator_optimizer, self.discriminator_optimizer

    def _rates(self):
        return [float(ops.convert_to_numpy(optimizer.learning_rate)) for optimizer in self._pair()]

    def _remember_ratio(self):
        """Remembers the ratio of the rates, for a generator's rate that returns from 0."""
        generator, discriminator = self._rates()
        if generator > 0:
            self._ratio = discriminator / generator


def require_optimizers(generator_optimizer, discriminator_optimizer):
    """Raises `ValueError` if the optimizers cannot be paired."""
    named = {"generator_optimizer": generator_optimizer, "discriminator_optimizer": discriminator_optimizer}
    for name, optimizer in named.items():
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise ValueError(f"`{name}` must be a Keras optimizer. Received: {name}={optimizer!r}")
        if optimizer.use_ema:
            raise ValueError(f"`{name}` may not have `use_ema=True`: `average_decay` averages the generator's weights")
        if optimizer.built:
            raise ValueError(f"`{name}` belongs to another model already: make a new one")
    if generator_optimizer is discriminator_optimizer:
        raise ValueError("The generator and the discriminator need an optimizer each. Received the same one twice")


def loss_scale(optimizer):
    """The factor of a replica's loss. Read outside of `gradients.vjp`, which on JAX hides the optimizer's state."""
    return optimizer.scale_loss(ops.ones(())) / replicas()


def unscaled(optimizer):
    """The optimizer that was given to `compile`."""
    return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer
