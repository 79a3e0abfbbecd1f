"""SelectionGAN: cross-view image translation guided by a semantic map, in two stages."""

from collections.abc import Sequence
from typing import Any, Unpack

import keras

from keras_attention.models.parts.arguments import checked
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.selection_gan import SecondStage, UNet, patches
from keras_attention.models.parts.selection_gan_arguments import CHECKS, CONDITIONS, complete
from keras_attention.models.parts.synchronized import synchronize
from keras_attention.ops.require import require_choice, require_int
from keras_attention.ops.shapes.sizes import below
from keras_attention.types import DType, ModelOptions, Tensor

FIRST_STAGE = {"cycle": False, "uncertainty": False, "num_candidates": None, "pool_sizes": ()}
# The steps of the paper's ablation, as arguments. F and G differ only in the loss: G has the total variation.
ABLATIONS = {
    "A": {**FIRST_STAGE, "condition": ("source",)},
    "B": {**FIRST_STAGE, "condition": ("semantics",)},
    "C": FIRST_STAGE,
    "D": {**FIRST_STAGE, "cycle": True},
    "E": {**FIRST_STAGE, "cycle": True, "uncertainty": True},
    "F": {"pool_sizes": ()},
    "G": {"pool_sizes": ()},
    "H": {},
}


@keras.saving.register_keras_serializable(package="keras_attention")
class SelectionGANGenerator(keras.Model):
    r"""SelectionGAN generator: translates an image to another view, guided by the semantic map of that view.

    $$ I'_g = G_i([I_a, S_g]), \quad S'_g = G_s(I'_g), \quad
       I''_g = \sum_m A_m \odot I_m = G_a(F_i, F_s, I_a, I'_g), \quad S''_g = G_s(I''_g) $$

    as in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)): a U-Net G_i
    generates a first image; a small U-Net, G_s, reconstructs the semantic map from it; the second stage G_a generates
    `num_candidates` images from the features F of both and mixes them by attention at every pixel; the same G_s
    reconstructs the semantic map from that image. Written out, with B batch, Y × X = image_size, C image channels, K
    semantic channels, M candidates, W = width, w = semantics_width, F = selection_channels:

        first_image:     [B, Y, X, C], and its features F_i [B, Y/2, X/2, 2 W]
        first_semantics: [B, Y, X, K], and its features F_s [B, Y/2, X/2, 2 w]
        joined:          [B, Y, X, F]    = [relu(transposed convolution([F_i, F_s])), source, first_image]
        merged:          [B, Y, X, F]    = convolution(multi-scale spatial pooling(joined))
        candidates:      [B, Y, X, M, C]
        attention:       [B, Y, X, M]    see `layers.MultiChannelAttentionSelection`
        uncertainty:     [B, Y, X, 1]
        image:           [B, Y, X, C]
        semantics:       [B, Y, X, K]

    All images and semantic maps are in [-1, 1]; a semantic map is an image with one color per class.

    Differs from the paper: as in its published code, there is one uncertainty map instead of four, and the features
    themselves are concatenated to the pooled ones. Differs from the published code: its 3 × 3 convolution that is
    declared but never called has no weights here, except with `legacy_unused_conv`. Without a second stage, where the
    paper does not define the uncertainty, it is a 1 × 1 convolution of the upsampled F_i.

    In 3000 training steps with the published losses the second stage's image had a lower PSNR than the first stage's,
    and a slightly higher one without the adversarial loss: docs/examples/selection_gan_cross_view.md.

    Args:
        image_size: Int or (rows, columns), multiples of 2^num_downs.
        condition: Inputs of the first stage: ("source", "semantics"), or one of them.
        cycle: Whether to reconstruct the semantic map with G_s.
        uncertainty: Whether to output an uncertainty map.
        num_candidates: M, or `None` for no second stage.
        pool_sizes: Window sizes of the multi-scale spatial pooling; `()` means neither pooling nor the convolution
            after it.
        width: W. G_i has width * (1, 2, 4, 8, 8, ...) channels.
        semantics_width: w.
        selection_channels: F.
        num_downs: Number of downsamplings in the U-Nets. `None`: 8 for multiples of 256, 7 for multiples of 128, else
            5.
        image_channels: C, also of the source.
        semantics_channels: K.
        dropout: Dropout rate.
        legacy_unused_conv: Whether to create the weights of the published code's unused convolution. They have no
            gradient and do not affect the outputs.
        synchronized: Whether batch normalization computes its statistics of the batches of all replicas of
            `tf.distribute` together. Other backends ignore it.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"source": [B, Y, X, C], "semantics": [B, Y, X, K]}`, or those of `condition`. The second
            stage always needs the source.

    Returns:
        Dict of the tensors above that are enabled, from "first_image" (always) to "semantics".

    Raises:
        ValueError: If an argument is out of its range, or `image_size` is not divisible by 2^num_downs.

    Example:

    >>> import numpy as np
    >>> model = SelectionGANGenerator((32, 64), width=4, selection_channels=9, num_candidates=3)
    >>> images = np.zeros((1, 32, 64, 3))
    >>> outputs = model({"source": images, "semantics": images})
    >>> {name: tuple(x.shape[3:]) for name, x in sorted(outputs.items())}
    {'attention': (3,), 'candidates': (3, 3), 'first_image': (3,), 'first_semantics': (3,), 'image': (3,),
     'semantics': (3,), 'uncertainty': (1,)}
    """

    def __init__(
        self,
        image_size: int | Sequence[int] = 256,
        condition: str | Sequence[str] = CONDITIONS,
        cycle: bool = True,
        uncertainty: bool = True,
        num_candidates: int | None = 10,
        pool_sizes: Sequence[int] = (1, 4, 9),
        width: int = 64,
        semantics_width: int = 4,
        selection_channels: int = 110,
        num_downs: int | None = None,
        image_channels: int = 3,
        semantics_channels: int = 3,
        dropout: float = 0.5,
        legacy_unused_conv: bool = False,
        synchronized: bool = False,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(SelectionGANGenerator, locals(), CHECKS)
        rows, columns = complete(arguments)
        # Lists, as they come back from a file.
        arguments |= {k: list(v) for k, v in arguments.items() if isinstance(v, tuple | list)}
        channels = {"source": image_channels, "semantics": semantics_channels}
        wanted = [name for name in CONDITIONS if name in condition or (name == "source" and num_candidates)]
        inputs = {name: keras.Input((rows, columns, channels[name]), name=name) for name in wanted}
        super().__init__(inputs, _wire(inputs, arguments, dtype), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        if synchronized:
            synchronize(self)
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def get_config(self):
        return {**common_config(self), **self._arguments}


@keras.saving.register_keras_serializable(package="keras_attention")
class PatchDiscriminator(keras.Model):
    r"""PatchGAN discriminator: real-or-generated logits of overlapping patches, conditioned on a source image.

    $$ logits = D([condition, image]) $$

    as in "Image-to-Image Translation with Conditional Adversarial Networks"
    ([Isola et al., 2017](https://arxiv.org/abs/1611.07004)), and in SelectionGAN. With three layers the receptive
    field of a logit is 70 × 70 pixels. Written out, with B batch, n = num_layers:

        joined: [B, Y, X, condition + image channels]
        logits: [B, Y / 2^n - 2, X / 2^n - 2, 1]        256 -> 30, 64 -> 6

    Differs from the published code: its final sigmoid is part of the loss here.

    Args:
        width: Channels of the first convolution; they double with each convolution, up to 8 * width.
        num_layers: Positive int n, number of convolutions with stride 2.
        image_channels: Channels of the image.
        condition_channels: Channels of the source image.
        synchronized: Whether batch normalization computes its statistics of the batches of all replicas of
            `tf.distribute` together. Other backends ignore it.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: `{"image": [B, Y, X, C], "source": [B, Y, X, C']}`, Y and X at least 3 * 2^n.

    Returns:
        `{"logits": [B, Y / 2^n - 2, X / 2^n - 2, 1]}`.

    Raises:
        ValueError: If an argument is out of its range, or the images are too small for a patch.

    Example:

    >>> import numpy as np
    >>> model = PatchDiscriminator(width=4)
    >>> tuple(model({"image": np.zeros((1, 64, 96, 3)), "source": np.zeros((1, 64, 96, 3))})["logits"].shape)
    (1, 6, 10, 1)
    """

    def __init__(
        self,
        width: int = 64,
        num_layers: int = 3,
        image_channels: int = 3,
        condition_channels: int = 3,
        synchronized: bool = False,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(PatchDiscriminator, locals(), CHECKS)
        inputs = {
            "image": keras.Input((None, None, image_channels), name="image"),
            "source": keras.Input((None, None, condition_channels), name="source"),
        }
        joined = keras.layers.Concatenate(dtype=dtype, name="join")([inputs["source"], inputs["image"]])
        super().__init__(inputs, {"logits": patches(joined, width, num_layers, dtype)}, **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        if synchronized:
            synchronize(self)
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def call(self, inputs: dict[str, Tensor], *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        least, sides = 3 * 2**self.num_layers, tuple(inputs["image"].shape[1:3])
        if any(below(side, least) for side in sides):
            raise ValueError(
                f"`image` must have sides of at least 3 * 2^num_layers = {least}, to have a patch. "
                f"Received: image.shape={tuple(inputs['image'].shape)}"
            )
        return super().call(inputs, *args, **kwargs)

    def get_config(self):
        return {**common_config(self), **self._arguments}


def selection_gan(
    image_size: int | Sequence[int] = 256, ablation: str = "H", discriminator_width: int = 64, **kwargs: Any
) -> tuple[SelectionGANGenerator, PatchDiscriminator]:
    """SelectionGAN generator and discriminator: the full model or a step of the paper's ablation.

    As in "Multi-Channel Attention Selection GAN" ([Tang et al., 2019](https://arxiv.org/abs/1904.06807)); what our own
    short runs show of it: docs/examples/selection_gan_cross_view.md.

    | `ablation` | generator | added argument of `SelectionGANGenerator` |
    |---|---|---|
    | `"A"` | source → image | `condition=("source",)` |
    | `"B"` | semantic map → image | `condition=("semantics",)` |
    | `"C"` | both → image | |
    | `"D"` | C, and the semantic map is reconstructed from the image | `cycle=True` |
    | `"E"` | D, and the loss is weighted by an uncertainty map | `uncertainty=True` |
    | `"F"` | E, and a second stage mixes 10 candidate images by attention | `num_candidates=10` |
    | `"G"` | F; total variation in the loss (`training.SelectionGANObjective`; `total_variation=0` for A to F) | |
    | `"H"` | the full model: G with multi-scale spatial pooling | `pool_sizes=(1, 4, 9)` |

    Trainable parameters of the full model: generator 55,153,943 (with `legacy_unused_conv` 55,480,753), discriminator
    2,768,705. At 64 × 64 pixels: generator 17,251,223, of which 16,662,147 are in G_i and 65,835 in G_s.

    Args:
        image_size: Int or (rows, columns).
        ablation: `"A"` to `"H"`.
        discriminator_width: Channels of the discriminator's first convolution.
        **kwargs: The other arguments of `SelectionGANGenerator`; they override those of the step.

    Returns:
        `(generator, discriminator)`: `SelectionGANGenerator` from {"source": [B, Y, X, C], "semantics": [B, Y, X, K]}
        to a dict of images and maps, and `PatchDiscriminator` from {"image", "source"} to {"logits": [B, y, x, 1]}.
        G_i, G_s and G_a are one model; the names of their layers begin with `image_`, `semantics_` and `selection_`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> generator, discriminator = selection_gan(64, "C", width=4, discriminator_width=4)
    >>> sorted(generator.output), sorted(discriminator.input)
    (['first_image'], ['image', 'source'])
    """
    require_choice(ablation, "ablation", ABLATIONS)
    require_int(discriminator_width, "discriminator_width")
    generator = SelectionGANGenerator(image_size, **{**ABLATIONS[ablation], **kwargs})
    channels = generator.image_channels
    common = {name: kwargs[name] for name in ("dtype", "synchronized") if name in kwargs}
    discriminator = PatchDiscriminator(
        discriminator_width, image_channels=channels, condition_channels=channels, **common
    )
    return generator, discriminator


def _wire(inputs, arguments, dtype):
    """Outputs of the generator by name."""
    common = {"num_downs": arguments["num_downs"], "dropout": arguments["dropout"], "dtype": dtype}
    paint = UNet(arguments["image_channels"], arguments["width"], name="image", **common)
    seen = [inputs[name] for name in CONDITIONS if name in arguments["condition"]]
    x = paint.join("condition")(seen) if len(seen) > 1 else seen[0]
    image, features = paint(x)
    outputs, features = {"first_image": image}, [features]
    if arguments["cycle"]:
        read = UNet(arguments["semantics_channels"], arguments["semantics_width"], name="semantics", **common)
        outputs["first_semantics"], of_semantics = read(image)
        features.append(of_semantics)
    if arguments["num_candidates"] is not None:
        outputs |= SecondStage(arguments, dtype)(features, [inputs["source"], image])
        if arguments["cycle"]:
            outputs["semantics"], _ = read(outputs["image"])
    elif arguments["uncertainty"]:
        large = keras.layers.UpSampling2D(2, "channels_last", dtype=dtype, name="uncertainty_enlarge")(features[0])
        outputs["uncertainty"] = keras.layers.Activation("sigmoid", dtype=dtype, name="uncertainty_sigmoid")(
            paint.conv(1, 1, "uncertainty")(large)
        )
    return outputs
