"""Losses of SelectionGAN: uncertainty-guided pixel loss, total variation and adversarial loss."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_attention.ops.require import is_number, require_choice, require_number
from keras_attention.ops.runtime.replicas import replicas
from keras_attention.training.adversarial_data import known_shape, require_float_images, require_range
from keras_attention.training.adversarial_objective import AdversarialObjective
from keras_attention.types import Nest, Tensor

VARIANTS = ("reference", "paper")
CONDITIONS = ("source", "semantics")
PIXEL = {"first_image": 100.0, "image": 200.0, "first_semantics": 1.0, "semantics": 2.0}
ADVERSARIAL = {"first_image": 1.0, "image": 4.0}


def uncertainty_guided_loss(
    target: Tensor, image: Tensor, uncertainty: Tensor | None = None, variant: str = "reference", floor: float = 1e-6
) -> Tensor:
    r"""Mean absolute error weighted by a predicted uncertainty map.

    $$ loss = \mathrm{mean}(\frac{\ell}{U} + \log U) + \mathrm{mean}(\ell), \quad \ell = |target - image| $$

    as in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)). For a given l
    the first term has its minimum 1 + log l at U = l: the loss may be negative.

    Differs from the paper: the last term is only in its published code; `variant="paper"` leaves it out. Both divide
    by U without a bound; here U is at least `floor`, and has no gradient below it.

    Computed in float32.

    Args:
        target: [B, Y, X, C].
        image: [B, Y, X, C].
        uncertainty: U, [B, Y, X, 1], values between 0 and 1; `None`: the plain mean absolute error.
        variant: `"reference"` or `"paper"`.
        floor: Float in (0, 1), the minimum of U.

    Returns:
        Float32 scalar.

    Example: for U = 1/2 everywhere the loss is 3 l - log 2.

    >>> import numpy as np
    >>> half = np.full((1, 2, 2, 1), 0.5)
    >>> print(f"{float(uncertainty_guided_loss(np.ones((1, 2, 2, 3)), np.zeros((1, 2, 2, 3)), half)):.4f}")
    2.3069
    """
    require_choice(variant, "variant", VARIANTS)
    _require_floor(floor)
    difference = ops.abs(_float(target) - _float(image))
    error = ops.mean(difference)
    if uncertainty is None:
        return error
    U = ops.maximum(_float(uncertainty), floor)
    # The mean of log U over positions is that over positions and channels.
    weighted = ops.mean(difference / U) + ops.mean(ops.log(U))
    return weighted + error if variant == "reference" else weighted


def total_variation(images: Tensor) -> Tensor:
    r"""Total variation: absolute differences of neighboring pixels, summed over the batch.

    $$ \sum_{byxc} |I_{byxc} - I_{b,y-1,xc}| + |I_{byxc} - I_{by,x-1,c}| $$

    A sum, as in SelectionGAN's published code: it grows with the size of the batch and of the image. Computed in
    float32.

    Args:
        images: [B, Y, X, C].

    Returns:
        Float32 scalar.

    Example: a step of 2 between two rows of 3 pixels.

    >>> import numpy as np
    >>> image = np.zeros((1, 4, 3, 1)); image[:, 2:] = 2
    >>> float(total_variation(image))
    6.0
    """
    images = _float(images)
    rows, columns = images[:, 1:] - images[:, :-1], images[:, :, 1:] - images[:, :, :-1]
    return ops.sum(ops.abs(rows)) + ops.sum(ops.abs(columns))


@keras.saving.register_keras_serializable(package="keras_attention")
class SelectionGANObjective(AdversarialObjective):
    r"""Objective of SelectionGAN: pixel loss, adversarial loss and total variation, for `AdversarialModel`.

    With l_t the `uncertainty_guided_loss` of output t, BCE the binary cross-entropy of the discriminator's logits of
    [source, image], w and a the loss weights by the name of the output:

        pixel_loss         = sum over t of w[t] l_t
        adversarial_loss   = sum over t of a[t] BCE(D(generated t), 1)
        generator_loss     = pixel_loss + adversarial_loss + total_variation * total variation of the final image
        discriminator_loss = (sum over t of a[t] (BCE(D(generated t), 0) + BCE(D(real), 1))) / 2

    as in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)), whose outputs
    t are "first_image" and "image", compared with the real image, and the semantic maps "first_semantics" and
    "semantics", compared with the given one. Outputs that the generator does not return are left out, so that all
    steps of the ablation (`models.selection_gan`) use this objective; a generator with one image returns
    "first_image". The total variation is that of "image", or else of "first_image".

    Differs from the paper: see `uncertainty_guided_loss`; one uncertainty map is used for all four outputs, as in the
    published code.

    The discriminator is called separately on real images and on each generated image, as in the published code: its
    batch normalization uses the statistics of each.

    Args:
        condition: Inputs of the generator: ("source", "semantics"), or one of them.
        pixel_weights: Dict w; missing names have weight 0. `None`: the published ones, 100 for "first_image", 200 for
            "image", 1 for "first_semantics", 2 for "semantics".
        adversarial_weights: Dict a; `None`: 1 for "first_image", 4 for "image".
        total_variation: Float of at least 0, weight of the total variation.
        variant: `"reference"` or `"paper"`.
        floor: Float in (0, 1), the minimum of the uncertainty.

    Data: `fit({"source", "semantics", "image"})`, or `fit({"source", "semantics"}, image)`: floats [B, Y, X, C]
    between -1 and 1, all of one size.

    Raises:
        ValueError: If an argument is out of its range, an image is missing, of another size or has values outside of
            [-1, 1].

    Example:

    >>> import numpy as np
    >>> objective = SelectionGANObjective(total_variation=0.0)
    >>> zeros = np.zeros((1, 2, 2, 3), "float32")
    >>> objective.check(objective.batch({"source": zeros, "semantics": zeros}, zeros + 255))
    Traceback (most recent call last):
    ValueError: `image` must have values between -1 and 1. Received: values from 255.0 to 255.0...
    """

    names = (
        "discriminator_loss",
        "generator_loss",
        "pixel_loss",
        "adversarial_loss",
        "total_variation",
        "real_logits",
        "fake_logits",
    )

    def __init__(
        self,
        condition: str | Sequence[str] = CONDITIONS,
        pixel_weights: Mapping[str, float] | None = None,
        adversarial_weights: Mapping[str, float] | None = None,
        total_variation: float = 1e-6,
        variant: str = "reference",
        floor: float = 1e-6,
    ) -> None:
        if not condition or not set(condition) <= set(CONDITIONS):
            raise ValueError(f"`condition` must be one or both of {CONDITIONS}. Received: condition={condition!r}")
        require_choice(variant, "variant", VARIANTS)
        self.condition = [name for name in CONDITIONS if name in condition]
        self.pixel_weights = _weights(pixel_weights, PIXEL, "pixel_weights")
        self.adversarial_weights = _weights(adversarial_weights, ADVERSARIAL, "adversarial_weights")
        self.total_variation = require_number(total_variation, "total_variation", least=0)
        self.variant = variant
        self.floor = _require_floor(floor)

    def batch(self, x: Nest, y: Nest) -> dict[str, Tensor]:
        batch = dict(x) if isinstance(x, dict) else {}
        if y is not None:
            batch["image"] = y
        wanted = (*CONDITIONS, "image")
        if any(batch.get(name) is None for name in wanted):
            raise ValueError(f"A batch must be a dict with {wanted}. Received: {tuple(batch)}")
        return {name: batch[name] for name in wanted}

    def check_specs(self, batch: dict[str, Tensor]) -> None:
        for name, x in batch.items():
            require_float_images(name, x)
        shapes = {name: known_shape(x) for name, x in batch.items()}
        known = [shape for shape in shapes.values() if shape is not None]
        sizes = [{shape[axis] for shape in known if len(shape) == 4} - {None} for axis in range(3)]
        if any(len(shape) != 4 for shape in known) or any(len(size) > 1 for size in sizes):
            raise ValueError(f"All images must be [B, Y, X, C] of one size. Received: shapes {shapes}")

    def check(self, batch: dict[str, Tensor]) -> None:
        batch = {name: np.asarray(x) for name, x in batch.items()}
        self.check_specs(batch)
        for name, x in batch.items():
            require_range(name, x, -1, 1)

    def generator_inputs(self, batch: dict[str, Tensor], seed: keras.random.SeedGenerator) -> dict[str, Tensor]:
        return {name: batch[name] for name in self.condition}

    def discriminator_losses(
        self,
        discriminator: keras.Model,
        batch: dict[str, Tensor],
        inputs: dict[str, Tensor],
        generated: Nest,
        training: bool,
    ) -> dict[str, Tensor]:
        real = _discriminate(discriminator, batch["image"], batch, training)
        total, fakes = 0.0, []
        for name, weight in self._adversarial(generated):
            fake = _discriminate(discriminator, generated[name], batch, training)
            total = total + weight * (ops.mean(ops.softplus(fake)) + ops.mean(ops.softplus(-real)))
            fakes.append(ops.mean(fake))
        return {
            "discriminator_loss": total / 2,
            "real_logits": ops.mean(real),
            "fake_logits": sum(fakes) / len(fakes),
        }

    def generator_losses(
        self,
        discriminator: keras.Model,
        batch: dict[str, Tensor],
        inputs: dict[str, Tensor],
        generated: Nest,
        training: bool,
    ) -> dict[str, Tensor]:
        pixels = adversarial = ops.zeros(())
        for name, weight in self.pixel_weights.items():
            if name in generated:
                target = batch["semantics" if name.endswith("semantics") else "image"]
                loss = uncertainty_guided_loss(
                    target, generated[name], generated.get("uncertainty"), self.variant, self.floor
                )
                pixels = pixels + weight * loss
        for name, weight in self._adversarial(generated):
            logits = _discriminate(discriminator, generated[name], batch, training)
            adversarial = adversarial + weight * ops.mean(ops.softplus(-logits))
        # A sum over the batch, of which each replica has a part, and whose losses are averaged.
        variation = replicas() * total_variation(generated.get("image", generated["first_image"]))
        variation = self.total_variation * variation
        return {
            "generator_loss": pixels + adversarial + variation,
            "pixel_loss": pixels,
            "adversarial_loss": adversarial,
            "total_variation": variation,
        }

    def get_config(self) -> dict[str, Any]:
        return {
            "condition": self.condition,
            "pixel_weights": self.pixel_weights,
            "adversarial_weights": self.adversarial_weights,
            "total_variation": self.total_variation,
            "variant": self.variant,
            "floor": self.floor,
        }

    def _adversarial(self, generated):
        """(name, weight) of the generated images in the adversarial loss."""
        weights = [(name, weight) for name, weight in self.adversarial_weights.items() if name in generated]
        if not weights:
            raise ValueError(
                "The generator must return one of the images of `adversarial_weights`. Received: "
                f"adversarial_weights={self.adversarial_weights}, outputs {sorted(generated)}"
            )
        return weights


def _discriminate(discriminator, image, batch, training):
    """The discriminator's logits of an image and its source."""
    return _float(discriminator({"image": image, "source": batch["source"]}, training=training)["logits"])


def _weights(given, published, name):
    weights = dict(published if given is None else given)
    if not weights or not set(weights) <= set(published) or not all(_is_weight(w) for w in weights.values()):
        raise ValueError(f"`{name}` must have numbers of at least 0 for {tuple(published)}. Received: {name}={given!r}")
    return {key: float(weight) for key, weight in weights.items()}


def _require_floor(floor):
    if not is_number(floor) or not 0 < floor < 1:
        raise ValueError(f"`floor` must be in (0, 1). Received: floor={floor!r}")
    return float(floor)


def _is_weight(value):
    return is_number(value) and math.isfinite(value) and value >= 0


def _float(x):
    return ops.cast(x, "float32")
