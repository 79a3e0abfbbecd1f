"""Objectives of `AdversarialModel`: the inputs and the losses of generator and discriminator."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_attention.ops.require import is_number, require_choice, require_classes, require_int, require_number
from keras_attention.ops.runtime.random_numbers import integers, normal
from keras_attention.training.adversarial_data import known_shape, require_float_images, require_range
from keras_attention.training.adversarial_losses import ADVERSARIAL_LOSSES, auxiliary_classifier_loss
from keras_attention.types import Nest, Tensor


class AdversarialObjective:
    """Base class of what an `AdversarialModel` minimizes: subclass it for another GAN.

    A training step with a batch of data is

        inputs = objective.generator_inputs(batch, seed_generator)
        generated = generator(inputs)
        minimize objective.discriminator_losses(discriminator, batch, inputs, generated)["discriminator_loss"]
        minimize objective.generator_losses(discriminator, batch, inputs, generated)["generator_loss"]

    `generated` is what the generator returns: a tensor, or a dict of named ones. No gradient flows from the
    discriminator's loss into it. Each value of the two dicts is a scalar, reported in training under its name.

    Attributes:
        names: Keys of the two dicts, in the order in which they are reported.
    """

    names = ("discriminator_loss", "generator_loss")

    def batch(self, x: Nest, y: Nest) -> dict[str, Tensor]:
        """The batch that the other methods get, from `x` and `y` of `fit`."""
        raise NotImplementedError

    def check_networks(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Raises `ValueError` if the networks do not fit the objective."""

    def check_specs(self, batch: dict[str, Tensor]) -> None:
        """Raises `ValueError` if shapes or dtypes are invalid: `batch` holds arrays, tensors or specs of a dataset."""

    def check(self, batch: dict[str, Tensor]) -> None:
        """Raises `ValueError` if the data is invalid: `batch` holds NumPy arrays, before they become tensors."""

    def check_inputs(self, inputs: dict[str, Tensor]) -> None:
        """Raises `ValueError` if the generator's inputs, NumPy arrays given to `predict`, are invalid."""

    def generator_inputs(self, batch: dict[str, Tensor], seed: keras.random.SeedGenerator) -> dict[str, Tensor]:
        """The generator's inputs. `seed` is a `keras.random.SeedGenerator` for all random numbers."""
        raise NotImplementedError

    def discriminator_losses(
        self,
        discriminator: keras.Model,
        batch: dict[str, Tensor],
        inputs: dict[str, Tensor],
        generated: Nest,
        training: bool,
    ) -> dict[str, Tensor]:
        """{"discriminator_loss": scalar, ...}"""
        raise NotImplementedError

    def generator_losses(
        self,
        discriminator: keras.Model,
        batch: dict[str, Tensor],
        inputs: dict[str, Tensor],
        generated: Nest,
        training: bool,
    ) -> dict[str, Tensor]:
        """{"generator_loss": scalar, ...}; the discriminator's weights are not updated."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_attention")
class NoiseToImage(AdversarialObjective):
    r"""Objective of a GAN that generates images from noise, and from a class if there are classes.

    With normal noise and uniform random classes, as in "Self-Attention Generative Adversarial Networks"
    ([Zhang et al., 2018](https://arxiv.org/abs/1805.08318)) and its published code:

        noise: [B, Z] = normal();  label: [B] = uniform(0 ... K - 1)
        generated: [B, Y, X, C] = generator({"noise", "label"})
        logits: [B, 1] = discriminator({"image", "label"})["logits"]

    The loss is one of

        "hinge":  L_D = mean relu(1 - D(x)) + mean relu(1 + D(generated)),     L_G = -mean D(generated)   (the default)
        "bce":    L_D = mean softplus(-D(x)) + mean softplus(D(generated)),    L_G = mean softplus(-D(generated))
        "kl":     L_D as "bce",                                                L_G = -mean D(generated)

    With an auxiliary classifier (AC-GAN), the discriminator also returns "classes": [B, K] logits. `classifier_weight`
    times the cross-entropy of real and of generated images is added to its loss, that of generated images to the
    generator's. It gets "label" only if it has such an input.

    The discriminator is called once a step with `training=True`, on the real and the generated images together, so
    that spectral vectors are updated once a step; for the generator's loss it is called with `training=False`. A
    discriminator with batch normalization or dropout needs an objective of its own.

    Args:
        noise_dim: Positive int Z.
        num_classes: Positive int K; `None` without classes: then neither network gets a "label".
        loss: `"hinge"`, `"bce"` or `"kl"`.
        classifier_weight: Positive float, or `None` if the discriminator has no auxiliary classifier.
        value_range: (lowest, highest) value of the generated images, by default those of tanh: real images must be in
            it. `None`: any values.

    Data: `fit(images, labels)` or `fit({"image": images, "label": labels})`; images [B, Y, X, C] of the shape and the
    `value_range` of the generator's (from -1 to 1: `image / 127.5 - 1` of bytes), labels integers [B] from 0 to K - 1.
    Images without a value below 0, where generated ones have them, give a warning.

    Raises:
        ValueError: If an argument is out of its range, a network has a "label" and there is no `num_classes`, the
            generator's noise is not of `noise_dim`, the discriminator's image is not of the shape of the generator's,
            data is missing, images are integers, out of `value_range`, of another shape than the generated or have NaN
            in them, or a label is out of its range.

    Example: noise and labels of a training step.

    >>> objective = NoiseToImage(noise_dim=3, num_classes=10)
    >>> batch = objective.batch(np.zeros((4, 8, 8, 3), "float32"), np.array([1, 2, 3, 9]))
    >>> {k: tuple(v.shape) for k, v in objective.generator_inputs(batch, keras.random.SeedGenerator(0)).items()}
    {'noise': (4, 3), 'label': (4,)}
    """

    def __init__(
        self,
        noise_dim: int,
        num_classes: int | None = None,
        loss: str = "hinge",
        classifier_weight: float | None = None,
        value_range: Sequence[float] | None = (-1, 1),
    ) -> None:
        self.noise_dim = require_int(noise_dim, "noise_dim")
        self.num_classes = require_int(num_classes, "num_classes", optional=True)
        self.loss = require_choice(loss, "loss", ADVERSARIAL_LOSSES)
        self.classifier_weight = require_number(classifier_weight, "classifier_weight", optional=True, above=0)
        if classifier_weight is not None and num_classes is None:
            raise ValueError("`classifier_weight` needs `num_classes`. Received: num_classes=None")
        self.value_range = _require_range_of_values(value_range)

    @property
    def names(self) -> tuple[str, ...]:
        names = ("discriminator_loss", "generator_loss", "real_logits", "fake_logits")
        return names if self.classifier_weight is None else (*names, "real_classes_loss", "fake_classes_loss")

    def batch(self, x: Nest, y: Nest) -> dict[str, Tensor]:
        batch = dict(x) if isinstance(x, dict) else {"image": x}
        if y is not None:
            batch["label"] = y
        wanted = ("image",) if self.num_classes is None else ("image", "label")
        if any(batch.get(name) is None for name in wanted):
            classes = "" if self.num_classes is None else f", as `num_classes` is {self.num_classes}"
            raise ValueError(f"A batch must have {wanted}{classes}. Received: {tuple(batch)}")
        return {name: batch[name] for name in wanted}

    def check_networks(self, generator: keras.Model, discriminator: keras.Model) -> None:
        for name, network in {"generator": generator, "discriminator": discriminator}.items():
            if self.num_classes is None and "label" in _inputs(network):
                raise ValueError(
                    f"The {name} has an input 'label': `NoiseToImage` needs `num_classes`. Received: num_classes=None"
                )
        if "noise" in _inputs(generator) and not _fit((self.noise_dim,), generator.input["noise"].shape[1:]):
            raise ValueError(
                f"`noise_dim` must be the size of the generator's input 'noise'. Received: noise_dim={self.noise_dim}, "
                f"an input of shape {tuple(generator.input['noise'].shape)}"
            )
        output = getattr(generator, "output", None)
        if "image" in _inputs(discriminator) and hasattr(output, "shape"):
            wanted = discriminator.input["image"].shape
            if not _fit(output.shape, wanted):
                raise ValueError(
                    "The discriminator's input 'image' must have the shape of the generator's output. "
                    f"Received: shapes {tuple(wanted)} and {tuple(output.shape)}"
                )

    def check_specs(self, batch: dict[str, Tensor]) -> None:
        image = batch["image"]
        require_float_images("image", image)
        if self.num_classes is None:
            return
        label, dtype = batch["label"], keras.backend.standardize_dtype(batch["label"].dtype)
        if "int" not in dtype or not _fit(known_shape(label), (known_shape(image) or (None,))[:1]):
            raise ValueError(
                f"`label` must be integers [B], one for each image. Received: label.shape={known_shape(label)} "
                f"({dtype}), image.shape={known_shape(image)}"
            )

    def check(self, batch: dict[str, Tensor]) -> None:
        batch = {name: np.asarray(x) for name, x in batch.items()}
        self.check_specs(batch)
        image = batch["image"]
        if not np.isfinite(image.sum(dtype="float64")):
            raise ValueError(f"`image` must not have NaN or infinity in it. Received: image.shape={image.shape}")
        if self.value_range is not None:
            require_range("image", image, *self.value_range)
        if self.num_classes is not None:
            require_classes(batch["label"], self.num_classes)

    def check_inputs(self, inputs: dict[str, Tensor]) -> None:
        if self.num_classes is not None and isinstance(inputs, dict) and isinstance(inputs.get("label"), np.ndarray):
            require_classes(inputs["label"], self.num_classes)

    def generator_inputs(self, batch: dict[str, Tensor], seed: keras.random.SeedGenerator) -> dict[str, Tensor]:
        B = ops.shape(batch["image"])[0]
        inputs = {"noise": normal((B, self.noise_dim), seed)}
        if self.num_classes is not None:
            inputs["label"] = integers((B,), self.num_classes, seed)
        return inputs

    def discriminator_losses(
        self,
        discriminator: keras.Model,
        batch: dict[str, Tensor],
        inputs: dict[str, Tensor],
        generated: Nest,
        training: bool,
    ) -> dict[str, Tensor]:
        if not _fit(tuple(batch["image"].shape)[1:], tuple(generated.shape)[1:]):
            raise ValueError(
                "`image` must have the shape of the generated images. "
                f"Received: image.shape={tuple(batch['image'].shape)}, generated {tuple(generated.shape)}"
            )
        images = ops.concatenate([ops.cast(batch["image"], generated.dtype), generated])
        labels = None
        if self.num_classes is not None:
            labels = ops.concatenate([ops.cast(batch["label"], "int32"), inputs["label"]])
        outputs = self._discriminate(discriminator, images, labels, training)
        real, fake = ops.split(outputs["logits"], 2)
        loss = ADVERSARIAL_LOSSES[self.loss][0](real, fake)
        values = {"real_logits": ops.mean(real), "fake_logits": ops.mean(fake)}
        if self.classifier_weight is not None:
            halves = zip(ops.split(labels, 2), ops.split(outputs["classes"], 2))
            real_classes, fake_classes = (auxiliary_classifier_loss(*half) for half in halves)
            loss = loss + self.classifier_weight * (real_classes + fake_classes)
            values["real_classes_loss"] = real_classes
        return {"discriminator_loss": loss, **values}

    def generator_losses(
        self,
        discriminator: keras.Model,
        batch: dict[str, Tensor],
        inputs: dict[str, Tensor],
        generated: Nest,
        training: bool,
    ) -> dict[str, Tensor]:
        outputs = self._discriminate(discriminator, generated, inputs.get("label"), training=False)
        loss = ADVERSARIAL_LOSSES[self.loss][1](outputs["logits"])
        if self.classifier_weight is None:
            return {"generator_loss": loss}
        classes = auxiliary_classifier_loss(inputs["label"], outputs["classes"])
        return {"generator_loss": loss + self.classifier_weight * classes, "fake_classes_loss": classes}

    def get_config(self) -> dict[str, Any]:
        return {
            "noise_dim": self.noise_dim,
            "num_classes": self.num_classes,
            "loss": self.loss,
            "classifier_weight": self.classifier_weight,
            "value_range": self.value_range,
        }

    def _discriminate(self, discriminator, images, labels, training):
        """Logits in float32; the auxiliary classifier must be there exactly if it is trained."""
        data = {"image": images} if labels is None else {"image": images, "label": labels}
        wanted = _inputs(discriminator)
        if wanted:
            data = {name: data[name] for name in wanted}
        outputs = discriminator(data, training=training)
        outputs = outputs if isinstance(outputs, dict) else {"logits": outputs}
        if ("classes" in outputs) != (self.classifier_weight is not None):
            raise ValueError(
                "`classifier_weight` goes with a discriminator that returns 'classes', and only with it. Received: "
                f"classifier_weight={self.classifier_weight}, discriminator outputs {sorted(outputs)}"
            )
        return {name: ops.cast(logits, "float32") for name, logits in outputs.items()}


def _inputs(network):
    """Names of the inputs of a functional model with named ones; empty for others."""
    inputs = getattr(network, "input", None)
    return tuple(inputs) if isinstance(inputs, dict) else ()


def _fit(shape, other):
    """Whether two static shapes are of one rank and size, where both are known."""
    if shape is None or other is None:
        return True
    return len(shape) == len(other) and all(None in pair or pair[0] == pair[1] for pair in zip(shape, other))


def _require_range_of_values(value):
    if value is None:
        return None
    pair = tuple(value) if isinstance(value, list | tuple) else ()
    if len(pair) != 2 or not all(map(is_number, pair)) or not pair[0] < pair[1]:
        raise ValueError(f"`value_range` must be (lowest, highest) or None. Received: value_range={value!r}")
    return pair
