"""The Vision Transformer (ViT) of "An Image is Worth 16x16 Words"."""

from collections.abc import Sequence
from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import ClassToken, LearnedPositionEncoding, PatchEmbedding, TransformerEncoderBlock
from keras_attention.models.parts.arguments import (
    checked,
    int_or_pair,
    one_of,
    optional_int,
    positive_number,
    require_heads,
)
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.stack import Stack, make_seeds
from keras_attention.ops.require import require_choice, require_int, require_pair, require_rate, require_seed
from keras_attention.types import DType, ModelOptions, Tensor

# Table 1
SIZES = {
    "base": {"num_layers": 12, "model_dim": 768, "num_heads": 12, "intermediate_dim": 3072},
    "large": {"num_layers": 24, "model_dim": 1024, "num_heads": 16, "intermediate_dim": 4096},
    "huge": {"num_layers": 32, "model_dim": 1280, "num_heads": 16, "intermediate_dim": 5120},
}
POOLINGS = ("token", "mean")
CHECKS = {
    **dict.fromkeys(("image_size", "patch_size"), int_or_pair),
    **dict.fromkeys(("num_layers", "model_dim", "num_heads", "intermediate_dim", "input_channels"), require_int),
    **dict.fromkeys(("num_classes", "representation_dim"), optional_int),
    "pooling": one_of(POOLINGS),
    **dict.fromkeys(("dropout", "attention_dropout"), require_rate),
    "epsilon": positive_number,
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class VisionTransformer(keras.Model):
    r"""Vision Transformer (ViT): a Transformer encoder over the patches of an image, for classification.

    $$ z_0 = [x_{class}; x_p^1 E; \dots; x_p^N E] + E_{pos}, \quad
       z'_l = \mathrm{MSA}(\mathrm{LN}(z_{l-1})) + z_{l-1}, \quad
       z_l = \mathrm{MLP}(\mathrm{LN}(z'_l)) + z'_l, \quad y = \mathrm{LN}(z_L^0) $$

    as in "An Image is Worth 16x16 Words", eqs. 1 to 4 ([Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929)).
    Written out, with B batch, Y × X pixels in patches of P × P, T = Y/P · X/P + 1, D model width, C classes:

        x:      [B, T, D] = dropout([class token; patches . E + b] + positions)
        x:      [B, T, D] = LN(encoder blocks(x))            (pre-norm, GELU, biases)
        logits: [B, C]    = x[:, 0] . kernel + bias

    With `pooling="mean"` there is no class token, and the head gets the mean over the patches (appendix D.3). With
    `representation_dim` a tanh layer precedes the head, as in the paper's pre-training; `num_classes=None` leaves the
    head out.

    Differs from the published code: no dropout between the two layers of the feed-forward network, and the exact GELU,
    as in PyTorch's versions; the published code approximates it by tanh. The head's kernel starts at zero, as there.

    An image has one size: each position of the grid has a learned vector.

    Masking: none.

    Args:
        image_size: Rows and columns of the images: an int, or a pair. Multiples of `patch_size`.
        patch_size: Rows and columns of a patch, alike.
        num_layers: Number of encoder blocks.
        model_dim: D.
        num_heads: Attention heads; they divide D.
        intermediate_dim: Hidden units of the feed-forward networks.
        num_classes: Positive int C; `None`: no head, the output are the features [B, D].
        pooling: `"token"`, the class token; `"mean"`, over the patches.
        representation_dim: Units of a tanh layer before the head; `None`: no such layer.
        dropout: Dropout rate on the output of each sub-layer and on the embeddings.
        attention_dropout: Dropout rate on the attention's probabilities.
        epsilon: Of the layer normalizations; 1e-6 as in the published code.
        input_channels: Channels of the images.
        seed: Int, seed of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: [B, Y, X, input_channels], channels last, normalized as in training.

    Returns:
        Logits [B, C], or features: [B, representation_dim or D].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> model = VisionTransformer(
    ...     (32, 48), 16, num_layers=2, model_dim=12, num_heads=3, intermediate_dim=20, num_classes=10)
    >>> images = np.ones((2, 32, 48, 3))
    >>> tuple(model(images).shape), tuple(model.encode(images).shape)
    ((2, 10), (2, 7, 12))
    >>> [tuple(scores.shape) for scores in model.attention_scores(images)]
    [(2, 3, 7, 7), (2, 3, 7, 7)]
    """

    def __init__(
        self,
        image_size: int | Sequence[int] = 224,
        patch_size: int | Sequence[int] = 16,
        num_layers: int = 12,
        model_dim: int = 768,
        num_heads: int = 12,
        intermediate_dim: int = 3072,
        num_classes: int | None = 1000,
        pooling: str = "token",
        representation_dim: int | None = None,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        epsilon: float = 1e-6,
        input_channels: int = 3,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(VisionTransformer, locals(), CHECKS)
        require_heads(arguments)
        size = _image_size(arguments)
        image = keras.Input((*size, input_channels), name="image")
        encoder = _encoder(arguments, size, dtype)
        x, _ = encoder(image)
        if pooling == "token":
            x = x[:, 0]
        else:
            x = keras.layers.GlobalAveragePooling1D("channels_last", dtype=dtype, name="mean")(x)
        if representation_dim is not None:
            x = keras.layers.Dense(representation_dim, "tanh", dtype=dtype, name="representation")(x)
        if num_classes is not None:
            x = keras.layers.Dense(num_classes, kernel_initializer="zeros", dtype=dtype, name="logits")(x)
        super().__init__(image, x, **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        self.encoder, self._arguments = encoder, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def encode(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Encoder only: images [B, Y, X, C] -> normalized features of all positions [B, T, D], the token first."""
        return self.encoder(ops.convert_to_tensor(inputs), training=training)[0]

    def attention_scores(self, inputs: Tensor) -> list[Tensor]:
        """Attention probabilities of every block, in inference mode.

        Args:
            inputs: Images [B, Y, X, C], as the model is called.

        Returns:
            List with one tensor [B, N, T, T] per block. With `pooling="token"` position 0 is the class token, and
            position 1 + r * (X / P) + c the patch in row r and column c.
        """
        return self.encoder(ops.convert_to_tensor(inputs), training=False, return_attention_scores=True)[1]

    def get_config(self):
        return {**common_config(self), **self._arguments}


def vision_transformer(size: str = "base", patch_size: int | Sequence[int] = 16, **kwargs: Any) -> VisionTransformer:
    """ViT-Base, -Large or -Huge of Table 1: `VisionTransformer` at a published size.

    Images [B, 224, 224, 3] to logits [B, 1000], as in "An Image is Worth 16x16 Words"
    ([Dosovitskiy et al., 2021](https://arxiv.org/abs/2010.11929)). Parameters with the default arguments:

    | `size` | blocks | D | heads | `patch_size=14` | `16` | `32` |
    |---|---|---|---|---|---|---|
    | `"base"` | 12 | 768 | 12 | | 86,567,656 | 88,224,232 |
    | `"large"` | 24 | 1024 | 16 | | 304,326,632 | 306,535,400 |
    | `"huge"` | 32 | 1280 | 16 | 632,045,800 | | |

    Args:
        size: `"base"`, `"large"` or `"huge"`.
        patch_size: Rows and columns of a patch: an int, or a pair.
        **kwargs: The other arguments of `VisionTransformer`, which may change those of the size.

    Returns:
        `VisionTransformer`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    require_choice(size, "size", SIZES)
    return VisionTransformer(patch_size=patch_size, **{**SIZES[size], **kwargs})


def _image_size(arguments):
    """(rows, columns) of the images; raises unless they are multiples of the patch's."""
    size, patch = (require_pair(arguments[name], name) for name in ("image_size", "patch_size"))
    if any(n % by for n, by in zip(size, patch)):
        raise ValueError(
            "`image_size` must be a multiple of `patch_size`. "
            f"Received: image_size={arguments['image_size']}, patch_size={arguments['patch_size']}"
        )
    return size


def _encoder(arguments, size, dtype):
    """The stack of encoder blocks on the embedded patches."""
    patches = PatchEmbedding(
        arguments["patch_size"], arguments["model_dim"], data_format="channels_last", name="patches", dtype=dtype
    )
    token = ClassToken(name="class_token", dtype=dtype) if arguments["pooling"] == "token" else None
    length = patches.compute_output_shape((None, *size, arguments["input_channels"]))[1] + (token is not None)
    start = keras.initializers.RandomNormal(stddev=0.02)
    shared = ("num_heads", "intermediate_dim", "dropout", "attention_dropout", "epsilon")
    shared = {name: arguments[name] for name in shared} | {"activation": "gelu", "use_bias": True, "norm_first": True}
    seeds = make_seeds(arguments["seed"], arguments["num_layers"])
    return Stack(
        patches if token is None else lambda image: token(patches(image)),
        LearnedPositionEncoding(length, start, name="positions", dtype=dtype),
        keras.layers.Dropout(arguments["dropout"], seed=seeds[0], name="dropout", dtype=dtype),
        [
            TransformerEncoderBlock(**shared, seed=seed, name=f"block_{i}", dtype=dtype)
            for i, seed in enumerate(seeds[1:])
        ],
        keras.layers.LayerNormalization(epsilon=arguments["epsilon"], name="norm", dtype=dtype),
    )
