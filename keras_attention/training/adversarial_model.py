"""Adversarial training (GANs) as a Keras model with `compile` and `fit`."""

from typing import Unpack

import keras
from keras import ops, tree

from keras_attention.ops import spectral_step
from keras_attention.ops.require import is_number, require_int, require_seed
from keras_attention.training import gradients
from keras_attention.training.adversarial_data import checked, checked_validation
from keras_attention.training.adversarial_objective import AdversarialObjective
from keras_attention.training.moving_average import untrained_copy, update_average
from keras_attention.training.paired_optimizer import PairedOptimizer, loss_scale, require_optimizers, unscaled
from keras_attention.types import LayerOptions, Nest, Optimizer


@keras.saving.register_keras_serializable(package="keras_attention")
class AdversarialModel(keras.Model):
    r"""Trains a generator and a discriminator against each other (GAN).

    One training step, with D the discriminator and G the generator:

        n - 1 times:  update D to minimize L_D(x, G(z)), with other data x and noise z each time
        then:         update D to minimize L_D(x, G(z))
                      update G to minimize L_G(G(z)): the same images, with the updated D
                      average = average + (1 - decay) (G - average)

    n is `discriminator_steps` (the discriminator's optimizer, and a schedule in it, counts n updates a step). A batch
    is split into n parts, so that `batch_size` is the number of samples of one update of G; the last part is filled up
    with the first rows. The last update of D and the update of G use the same generated images: G runs once for both,
    in training mode, as its batch normalization needs. Each network's regularizers and layers' losses are added to
    its loss (those that depend on the data: of the network's last call).

    The two learning rates are those of the two optimizers (TTUR, [Heusel et al.,
    2017](https://arxiv.org/abs/1706.08500)). SAGAN: `Adam(1e-4, beta_1=0.0, beta_2=0.9)` for G, `Adam(4e-4,
    beta_1=0.0, beta_2=0.9)` for D. (Its published code leaves beta_2 at 0.999.)

    The exponential moving average of G's weights is `model.average`, a model of its own, named "<G's name>_average".
    The decay is (1 + t) / (10 + t) after t updates, at most `average_decay`, so that the initial weights are soon
    forgotten; non-trainable weights (moving statistics, spectral vectors) are copied from G. Spectral vectors are
    updated once for each update of the weights they belong to (`ops.spectral_step`). `model.predict` and `model(...)`
    use the average, or G if there is none.

    `model.save_weights` saves both networks, the average, the state of both optimizers and every RNG state: a new
    model that is compiled and then loads the file resumes the run exactly. (Without `compile`, Keras loads the
    networks alone.) `model.optimizer.iterations` counts the steps.

    Replicas of `tf.distribute`: their losses are averaged, so that a step is that of one device with the whole batch,
    except for what a network computes of its part of the batch: the statistics of batch normalization, unless it is
    built with `synchronized=True`. The noise of each replica is its own.

    Args:
        generator: Built `keras.Model`, such as that of `models.sagan`.
        discriminator: Built `keras.Model`.
        objective: `AdversarialObjective`, such as `NoiseToImage`: the inputs and the loss of each network.
        discriminator_steps: Positive int n, updates of the discriminator for one of the generator.
        average_decay: Float in (0, 1), or `None`: no average is kept.
        seed: Int, seed of the noise; `None`: a random one.

    `compile(generator_optimizer, discriminator_optimizer, jit_compile="auto", run_eagerly=False,
    steps_per_execution=1)`: two Keras optimizers, one for each network. `fit`, `evaluate` and callbacks are those of
    Keras; `evaluate` measures the losses of the images that the average generates (G if there is none) with new noise,
    in inference mode.

    Callbacks: `ReduceLROnPlateau` and `LearningRateScheduler` read and set `model.optimizer.learning_rate`, which is
    the generator's; the discriminator's is multiplied by the same factor. There is no "loss" to monitor: name one, as
    in `EarlyStopping("val_generator_loss", mode="min")`.

    Raises:
        ValueError: If an argument or the data is out of its range. Arrays, and shapes and dtypes of a
            `tf.data.Dataset`: before training starts. Values in a `tf.data.Dataset` or a generator: at their batch,
            where TensorFlow raises its own error with the same text.

    Example:

    >>> from keras import layers
    >>> from keras_attention.training import NoiseToImage
    >>> import numpy as np
    >>> noise = keras.Input((3,), name="noise")
    >>> generator = keras.Model({"noise": noise}, layers.Dense(2)(noise))
    >>> image = keras.Input((2,), name="image")
    >>> discriminator = keras.Model({"image": image}, layers.Dense(1)(image))
    >>> model = AdversarialModel(generator, discriminator, NoiseToImage(noise_dim=3), average_decay=0.999)
    >>> model.compile(keras.optimizers.Adam(1e-4, beta_1=0.0), keras.optimizers.Adam(4e-4, beta_1=0.0))
    >>> history = model.fit(-np.ones((8, 2), "float32"), batch_size=4, verbose=0)
    >>> sorted(history.history)
    ['discriminator_loss', 'fake_logits', 'generator_loss', 'real_logits']
    >>> model.predict({"noise": np.zeros((5, 3))}, verbose=0).shape
    (5, 2)
    """

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        objective: AdversarialObjective,
        discriminator_steps: int = 1,
        average_decay: float | None = None,
        seed: int | None = None,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        for name, network in {"generator": generator, "discriminator": discriminator}.items():
            if not isinstance(network, keras.Model) or not network.built:
                raise ValueError(f"`{name}` must be a `keras.Model` that is built. Received: {network!r}")
        if not isinstance(objective, AdversarialObjective):
            raise ValueError(f"`objective` must be an `AdversarialObjective`. Received: {objective!r}")
        if average_decay is not None and not (is_number(average_decay) and 0 < average_decay < 1):
            raise ValueError(f"`average_decay` must be in (0, 1) or None. Received: average_decay={average_decay!r}")
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.discriminator_steps = require_int(discriminator_steps, "discriminator_steps")
        objective.check_networks(generator, discriminator)
        self.average_decay = None if average_decay is None else float(average_decay)
        self.seed = require_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.average = None if average_decay is None else untrained_copy(generator)
        self.trackers = [keras.metrics.Mean(name=name) for name in objective.names]
        self.built = True

    def compile(
        self,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
        jit_compile: bool | str = "auto",
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
    ) -> None:
        optimizers = [keras.optimizers.get(o) for o in (generator_optimizer, discriminator_optimizer)]
        require_optimizers(*optimizers)
        networks = self.generator, self.discriminator
        # The generator's gradient passes through the discriminator too.
        if any(model.dtype_policy.name == "mixed_float16" for model in (self, *networks)):
            optimizers = [keras.optimizers.LossScaleOptimizer(optimizer) for optimizer in optimizers]
        super().compile(
            optimizer=PairedOptimizer(*optimizers, *(network.trainable_variables for network in networks)),
            jit_compile=jit_compile,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            auto_scale_loss=False,
        )

    def call(self, inputs: Nest, training: bool = False) -> Nest:
        network = self.generator if self.average is None else self.average
        return network(inputs, training=training)

    def fit(self, x=None, y=None, *args, **kwargs):
        if kwargs.get("validation_data") is not None:
            kwargs["validation_data"] = checked_validation(self.objective, kwargs["validation_data"])
        return super().fit(checked(self.objective, x, y), y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        return super().evaluate(checked(self.objective, x, y), y, *args, **kwargs)

    def predict(self, x, *args, **kwargs):
        self.objective.check_inputs(x)
        return super().predict(x, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        return super().test_on_batch(checked(self.objective, x, y), y, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        return super().train_on_batch(checked(self.objective, x, y), y, *args, **kwargs)

    def train_step(self, *arguments):
        groups = self.trainable_variables, self.non_trainable_variables, self.optimizer.variables
        with gradients.forked_rng(self.seed_generator.state, self.optimizer.iterations):
            return gradients.run_step(self._train, (*groups, self.metrics_variables), arguments)

    def test_step(self, *arguments):
        groups = self.trainable_variables, self.non_trainable_variables, self.metrics_variables
        return gradients.run_step(self._test, groups, arguments)

    @property
    def metrics(self):
        return list(self.trackers)

    def save_own_variables(self, store):
        # Keras saves the two networks itself, and leaves the RNG states out.
        for i, variable in enumerate(self._seeds()):
            store[str(i)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store):
        seeds = self._seeds()
        if len(store.keys()) != len(seeds):
            raise ValueError(
                f"The file has {len(store.keys())} RNG states, this model {len(seeds)}: "
                "it is not a checkpoint of this `AdversarialModel`"
            )
        for i, variable in enumerate(seeds):
            variable.assign(store[str(i)])

    def get_config(self):
        return {
            "name": self.name,
            "generator": keras.saving.serialize_keras_object(self.generator),
            "discriminator": keras.saving.serialize_keras_object(self.discriminator),
            "objective": keras.saving.serialize_keras_object(self.objective),
            "discriminator_steps": self.discriminator_steps,
            "average_decay": self.average_decay,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("generator", "discriminator", "objective")
        }
        return cls(**{**config, **parts})

    def get_compile_config(self):
        if not self.compiled:
            return {}
        serialize = keras.saving.serialize_keras_object
        return {
            "generator_optimizer": serialize(unscaled(self.optimizer.generator_optimizer)),
            "discriminator_optimizer": serialize(unscaled(self.optimizer.discriminator_optimizer)),
            "jit_compile": self.jit_compile,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def _train(self, data):
        batch = self._batch(data)
        *before, last = _parts(batch, self.discriminator_steps)
        with spectral_step():  # of the generator, whose weights stay the same for all parts
            for part in before:
                inputs = self.objective.generator_inputs(part, self.seed_generator)
                generated = self.generator(inputs, training=True)
                with spectral_step():  # of the discriminator
                    self._update_discriminator(part, inputs, generated)
            inputs = self.objective.generator_inputs(last, self.seed_generator)
            generated, vjp = self._generate(inputs)
        with spectral_step():
            self._update_discriminator(last, inputs, generated)
            self._update_generator(last, inputs, generated, vjp)
        if self.average is not None:
            update_average(self.average, self.generator, self.optimizer.iterations, self.average_decay)
        self.optimizer.iterations.assign(self.optimizer.iterations + 1)
        return self.get_metrics_result()

    def _test(self, data):
        batch = self._batch(data)
        inputs = self.objective.generator_inputs(batch, self.seed_generator)
        generated = self(inputs, training=False)
        self._report(self.objective.discriminator_losses(self.discriminator, batch, inputs, generated, training=False))
        self._report(self.objective.generator_losses(self.discriminator, batch, inputs, generated, training=False))
        return self.get_metrics_result()

    def _batch(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError("An `AdversarialModel` does not weigh samples: `sample_weight` must be None")
        batch = tree.map_structure(ops.convert_to_tensor, self.objective.batch(x, y))
        self.objective.check_specs(batch)
        return batch

    def _generate(self, inputs):
        """The generated images, and their vector-Jacobian product with respect to the generator's weights."""
        scale, generator = loss_scale(self.optimizer.generator_optimizer), self.generator

        def generate():
            generated = generator(inputs, training=True)
            return (generated, scale * _sum(generator.losses)), ()

        (generated, penalty), _, vjp = gradients.vjp(generate, generator.trainable_variables, self._state())
        return generated, lambda cotangents: vjp((cotangents, ops.ones_like(penalty)))[0]

    def _update_discriminator(self, batch, inputs, generated):
        optimizer, discriminator = self.optimizer.discriminator_optimizer, self.discriminator
        scale, generated = loss_scale(optimizer), gradients.stop_gradients(generated)

        def discriminate():
            values = self.objective.discriminator_losses(discriminator, batch, inputs, generated, training=True)
            return scale * (values["discriminator_loss"] + _sum(discriminator.losses)), values

        variables = discriminator.trainable_variables
        loss, values, vjp = gradients.vjp(discriminate, variables, self._state())
        gradients.apply(optimizer, vjp(ops.ones_like(loss))[0], variables)
        self._report(values)

    def _update_generator(self, batch, inputs, generated, vjp):
        optimizer = self.optimizer.generator_optimizer
        scale = loss_scale(optimizer)

        def discriminate(generated):
            values = self.objective.generator_losses(self.discriminator, batch, inputs, generated, training=True)
            return scale * values["generator_loss"], values

        images = gradients.stop_gradients(generated)
        loss, values, loss_vjp = gradients.vjp(discriminate, [], self._state(), (images,))
        [cotangents] = loss_vjp(ops.ones_like(loss))[1]
        gradients.apply(optimizer, vjp(cotangents), self.generator.trainable_variables)
        self._report(values)

    def _report(self, values):
        trackers = {tracker.name: tracker for tracker in self.trackers}
        for name, value in values.items():
            trackers[name].update_state(value)

    def _state(self):
        return self.trainable_variables + self.non_trainable_variables

    def _seeds(self):
        known = {id(v) for v in [*self.weights, *self.metrics_variables]}
        return [v for v in self.variables if id(v) not in known]


def _parts(batch, count):
    """Splits a batch into `count` parts of one size; the last is filled up with the first rows."""
    if count == 1:
        return [batch]
    B = ops.shape(tree.flatten(batch)[0])[0]
    size = (B + count - 1) // count
    rows = [(part * size + ops.arange(size)) % B for part in range(count)]
    return [tree.map_structure(lambda x, take=part: ops.take(x, take, axis=0), batch) for part in rows]


def _sum(losses):
    return sum((ops.cast(loss, "float32") for loss in losses), ops.zeros(()))
