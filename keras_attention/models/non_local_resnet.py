"""Video ResNets with non-local blocks: C2D and I3D of "Non-local Neural Networks"."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import keras

from keras_attention.layers import NonLocalBlock
from keras_attention.models.parts.arguments import checked, keywords, numbers_of_blocks, one_of
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.non_local_resnet import ClipParts
from keras_attention.models.parts.synchronized import synchronize
from keras_attention.ops.require import require_bool, require_choice, require_int, require_rate
from keras_attention.types import DType, ModelOptions

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
INFLATIONS = (None, "3x1x1", "3x3x3")
VARIANTS = ("paper", "reference")
# (depth, number of non-local blocks): residual blocks, counted from 0, that one follows, by stage
PLACES = {
    (50, 1): {"res4": (4,)},
    (50, 5): {"res3": (1, 3), "res4": (1, 3, 5)},
    (50, 10): {"res3": (0, 1, 2, 3), "res4": (0, 1, 2, 3, 4, 5)},
    (101, 1): {"res4": (21,)},
    (101, 5): {"res3": (1, 3), "res4": (6, 13, 20)},
    (101, 10): {"res3": (0, 1, 2, 3), "res4": (3, 6, 10, 13, 17, 20)},
}
CHECKS = {
    "blocks": numbers_of_blocks,
    "non_local": lambda value, name: {stage: _listed(places) for stage, places in keywords(value, name).items()},
    "non_local_kwargs": keywords,
    "inflation": one_of(INFLATIONS),
    **dict.fromkeys(("num_classes", "width", "input_channels"), require_int),
    "temporal_stride": one_of((1, 2)),
    "variant": one_of(VARIANTS),
    "dropout": require_rate,
    "synchronized": require_bool,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class NonLocalResNet(keras.Model):
    r"""Video ResNet (C2D or I3D) with non-local blocks between residual blocks, for clip classification.

    $$ x_{l+1} = \mathrm{NonLocal}(\mathrm{ReLU}(x_l + F(x_l))) $$

    as in "Non-local Neural Networks", section 4 and Table 1 ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)).
    C2D has 1 × k × k kernels and mixes frames in its pools only; I3D inflates over time the stem and one kernel of
    every second residual block (in res2 of each). Written out, with B batch, W = width; on the right the sizes for 32
    frames of 224 × 224:

        stem:   [B, T/4, Y/4, X/4, W]       = pool(ReLU(norm(7 × 7 convolution)))         8 × 56²
        res2:   [B, T/4, Y/4, X/4, 4 W]     then a pool over time                         4 × 56²
        res3:   [B, T/8, Y/8, X/8, 8 W]                                                   4 × 28²
        res4:   [B, T/8, Y/16, X/16, 16 W]                                                4 × 14²
        res5:   [B, T/8, Y/32, X/32, 32 W]                                                4 × 7²
        logits: [B, num_classes]            = dropout(mean over positions) . kernel + bias

    Differs from the paper: nothing by default. What the paper leaves open is as in its published code: the 3 × 3
    convolution has the stride of a stage, which blocks are inflated, and after which blocks of ResNet-101 five
    non-local blocks are inserted. With `variant="reference"` the pools are those of that code, 2 × 3 × 3 and 2 × 1 × 1
    without padding (res2 has 55² positions); gamma of the last normalization of each residual block starts at 0; its
    non-local blocks pool before they project, scale their logits and initialize kernels from N(0, 0.01²).

    Non-local blocks raise the accuracy from 52 % to 100 % where the class is a relation of two far patches
    (docs/examples/non_local_pairs.md); in 400 training steps on clips of motion, whose classes are orders of frames,
    they did not (docs/examples/non_local_video.md).

    Clips of 8 frames: `temporal_stride=1`, which keeps the number of frames up to the pool after res2. Clips of 128
    frames have 16 in res3, where the paper's models attend within groups of four: `NonLocalBlock(extent=4)`.

    Clips may have any number of frames and any size. Non-local blocks subsample their keys by 2 and raise for feature
    maps with fewer than 2 rows or columns. The pools of `variant="reference"` have no padding: they need 7 frames (2
    with `temporal_stride=1`) and at least 3 × 3 positions after the stem's convolution.

    Args:
        blocks: Tuple, number of residual blocks of each stage; the first stage is res2.
        non_local: Dict from a stage (`"res2"`, `"res3"` ...) to the residual blocks, counted from 0, that a non-local
            block follows: an int or a list. `None` means none.
        non_local_kwargs: Dict of arguments of `NonLocalBlock`.
        inflation: `None`: C2D; `"3x1x1"`: I3D with the first 1 × 1 kernel of a block inflated; `"3x3x3"`: its 3 × 3.
        num_classes: Positive int.
        width: Channels W of the first stage; each stage doubles them.
        temporal_stride: 2 or 1, the stride over time of the stem's convolution and pool.
        variant: `"paper"` or `"reference"`.
        dropout: Dropout rate before the logits.
        input_channels: Channels of the clips.
        synchronized: Whether batch normalization computes its statistics of the batches of all replicas of
            `tf.distribute` together. Other backends ignore it.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: [B, T, Y, X, input_channels], channels last.

    Returns:
        Logits [B, num_classes].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> model = NonLocalResNet((1, 1), {"res3": (0,)}, num_classes=10, width=4)
    >>> tuple(model(np.ones((2, 9, 32, 33, 3))).shape)
    (2, 10)
    >>> [layer.name for layer in model.layers if "non_local" in layer.name]
    ['stage2_block1_non_local']
    """

    def __init__(
        self,
        blocks: Sequence[int] = (3, 4, 6, 3),
        non_local: Mapping[str, int | Sequence[int]] | None = None,
        non_local_kwargs: dict[str, Any] | None = None,
        inflation: str | None = None,
        num_classes: int = 400,
        width: int = 64,
        temporal_stride: int = 2,
        variant: str = "paper",
        dropout: float = 0.5,
        input_channels: int = 3,
        synchronized: bool = False,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(NonLocalResNet, locals(), CHECKS)
        _require_places(arguments)
        _non_local(arguments)  # raises for unknown or invalid `non_local_kwargs`
        clip = keras.Input((None, None, None, input_channels), name="clip")
        x = _features(clip, ClipParts(inflation, temporal_stride, variant, dtype), arguments, dtype)
        x = keras.layers.GlobalAveragePooling3D("channels_last", dtype=dtype, name="mean")(x)
        x = keras.layers.Dropout(dropout, dtype=dtype, name="dropout")(x)
        num_classes = arguments["num_classes"]
        logits = keras.layers.Dense(num_classes, kernel_initializer=_small(), dtype=dtype, name="logits")(x)
        super().__init__(clip, logits, **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        if synchronized:
            synchronize(self)
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def get_config(self):
        return {**common_config(self), **self._arguments}


def non_local_resnet(depth: int = 50, num_blocks: int = 0, **kwargs: Any) -> NonLocalResNet:
    """C2D or I3D of depth 50 or 101 with 0, 1, 5 or 10 non-local blocks: `NonLocalResNet` in the paper's sizes.

    Clips [B, T, Y, X, 3] to logits [B, num_classes], as in "Non-local Neural Networks", Tables 1 and 2
    ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)); where the blocks helped in our own runs:
    docs/examples/non_local_pairs.md and docs/examples/non_local_video.md. Trainable parameters with 400 classes:

    | depth | `num_blocks` | C2D | I3D, `inflation="3x1x1"` |
    |---|---|---|---|
    | 50 | 0 | 24,327,632 | 28,043,472 |
    | 50 | 5 | 31,686,096 | 35,401,936 |
    | 101 | 0 | 43,319,760 | 51,754,192 |
    | 101 | 5 | 50,678,224 | 59,112,656 |

    One non-local block precedes the last residual block of res4; five follow every second residual block of res3 and
    res4; ten follow each of them. In ResNet-101, whose res4 has 23 residual blocks, those in res4 are evenly spaced:
    three (of five) as in the published code, six (of ten), which the paper does not specify, with one more before each.

    Args:
        depth: 50 or 101.
        num_blocks: Non-local blocks: 0, 1, 5 or 10.
        **kwargs: The other arguments of `NonLocalResNet`.

    Returns:
        `NonLocalResNet`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    require_choice(depth, "depth", DEPTHS)
    num_blocks = require_choice(num_blocks, "num_blocks", (0, 1, 5, 10))
    places = PLACES[depth, num_blocks] if num_blocks else None
    return NonLocalResNet(DEPTHS[depth], places, **kwargs)


