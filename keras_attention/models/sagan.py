"""SAGAN: class-conditional GAN with self-attention in generator and discriminator, and its paper's baselines."""

from collections.abc import Sequence
from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import LabelConcatenation, ProjectionHead
from keras_attention.models.parts.arguments import as_locals, keywords
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.sagan import SMALLEST, SAGANParts, widths
from keras_attention.models.parts.sagan_arguments import CONCATENATE_AT, complete, keep, without
from keras_attention.models.parts.synchronized import synchronize
from keras_attention.ops.require import require_choice
from keras_attention.types import DType, ModelOptions

SQRT2 = 2**0.5
LABELED = ("projection", "concatenation")  # conditionings with an input of labels
# baseline: arguments that it changes, of the generator and of the discriminator
BASELINES = {
    None: ({}, {}),
    "sngan_projection": (
        {
            "attention_at": None,
            "spectral_normalization": False,
            "kernel_gain": SQRT2,
            "norm_momentum": (0.9, 0.9),
            "norm_epsilon": 2e-5,
        },
        {"attention_at": None, "hidden_width": "in", "kernel_gain": SQRT2},
    ),
    "ac_gan": ({"attention_at": None}, {"attention_at": None, "conditioning": "classifier"}),
}


@keras.saving.register_keras_serializable(package="keras_attention")
class SAGANGenerator(keras.Model):
    r"""SAGAN generator: class-conditional residual generator with self-attention.

    $$ x_{l+1} = \mathrm{up}(x_l) + F_c(x_l), \quad x' = \gamma \, \mathrm{attention}(x) + x $$

    as in "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2019](https://arxiv.org/abs/1805.08318)) and
    its published code, where F is conditional batch normalization, ReLU, upsampling by 2, 3 × 3 convolution,
    conditional batch normalization, ReLU, 3 × 3 convolution. Written out, with B batch, Z = noise_dim, W = channels;
    on the right the sizes for 128 × 128 pixels and W = 64:

        first:   [B, 4, 4, 16 W]   = noise . kernel + bias                                    4 × 4 × 1024
        blocks:  [B, 2 y, 2 x, w]  each; W channels in the last, before it twice the next's   8² × 1024 to 128² × 64
        image:   [B, Y, X, 3]      = tanh(3 × 3 convolution(ReLU(batch norm(last block))))    128 × 128 × 3

    Max 16 W channels. Convolutions and the first layer have biases and spectral normalization; the shortcut is always
    a 1 × 1 convolution.

    Differs from the paper: self-attention is that of the published code (see `SelfAttention2D`), and so is all that the
    paper leaves open. The paper has 128 pixels only: smaller images omit the blocks with most channels, larger ones
    have more blocks of 16 W in front.

    In 3000 training steps on Fashion-MNIST at 32 × 32 pixels self-attention did not lower FID:
    docs/examples/sagan_images.md.

    Args:
        image_size: Rows and columns in pixels: a power of 2 of at least 8.
        num_classes: Positive int, or `None` for an unconditional model with plain batch normalization.
        channels: Positive int W.
        attention_at: Size (rows) of the feature maps that get self-attention: a power of 2 from 8 to half of
            `image_size`, a tuple of sizes, or `None` for no attention.
        attention_kwargs: Dict of arguments of `SelfAttention2D`.
        noise_dim: Positive int Z.
        spectral_normalization: Whether to divide all kernels by their largest singular value.
        kernel_gain: Gain of the Glorot uniform initializer of the 3 × 3 kernels in the blocks.
        norm_momentum: Pair of floats: momentum of the batch normalizations in the blocks, and of the last.
        norm_epsilon: Epsilon of all batch normalizations.
        output_channels: Channels of the image.
        synchronized: Whether batch normalization computes its statistics of the batches of all replicas of
            `tf.distribute` together. Other backends ignore it.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"noise": [B, Z], "label": [B]}`; without classes `{"noise": [B, Z]}`. Noise from N(0, 1).

    Returns:
        Images [B, image_size, image_size, output_channels] in [-1, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> generator = SAGANGenerator(image_size=16, num_classes=10, channels=4, attention_at=8, noise_dim=5)
    >>> tuple(generator({"noise": np.ones((2, 5)), "label": np.array([3, 9])}).shape)
    (2, 16, 16, 3)
    """

    def __init__(
        self,
        image_size: int = 128,
        num_classes: int | None = 1000,
        channels: int = 64,
        attention_at: int | Sequence[int] | None = 32,
        attention_kwargs: dict[str, Any] | None = None,
        noise_dim: int = 128,
        spectral_normalization: bool = True,
        kernel_gain: float = 1.0,
        norm_momentum: Sequence[float] = (0.999, 0.9999),
        norm_epsilon: float = 1e-5,
        output_channels: int = 3,
        synchronized: bool = False,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = complete(SAGANGenerator, locals())
        parts = _parts(arguments, dtype)
        inputs = {"noise": keras.Input((noise_dim,), name="noise")}
        if num_classes:
            inputs["label"] = keras.Input((), dtype="int32", name="label")
        super().__init__(inputs, _image(inputs, parts, arguments), **kwargs)
        if synchronized:
            synchronize(self)
        keep(self, arguments, dtype)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        return {"label": self.num_classes} if self.num_classes else {}

    def get_config(self):
        return {**common_config(self), **self._arguments}


@keras.saving.register_keras_serializable(package="keras_attention")
class SAGANDiscriminator(keras.Model):
    r"""SAGAN discriminator: residual projection discriminator with self-attention.

    $$ x_{l+1} = \mathrm{down}(x_l + F(x_l)), \quad D(x, c) = w \cdot h(x) + b + \langle e_c, h(x) \rangle $$

    as in "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2019](https://arxiv.org/abs/1805.08318)) and
    its published code, where F is ReLU, 3 × 3 convolution, ReLU, 3 × 3 convolution. Written out, with B batch, W =
    channels; on the right the sizes for 128 × 128 pixels and W = 64:

        blocks: [B, y/2, x/2, w]  each; W channels in the first, then twice the previous   64² × 64 to 4² × 1024
        last:   [B, 4, 4, 16 W]   = x + F(x), without downsampling                         4 × 4 × 1024
        h:      [B, 16 W]         = sum over positions of ReLU(last)
        logits: [B, 1]            = w . h + b + e[label] . h                               `ProjectionHead`

    The first block has no ReLU before its first convolution. Max 16 W channels. No batch normalization. All kernels
    have spectral normalization; its vectors are updated once per call in training, or once per step of
    `training.AdversarialModel`.

    `conditioning="concatenation"` concatenates 128 channels of a class embedding to the 16 × 16 feature map;
    `"classifier"` (the auxiliary classifier of AC-GAN) predicts the class; `None` is unconditional. These have no label
    input, and logits = w . h + b.

    Differs from the paper, and what our short run shows: see `SAGANGenerator`.

    Args:
        image_size, num_classes, channels, attention_at, attention_kwargs: As of `SAGANGenerator`.
        conditioning: `"projection"`, `"concatenation"`, `"classifier"` or `None`; without classes it is `None`.
        hidden_width: Channels between the two convolutions of a block: `"out"`, its output channels; `"in"`, its input
            channels, as in the published code of SNGAN.
        spectral_normalization: Whether to divide all kernels by their largest singular value.
        kernel_gain: Gain of the Glorot uniform initializer of the 3 × 3 kernels in the blocks.
        input_channels: Channels of the images.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"image": [B, image_size, image_size, input_channels], "label": [B]}`, images in [-1, 1]; without
            classes `{"image": ...}`.

    Returns:
        `{"logits": [B, 1]}`; with `"classifier"` also `"classes"`, class logits [B, num_classes].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> discriminator = SAGANDiscriminator(image_size=16, num_classes=10, channels=4, attention_at=8)
    >>> outputs = discriminator({"image": np.ones((2, 16, 16, 3)), "label": np.array([3, 9])})
    >>> {name: tuple(x.shape) for name, x in outputs.items()}
    {'logits': (2, 1)}
    """

    def __init__(
        self,
        image_size: int = 128,
        num_classes: int | None = 1000,
        channels: int = 64,
        attention_at: int | Sequence[int] | None = 32,
        attention_kwargs: dict[str, Any] | None = None,
        conditioning: str | None = "projection",
        hidden_width: str = "out",
        spectral_normalization: bool = True,
        kernel_gain: float = 1.0,
        input_channels: int = 3,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = complete(SAGANDiscriminator, locals())
        parts = _parts(arguments, dtype)
        inputs = {"image": keras.Input((image_size, image_size, input_channels), name="image")}
        if num_classes and conditioning in LABELED:
            inputs["label"] = keras.Input((), dtype="int32", name="label")
        super().__init__(inputs, _logits(inputs, parts, arguments), **kwargs)
        keep(self, arguments, dtype)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        return {"label": self.num_classes} if "label" in self.input else {}

    def get_config(self):
        return {**common_config(self), **self._arguments}


def sagan(
    image_size: int = 128,
    num_classes: int | None = 1000,
    channels: int = 64,
    attention_at: int | Sequence[int] | None = 32,
    baseline: str | None = None,
    generator: dict[str, Any] | None = None,
    discriminator: dict[str, Any] | None = None,
    **kwargs: Any,
) -> tuple[SAGANGenerator, SAGANDiscriminator]:
    """SAGAN generator and discriminator, or a baseline of the paper (SNGAN-projection, AC-GAN) on the same trunk.

    As in "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2019](https://arxiv.org/abs/1805.08318));
    whether attention helped in our own short run: docs/examples/sagan_images.md.

    | `baseline` | attention | spectral normalization | discriminator |
    |---|---|---|---|
    | `None` | at `attention_at` | of both | projection |
    | `"sngan_projection"` | none | of the discriminator | projection; `hidden_width="in"` |
    | `"ac_gan"` | none | of both | auxiliary classifier |

    SNGAN-projection initializes and normalizes as its published code: `kernel_gain` sqrt(2), momentum 0.9 and epsilon
    2e-5. AC-GAN is its auxiliary classifier on this trunk; the original is a smaller network without spectral
    normalization in its generator. The paper's control, a residual block in place of the attention, is not
    implemented.

    Trainable parameters at 128 × 128 pixels with 1000 classes: SAGAN 42,078,852 and 39,463,618 (with 64 for
    `attention_at` 42,017,412 and 39,448,258), SNGAN-projection 41,996,931 and 30,041,857, AC-GAN 41,996,931 and
    39,444,137.

    Args:
        image_size, num_classes, channels, attention_at: As of `SAGANGenerator`; baselines ignore `attention_at`.
        baseline: `None`, `"sngan_projection"` or `"ac_gan"`.
        generator: Dict of more arguments of `SAGANGenerator`, which override the baseline's.
        discriminator: Dict of more arguments of `SAGANDiscriminator`, likewise.
        **kwargs: More arguments of both networks, such as `attention_kwargs` and `dtype`, or of one of them.

    Returns:
        `(generator, discriminator)`: `SAGANGenerator` from {"noise": [B, Z], "label": [B]} to images [B, Y, X, 3], and
        `SAGANDiscriminator` from {"image": [B, Y, X, 3], "label": [B]} to {"logits": [B, 1]}.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> generator, discriminator = sagan(image_size=32, num_classes=10, channels=4, attention_at=16)
    >>> generator.output_shape
    (None, 32, 32, 3)
    """
    require_choice(baseline, "baseline", BASELINES)
    both = {"image_size": image_size, "num_classes": num_classes, "channels": channels, "attention_at": attention_at}
    models = (SAGANGenerator, SAGANDiscriminator)
    own = (keywords(generator, "generator"), keywords(discriminator, "discriminator"))
    given = [
        {**both, **without(other, model, kwargs), **of_baseline, **more}
        for model, other, of_baseline, more in zip(models, models[::-1], BASELINES[baseline], own)
    ]
    for model, arguments in zip(models, given):
        complete(model, as_locals(model, arguments))  # both are checked before either is built
    return tuple(model(**arguments) for model, arguments in zip(models, given))


def _parts(arguments, dtype):
    """The blocks of either network, as its arguments say."""
    names = ("spectral_normalization", "kernel_gain", "attention_at", "attention_kwargs")
    normalized, gain, at, attention = (arguments[name] for name in names)
    at = () if at is None else at if isinstance(at, tuple) else (at,)
    return SAGANParts(normalized, gain, at, attention, dtype)


def _image(inputs, parts, arguments):
    """Output of the generator."""
    W, label = arguments["channels"], inputs.get("label")
    of_blocks, of_last = arguments["norm_momentum"]
    by_class = parts.batch_norm(label, arguments["num_classes"], arguments["norm_epsilon"])
    plain = parts.batch_norm(None, None, arguments["norm_epsilon"])
    sizes = widths(arguments["image_size"])
    x = parts.dense(inputs["noise"], SMALLEST * SMALLEST * sizes[0] * W, "first")
    x = keras.layers.Reshape((SMALLEST, SMALLEST, sizes[0] * W), dtype=parts.dtype, name="first_map")(x)
    for number, size in enumerate(sizes, 1):
        x = parts.up(x, size * W, lambda x, name: by_class(x, name, of_blocks), f"block{number}_")
    x = parts.relu(plain(x, "last_norm", of_last), "last_relu")
    x = parts.conv(x, arguments["output_channels"], "last_conv", gain=1.0)
    return keras.layers.Activation("tanh", dtype=parts.dtype, name="pixels")(x)


def _logits(inputs, parts, arguments):
    """Outputs of the discriminator by name."""
    W, K, label = arguments["channels"], arguments["num_classes"], inputs.get("label")
    conditioning = arguments["conditioning"] if K else None
    normalised = {"spectral_normalization": parts.spectral_normalization, "dtype": parts.dtype}
    sizes = widths(arguments["image_size"])[::-1]
    x = parts.first_down(inputs["image"], sizes[0] * W, "block1_")
    for number, size in enumerate([*sizes[1:], sizes[-1]], 2):
        if conditioning == "concatenation" and x.shape[1] == CONCATENATE_AT:
            x = LabelConcatenation(K, **normalised, name="label_concatenation")(x, label)
        hidden = size * W if arguments["hidden_width"] == "out" else x.shape[-1]
        x = parts.down(x, size * W, hidden, f"block{number}_", halve=number <= len(sizes))
    h = ops.sum(parts.relu(x, "last_relu"), axis=(1, 2))
    if conditioning == "projection":
        return {"logits": ProjectionHead(K, **normalised, name="logits")(h, label)}
    outputs = {"logits": parts.dense(h, 1, "logits")}
    if conditioning == "classifier":
        outputs["classes"] = parts.dense(h, K, "classes")
    return outputs
