"""ResNets with attention for image classification: SE-ResNet, CBAM-ResNet, ResNet with non-local blocks."""

from collections.abc import Sequence
from typing import Any, Unpack

import keras

from keras_attention.layers import get_attention
from keras_attention.models.parts.arguments import checked, keywords, numbers_of_blocks, one_of
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.resnet import LAYOUTS, STEMS, ResNetParts
from keras_attention.models.parts.synchronized import synchronize
from keras_attention.ops.require import require_bool, require_choice, require_int
from keras_attention.types import DType, ModelOptions

# depth: residual blocks of each stage, whether they are bottlenecks
DEPTHS = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
ATTENTIONS = (None, "se", "channel", "spatial", "cbam", "non_local")
NON_LOCAL = {2: 2, 3: 3}  # stage: max number of non-local blocks, as in the paper's network with five
CHECKS = {
    "blocks": numbers_of_blocks,
    "bottleneck": require_bool,
    "attention": one_of(ATTENTIONS),
    "attention_kwargs": keywords,
    **dict.fromkeys(("num_classes", "width", "input_channels"), require_int),
    "stem": one_of(STEMS),
    "layout": one_of(LAYOUTS),
    "synchronized": require_bool,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class AttentionResNet(keras.Model):
    r"""ResNet for image classification with attention (SE, CBAM, non-local) in or between its residual blocks.

    $$ x_{l+1} = \mathrm{ReLU}(x_l + A(F(x_l))) $$

    as in "Deep Residual Learning" ([He et al., 2016](https://arxiv.org/abs/1512.03385)), where A = `"se"` is that of
    "Squeeze-and-Excitation Networks" ([Hu et al., 2018](https://arxiv.org/abs/1709.01507)) and A = `"cbam"` that of
    "CBAM" ([Woo et al., 2018](https://arxiv.org/abs/1807.06521)): on the residual branch, between its last batch
    normalization and the sum, without an activation. Written out, with B batch, W = width, k = 1 or, with
    bottlenecks, 4:

        stem:    [B, Y/4, X/4, W]   = pool(ReLU(norm(7 × 7 convolution, stride 2)))
        stage s: [B, y, x, k W u]   = blocks[s - 1] residual blocks, with y = Y/(4 u), x = X/(4 u), u = 2^(s - 1)
        logits:  [B, num_classes]   = mean over positions of the last stage . kernel + bias

    A = `"non_local"` is inserted between residual blocks, as in "Non-local Neural Networks"
    ([Wang et al., 2018](https://arxiv.org/abs/1711.07971)): two non-local blocks in the second stage and three in the
    third, evenly spaced (in ResNet-50 after every second residual block), at most one after each residual block.

    Differs from the papers: only in which convolution of the first bottleneck of a stage has stride 2.
    `layout="torch"`: the 3 × 3, as in CBAM's published code and most current networks; `"caffe"`: the first 1 × 1, as
    in He et al. and the authors' SE-ResNet. `attention_kwargs={"variant": "reference"}` gives the attention the biases
    and normalizations of the published code.

    In 400 training steps of a small ResNet on Fashion-MNIST neither SE, CBAM nor non-local blocks improved accuracy:
    docs/examples/attention_resnet_images.md. SE and CBAM solve a task that needs gates, docs/examples/gated_digits.md.

    Images may have any size; halved sides are rounded up (by the pool of `layout="caffe"` down). Non-local blocks
    subsample their keys by 2 and raise for feature maps with fewer than 2 rows or columns.

    Args:
        blocks: Tuple, number of residual blocks of each stage.
        bottleneck: Whether blocks have three convolutions (ResNet-50 and deeper) or two.
        attention: `None`, `"se"`, `"channel"`, `"spatial"`, `"cbam"` or `"non_local"`: see `layers.get_attention`.
        attention_kwargs: Dict of the attention layer's arguments. `ratio` may be a list with one int per stage.
        num_classes: Positive int.
        width: Channels W of the first stage; each stage doubles them.
        stem: `"7x7"`, for ImageNet; `"3x3"`, for small images: a convolution of stride 1, and no pool.
        layout: `"torch"` or `"caffe"`, see above.
        input_channels: Channels of the images.
        synchronized: Whether batch normalization computes its statistics of the batches of all replicas of
            `tf.distribute` together. Other backends ignore it.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: [B, Y, X, input_channels], channels last, normalized as in training.

    Returns:
        Logits [B, num_classes].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> model = AttentionResNet((1, 1), bottleneck=False, attention="se", num_classes=10, width=8, stem="3x3")
    >>> tuple(model(np.ones((2, 9, 11, 3))).shape)
    (2, 10)
    >>> [layer.name for layer in model.layers if "attention" in layer.name]
    ['stage1_block1_attention', 'stage2_block1_attention']
    """

    def __init__(
        self,
        blocks: Sequence[int] = (3, 4, 6, 3),
        bottleneck: bool = True,
        attention: str | None = None,
        attention_kwargs: dict[str, Any] | None = None,
        num_classes: int = 1000,
        width: int = 64,
        stem: str = "7x7",
        layout: str = "torch",
        input_channels: int = 3,
        synchronized: bool = False,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(AttentionResNet, locals(), CHECKS)
        if attention is not None:
            # Raises for unknown or invalid `attention_kwargs`.
            get_attention(attention, **_of_stage(arguments["attention_kwargs"], 1, len(arguments["blocks"])))
        image = keras.Input((None, None, input_channels), name="image")
        x = _features(image, ResNetParts(layout, dtype), arguments, dtype)
        x = keras.layers.GlobalAveragePooling2D("channels_last", dtype=dtype, name="mean")(x)
        super().__init__(image, keras.layers.Dense(arguments["num_classes"], dtype=dtype, name="logits")(x), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        if synchronized:
            synchronize(self)
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def get_config(self):
        return {**common_config(self), **self._arguments}


def attention_resnet(depth: int = 50, attention: str | None = None, **kwargs: Any) -> AttentionResNet:
    """ResNet-18 to ResNet-152 with or without attention: `AttentionResNet` at a published depth.

    Images [B, Y, X, 3] to logits [B, num_classes], as in "Deep Residual Learning"
    ([He et al., 2016](https://arxiv.org/abs/1512.03385)) and the papers named in `AttentionResNet`; whether attention
    helped in our own short runs: docs/examples/attention_resnet_images.md. Trainable parameters with 1000 classes; in
    parentheses with the attention's `variant="reference"`:

    | depth | `None` | `"se"` | `"cbam"` |
    |---|---|---|---|
    | 18 | 11,689,512 | 11,776,552 (11,778,592) | 11,777,336 (11,779,392) |
    | 34 | 21,797,672 | 21,954,856 (21,958,868) | 21,956,424 (21,960,468) |
    | 50 | 25,557,032 | 28,071,976 (28,088,024) | 28,073,544 (28,089,624) |
    | 101 | 44,549,160 | 49,292,328 (49,326,872) | 49,295,562 (49,330,172) |
    | 152 | 60,192,808 | 66,770,984 (66,821,848) | 66,775,884 (66,826,848) |

    ResNet-50 with `"non_local"` (five blocks) has 32,915,496.

    Args:
        depth: 18, 34, 50, 101 or 152.
        attention: `None`, `"se"`, `"channel"`, `"spatial"`, `"cbam"` or `"non_local"`: see `layers.get_attention`.
        **kwargs: The other arguments of `AttentionResNet`.

    Returns:
        `AttentionResNet`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    require_choice(depth, "depth", DEPTHS)
    blocks, bottleneck = DEPTHS[depth]
    return AttentionResNet(blocks, bottleneck, attention, **kwargs)


def _features(x, parts, arguments, dtype):
    """Feature map of the last stage: stem and residual blocks, attention included."""
    name, blocks = arguments["attention"], arguments["blocks"]
    inside = name not in (None, "non_local")

    def attention(place, stage):
        place = {"name": f"{place}attention", "dtype": dtype, "data_format": "channels_last"}
        return get_attention(name, **_of_stage(arguments["attention_kwargs"], stage, len(blocks)), **place)

    x = parts.stem(x, arguments["width"], arguments["stem"])
    add = parts.bottleneck if arguments["bottleneck"] else parts.basic
    for stage, number in enumerate(blocks, 1):
        between = _non_local_places(stage, number) if name == "non_local" else ()
        for block in range(1, number + 1):
            place = f"stage{stage}_block{block}_"
            strides = 2 if block == 1 and stage > 1 else 1
            gate = attention(place, stage) if inside else None
            x = add(x, arguments["width"] * 2 ** (stage - 1), strides, place, gate)
            if block in between:
                x = attention(place, stage)(x)
    return x


def _of_stage(attention_kwargs, stage, stages):
    """Attention arguments for one stage: picks its `ratio` from a list."""
    ratio = attention_kwargs.get("ratio")
    if not isinstance(ratio, (list, tuple)):
        return attention_kwargs
    if len(ratio) != stages:
        raise ValueError(f"`ratio` must be an int, or {stages} ints, one per stage. Received: ratio={ratio!r}")
    return {**attention_kwargs, "ratio": ratio[stage - 1]}


def _non_local_places(stage, blocks):
    """Residual blocks of a stage, counted from 1, that a non-local block follows."""
    number = min(NON_LOCAL.get(stage, 0), blocks)
    return [i * (blocks // number) for i in range(1, number + 1)]
