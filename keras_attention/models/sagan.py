"""SAGAN: a generator and a discriminator of images with self-attention in both, and the baselines of its paper."""

import keras
from keras import ops

from keras_attention.layers import LabelConcatenation, ProjectionHead
from keras_attention.models.parts.arguments import as_locals, keywords
from keras_attention.models.parts.sagan import SMALLEST, SAGANParts, widths
from keras_attention.models.parts.sagan_arguments import CONCATENATE_AT, complete, without
from keras_attention.ops.require import require_choice

SQRT2 = 2**0.5
# What a baseline changes, of the generator and of the discriminator.
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
    r"""Residual network from noise and a class to an image, with self-attention at one size of its maps.

    $$ x_{l+1} = \mathrm{up}(x_l) + F_c(x_l), \quad x' = \gamma \, \mathrm{attention}(x) + x $$

    as in "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2019](https://arxiv.org/abs/1805.08318)) and
    its published code, where F is normalise by class, ReLU, twice as large, 3 × 3 convolution, normalise by class,
    ReLU, 3 × 3 convolution. Written out, with B batch, Z = noise_dim, W = channels; at the end of the lines the sizes
    for 128 × 128 pixels and W = 64:

        first:   [B, 4, 4, 16 W]   = noise . kernel + bias                                  4 × 4 × 1024
        blocks:  [B, 2 y, 2 x, w]  each; the last has W channels, others twice the next's   8² × 1024 to 128² × 64
        image:   [B, Y, X, 3]      = tanh(3 × 3 convolution(ReLU(normalise(last block))))   128 × 128 × 3

    Channels are 16 W at most. Convolutions and the first layer have biases and spectral normalisation; the shortcut is
    always a 1 × 1 convolution.

    Differs from the paper: self-attention is that of the published code (see `SelfAttention2D`); so is all that the
    paper leaves open. Below 128 pixels the blocks with most channels are left out, from 256 on more of 16 W are put in
    front: the paper has 128 only.

    Args:
        image_size: Rows and columns: a power of 2 from 8 on.
        num_classes: Positive int, or `None`: not conditioned on a class, and normalised without one.
        channels: Positive int W.
        attention_at: Size of the maps that attention follows: from 8 to half of `image_size`, several of them, or
            `None`.
        attention_kwargs: Dict of arguments of `SelfAttention2D`.
        noise_dim: Positive int Z.
        spectral_normalization: Whether all kernels are divided by their greatest singular value.
        kernel_gain: 3 × 3 kernels inside the blocks are drawn by Glorot's uniform distribution times this.
        norm_momentum: Pair of floats: of the normalisations in the blocks, and of the last.
        norm_epsilon: Of all normalisations.
        output_channels: Channels of the image.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"noise": [B, Z], "label": [B]}`; without classes `{"noise": [B, Z]}`. Noise is N(0, 1).

    Returns:
        Images [B, image_size, image_size, output_channels] from -1 to 1.

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
        image_size=128,
        num_classes=1000,
        channels=64,
        attention_at=32,
        attention_kwargs=None,
        noise_dim=128,
        spectral_normalization=True,
        kernel_gain=1.0,
        norm_momentum=(0.999, 0.9999),
        norm_epsilon=1e-5,
        output_channels=3,
        *,
        dtype=None,
        **kwargs,
    ):
        arguments = complete(SAGANGenerator, locals())
        parts = _parts(arguments, dtype)
        inputs = {"noise": keras.Input((noise_dim,), name="noise")}
        if num_classes:
            inputs["label"] = keras.Input((), dtype="int32", name="label")
        super().__init__(inputs, _image(inputs, parts, arguments), **kwargs)
        _keep(self, arguments, dtype)

    def get_config(self):
        return {**_common(self), **self._arguments}


@keras.saving.register_keras_serializable(package="keras_attention")
class SAGANDiscriminator(keras.Model):
    r"""Residual network from an image and a class to how real it is, with self-attention at one size of its maps.

    $$ x_{l+1} = \mathrm{down}(x_l + F(x_l)), \quad D(x, c) = w \cdot h(x) + b + \langle e_c, h(x) \rangle $$

    as in "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2019](https://arxiv.org/abs/1805.08318)) and
    its published code, where F is ReLU, 3 × 3 convolution, ReLU, 3 × 3 convolution. Written out, with B batch, W =
    channels; at the end of the lines the sizes for 128 × 128 pixels and W = 64:

        blocks: [B, y/2, x/2, w]  each; the first has W channels, others twice the last's   64² × 64 to 4² × 1024
        last:   [B, 4, 4, 16 W]   = x + F(x), as large as it was                            4 × 4 × 1024
        h:      [B, 16 W]         = sum over places of ReLU(last)
        logits: [B, 1]            = w . h + b + e[label] . h                                `ProjectionHead`

    The first block has no ReLU before its first convolution. Channels are 16 W at most. There is no batch
    normalisation. All kernels have spectral normalisation, whose vectors move once a call in training, or once a step
    of `training.AdversarialModel`.

    `conditioning="concatenation"` appends 128 channels of the class to the maps of 16 × 16; `"classifier"` (the
    auxiliary classifier of AC-GAN) guesses the class in place of being told; `None` is told nothing. Their logits
    are w . h + b.

    Differs from the paper: as `SAGANGenerator` does.

    Args:
        image_size, num_classes, channels, attention_at, attention_kwargs: As of `SAGANGenerator`.
        conditioning: `"projection"`, `"concatenation"`, `"classifier"` or `None`; without classes it is `None`.
        hidden_width: Channels between the two convolutions of a block: `"out"`, as many as come out of it; `"in"`, as
            go in, as in the published code of SNGAN.
        spectral_normalization: Whether all kernels are divided by their greatest singular value.
        kernel_gain: 3 × 3 kernels inside the blocks are drawn by Glorot's uniform distribution times this.
        input_channels: Channels of the images.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"image": [B, image_size, image_size, input_channels], "label": [B]}`, images from -1 to 1; without
            classes `{"image": ...}`.

    Returns:
        `{"logits": [B, 1]}`; with `"classifier"` also `"classes"`, logits [B, num_classes].

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
        image_size=128,
        num_classes=1000,
        channels=64,
        attention_at=32,
        attention_kwargs=None,
        conditioning="projection",
        hidden_width="out",
        spectral_normalization=True,
        kernel_gain=1.0,
        input_channels=3,
        *,
        dtype=None,
        **kwargs,
    ):
        arguments = complete(SAGANDiscriminator, locals())
        parts = _parts(arguments, dtype)
        inputs = {"image": keras.Input((image_size, image_size, input_channels), name="image")}
        if num_classes:
            inputs["label"] = keras.Input((), dtype="int32", name="label")
        super().__init__(inputs, _judgement(inputs, parts, arguments), **kwargs)
        _keep(self, arguments, dtype)

    def get_config(self):
        return {**_common(self), **self._arguments}


def sagan(
    image_size=128,
    num_classes=1000,
    channels=64,
    attention_at=32,
    baseline=None,
    generator=None,
    discriminator=None,
    **kwargs,
):
    """The generator and the discriminator of SAGAN, or of a baseline of its paper on the same trunk.

    | `baseline` | attention | spectral normalisation | discriminator |
    |---|---|---|---|
    | `None` | at `attention_at` | of both | projection |
    | `"sngan_projection"` | none | of the discriminator | projection; `hidden_width="in"` |
    | `"ac_gan"` | none | of both | auxiliary classifier |

    SNGAN-projection draws and normalises as its published code does: `kernel_gain` of the root of 2, momentum 0.9 and
    epsilon 2e-5. The original AC-GAN is a smaller network of another kind, without spectral
    normalisation in its generator; this one is its head on this trunk. The paper's control, a residual block in the
    place of the attention, is not among them.

    Weights that train, at 128 × 128 pixels with 1000 classes: SAGAN 42,078,852 and 39,463,618 (with 64 for
    `attention_at` 42,017,412 and 39,448,258), SNGAN-projection 41,996,931 and 30,041,857, AC-GAN 41,996,931 and
    39,444,137.

    Args:
        image_size, num_classes, channels, attention_at: As of `SAGANGenerator`; a baseline has no attention, whatever
            `attention_at` is.
        baseline: `None`, `"sngan_projection"` or `"ac_gan"`.
        generator: Dict of more arguments of `SAGANGenerator`, which also overrule the baseline's.
        discriminator: Dict of more arguments of `SAGANDiscriminator`, likewise.
        **kwargs: More arguments of both, such as `attention_kwargs` and `dtype`, or of one of them.

    Returns:
        `SAGANGenerator`, `SAGANDiscriminator`.

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
        complete(model, as_locals(model, arguments))  # of both, before one is made
    return tuple(model(**arguments) for model, arguments in zip(models, given))


def _parts(arguments, dtype):
    """The parts that both networks are made of."""
    names = ("spectral_normalization", "kernel_gain", "attention_at", "attention_kwargs")
    normalized, gain, at, attention = (arguments[name] for name in names)
    at = () if at is None else at if isinstance(at, tuple) else (at,)
    return SAGANParts(normalized, gain, at, attention, dtype)


def _image(inputs, parts, arguments):
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


def _judgement(inputs, parts, arguments):
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


def _keep(model, arguments, dtype):
    if dtype is not None:
        model.dtype_policy = keras.dtype_policies.get(dtype)
    # Only now: on PyTorch a model takes no attributes before it is initialised.
    model._arguments = arguments
    for name, value in arguments.items():
        setattr(model, name, value)


def _common(model):
    dtype = keras.dtype_policies.serialize(model.dtype_policy)
    return {"name": model.name, "trainable": model.trainable, "dtype": dtype}
