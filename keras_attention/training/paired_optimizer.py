"""Two optimizers that Keras sees as one, so that it keeps, saves and restores the state of both."""

import keras


class PairedOptimizer(keras.optimizers.Optimizer):
    """The optimizers of a generator and of a discriminator, each for its own variables.

    `iterations` counts the steps of training, one for each update of the generator.

    Args:
        generator_optimizer: `keras.optimizers.Optimizer`.
        discriminator_optimizer: Another one.
        generator_variables: What the first updates.
        discriminator_variables: What the second updates.
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

    def build(self, variables):
        """Nothing is left to do: the two were built for their variables."""

    @property
    def variables(self):
        return super().variables + self.generator_optimizer.variables + self.discriminator_optimizer.variables

    @property
    def learning_rate(self):
        """The generator's."""
        return self.generator_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        raise AttributeError(
            "There are two learning rates: set that of `optimizer.generator_optimizer` or of "
            "`optimizer.discriminator_optimizer`, or give each a schedule."
        )

    def finalize_variable_values(self, var_list):
        """Nothing: neither of the two averages variables, which `require_optimizers` sees to."""

    def save_own_variables(self, store):
        # Keras goes on to the two optimizers by itself.
        for i, variable in enumerate(super().variables):
            store[str(i)] = keras.ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        for i, variable in enumerate(super().variables):
            variable.assign(store[str(i)])

    def get_config(self):
        return {
            "name": self.name,
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
            "discriminator_optimizer": keras.saving.serialize_keras_object(self.discriminator_optimizer),
        }


def require_optimizers(generator_optimizer, discriminator_optimizer):
    """Refuses by name what a `PairedOptimizer` cannot be made of."""
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