def _listed(places):
    return list(places) if isinstance(places, (list, tuple)) else [places]


def _require_places(arguments):
    blocks, places = arguments["blocks"], arguments["non_local"]
    there = {f"res{stage}": range(number) for stage, number in enumerate(blocks, 2)}
    if not all(stage in there and all(i in there[stage] for i in at) for stage, at in places.items()):
        raise ValueError(
            f"`non_local` must name existing residual blocks, counted from 0, of {there}. Received: non_local={places}"
        )


def _features(x, parts, arguments, dtype):
    """Feature map of the last stage: stem, residual blocks and non-local blocks."""
    x = parts.stem(x, arguments["width"])
    for stage, number in enumerate(arguments["blocks"], 1):
        between = arguments["non_local"].get(f"res{stage + 1}", ())
        for block in range(number):
            name = f"stage{stage}_block{block + 1}_"
            strides = 2 if block == 0 and stage > 1 else 1
            x = parts.bottleneck(x, arguments["width"] * 2 ** (stage - 1), strides, _inflated(stage, block), name)
            if block in between:
                x = _non_local(arguments, name=f"{name}non_local", dtype=dtype)(x)
        if stage == 1:
            x = parts.halve_time(x)
    return x


def _inflated(stage, block):
    """Whether I3D inflates this residual block: all of res2, every second after it, in res5 the second."""
    return stage == 1 or block % 2 == (1 if stage == 4 else 0)


def _non_local(arguments, **kwargs):
    published = {"pool": "before", "kernel_initializer": _small()} if arguments["variant"] == "reference" else {}
    chosen = arguments["non_local_kwargs"]
    if published and "gaussian" in chosen.get("pairwise", "embedded_gaussian"):
        published["scale"] = "inv_sqrt"
    return NonLocalBlock(**{"data_format": "channels_last", **published, **chosen, **kwargs})


def _small():
    return keras.initializers.RandomNormal(stddev=0.01)
