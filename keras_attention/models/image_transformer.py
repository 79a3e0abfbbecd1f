"""Image Transformer: autoregressive image generation with local self-attention, and its cached decoding."""

import functools
from collections.abc import Sequence
from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.models.parts.arguments import checked, int_or_pair, one_of, optional_int, require_heads
from keras_attention.models.parts.dtypes import common_config
from keras_attention.models.parts.image_transformer import POSITIONS, ImageTransformerParts
from keras_attention.ops import pixel_order as generation
from keras_attention.ops.require import (
    require_bool,
    require_int,
    require_pair,
    require_rate,
    require_seed,
    require_size,
)
from keras_attention.types import DType, ModelOptions, Nest, Tensor

LIKELIHOODS = ("categorical", "logistic_mixture")
SIZES = ("channels", "num_layers", "model_dim", "num_heads", "intermediate_dim", "num_mixtures")
CHECKS = {
    **dict.fromkeys(SIZES, require_int),
    "query_block": int_or_pair,
    "memory_block": functools.partial(int_or_pair, least=0),
    "likelihood": one_of(LIKELIHOODS),
    "num_classes": optional_int,
    "num_encoder_layers": functools.partial(require_int, least=0),
    "key_dim": optional_int,
    "dropout": require_rate,
    "norm_first": require_bool,
    "position_encoding": one_of(POSITIONS),
    "max_size": lambda value, name: None if value is None else require_pair(value, name),
    "variant": one_of(("paper", "reference")),
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class ImageTransformer(keras.Model):
    r"""Image Transformer: autoregressive model of the pixels of an image with local self-attention.

    $$ p(x) = \prod_i p(x_i \mid x_{<i}), \quad
       \mathrm{output}_i = \mathrm{Decoder}(\mathrm{embedding}(x_{i-1}) + PE_i) $$

    as in "Image Transformer" ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)), with the blocks of
    `layers.ImageTransformerBlock`. Written out, with B batch, Y rows, X columns and C channels of an image, D model
    width, K mixtures:

        categorical:      grid [B, Y, X·C, D], one position per value
                          logits [B, Y, X, C, 256]
        logistic_mixture: grid [B, Y, X, D], one position per pixel
                          parameters [B, Y, X, K·(1 + 2C + C(C-1)/2)], see `ops.logistic_mixture_log_prob`

        grid:   shift_right(embedding(image)) + positions (+ class embedding)
        x:      [B, Y, X', D] = blocks(dropout(grid)), with cross-attention to the memory if there is an encoder
        output: of each position, from the positions before it in generation order

    Generation order: row by row if `query_block` is an int; block by block, if it is a pair (rows, columns) of the grid
    (`ops.shift_right`). The output at a pixel predicts that pixel: the targets are the images themselves
    (`training.PixelNegativeLogLikelihood`). `decoding.sample_image` generates and completes images.

    With `num_encoder_layers` an encoder with full self-attention reads another image, of any size (super-resolution);
    with `num_classes` a class embedding is added at every position.

    Differs from the paper: what it leaves open is as in the published code: no biases in attention, embeddings
    N(0, D^-1/2) scaled by sqrt(D), kernels Glorot uniform with a fifth of the variance, ReLU after the embedding of
    pixels, a bias on the categorical logits only, no attention dropout. By default the shift runs along the whole
    generation order, and half of the position encoding is of the row, half of the column. With `variant="reference"`,
    as in the published code: 2D blocks are shifted one by one, so that no block reads the last position of another;
    sinusoids are not interleaved; learned row and column embeddings have width D and are added. The class embedding is
    scaled like the others in either variant.

    In 6000 training steps on MNIST more memory helped from 8 to 64 positions, but 256 were no better than 64:
    docs/examples/image_transformer_pixels.md.

    Args:
        channels: C, 3 for RGB and 1 for grayscale.
        num_layers: Blocks of the decoder.
        model_dim: D.
        num_heads: Attention heads.
        intermediate_dim: Hidden units of the feed-forward networks.
        query_block: Positions per block: an int, or a pair (rows, columns) of the grid.
        memory_block: Positions that a block attends to beyond itself: an int or a pair.
        likelihood: `"categorical"` or `"logistic_mixture"`.
        num_mixtures: K, for `"logistic_mixture"`.
        num_classes: Number of classes, or `None` for an unconditional model.
        num_encoder_layers: Blocks of the encoder; 0 means no encoder.
        key_dim: Size per head of keys and values; `None` means D // num_heads.
        dropout: Dropout rate on the output of each sub-layer and on the embeddings.
        norm_first: Pre-norm instead of the paper's post-norm.
        position_encoding: `"sinusoidal"`, `"learned"` or `None`.
        max_size: Max (rows, columns) in pixels, of either image; for `"learned"`.
        variant: `"paper"` or `"reference"`.
        seed: Int, seed of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: Images [B, Y, X, C], integers from 0 to 255; for a conditional model
            `{"image": ..., "label": [B], "source": [B, y, x, C]}`, "label" and "source" if the model has them.

    Returns:
        Logits [B, Y, X, C, 256], or mixture parameters [B, Y, X, P].

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> import numpy as np
    >>> sizes = {"num_layers": 2, "model_dim": 16, "num_heads": 4, "intermediate_dim": 32}
    >>> model = ImageTransformer(channels=3, query_block=8, memory_block=8, **sizes)
    >>> images = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
    >>> tuple(model(images).shape)
    (2, 4, 5, 3, 256)
    >>> logits, cache = model.step(np.array([0, 0]), model.start((4, 5), batch_size=2), 0)
    >>> tuple(logits.shape)
    (2, 256)
    """

    def __init__(
        self,
        channels: int = 3,
        num_layers: int = 12,
        model_dim: int = 512,
        num_heads: int = 4,
        intermediate_dim: int = 2048,
        query_block: int | Sequence[int] = 256,
        memory_block: int | Sequence[int] = 256,
        likelihood: str = "categorical",
        num_mixtures: int = 10,
        num_classes: int | None = None,
        num_encoder_layers: int = 0,
        key_dim: int | None = None,
        dropout: float = 0.3,
        norm_first: bool = False,
        position_encoding: str | None = "sinusoidal",
        max_size: Sequence[int] | None = None,
        variant: str = "paper",
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(ImageTransformer, locals(), CHECKS)
        require_heads(arguments)
        if position_encoding == "learned" and max_size is None:
            raise ValueError('`position_encoding="learned"` needs `max_size`, (rows, columns). Received: max_size=None')
        parts = ImageTransformerParts(arguments, dtype)
        inputs = _inputs(arguments)
        memory = parts.encode(inputs["source"]) if num_encoder_layers else None
        output = parts.decode(inputs["image"], memory, inputs.get("label"))
        super().__init__(inputs=inputs if len(inputs) > 1 else inputs["image"], outputs=output, **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.parts, self._arguments = parts, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    @property
    def vocabularies(self) -> dict[str, int]:
        """Input name -> number of its values, as `export.export_saved_model` checks them."""
        classes = {"label": self.num_classes} if self.num_classes else {}
        return {"image": 256, "source": 256, **classes}

    def encode(self, source: Tensor) -> Tensor:
        """Encoder only: images [B, y, x, C] -> memory [B, S, D]."""
        return self.parts.encode(ops.convert_to_tensor(source, "int32"), training=False)

    def start(
        self,
        size: Sequence[int],
        batch_size: int | Tensor | None = None,
        label: Tensor | None = None,
        source: Tensor | None = None,
    ) -> Nest:
        """Creates the cache for `step` from the image size and the conditioning inputs.

        Args:
            size: (rows, columns) of the images in pixels, ints.
            batch_size: Int or int32 scalar tensor B, if there is neither label nor source.
            label: [B] classes, if the model has them.
            source: [B, y, x, C], if the model has an encoder.

        Returns:
            Nested dicts and tuples of tensors, all batch first.
        """
        self._require_start(size, batch_size, label, source)
        cache, memory, decoder = {}, None, self.parts.decoder
        Y, X = size[0], size[1] * decoder.pixels.columns
        if label is not None:
            label = ops.convert_to_tensor(label, "int32")
            batch_size, cache["class"] = ops.shape(label)[0], self.parts.classes(label)
        if source is not None:
            memory = self.encode(source)
            batch_size = ops.shape(memory)[0]
        cache["size"] = ops.broadcast_to(ops.convert_to_tensor([[Y, X]], "int32"), (batch_size, 2))
        cache["blocks"] = tuple(block.make_cache(batch_size, Y, X, memory) for block in decoder.blocks)
        return cache

    def step(self, tokens: Tensor, cache: Nest, index: int | Tensor) -> tuple[Tensor, Nest]:
        """One decoding step: the logits of position `index`, given the value at `index - 1`.

        Its cost depends neither on `index` nor on the size of the image: it attends to one block and its memory. (The
        cache of 2D blocks holds all positions of the image, which costs time only outside a compiled loop, where the
        backend copies what it updates.) Runs inside `tf.function`, XLA and `jax.jit`.

        Args:
            tokens: Position `index - 1` in generation order: values [B] of one channel (categorical) or pixels [B, C]
                (logistic mixture). Ignored if `index` is 0.
            cache: From `start` or the last step.
            index: Position in generation order: int or int32 scalar tensor.

        Returns:
            Logits [B, 256] or mixture parameters [B, P] of position `index`, and the updated cache.
        """
        return self.parts.step(ops.convert_to_tensor(tokens), cache, index)

    def to_sequence(self, images: Tensor) -> Tensor:
        """Images [B, Y, X, C] in generation order: values [B, Y·X·C], or pixels [B, Y·X, C]."""
        images = ops.convert_to_tensor(images)
        if self.parts.categorical:
            B, Y, X, C = ops.shape(images)
            images = ops.reshape(images, (B, Y, X * C))
        return generation.to_sequence(images, self.parts.block)

    def to_image(self, sequence: Tensor, size: Sequence[int]) -> Tensor:
        """Inverse of `to_sequence`: images [B, Y, X, C] of `size` (rows, columns) in pixels."""
        Y, X = size
        columns = X * self.parts.decoder.pixels.columns
        image = generation.to_image(ops.convert_to_tensor(sequence), Y, columns, self.parts.block)
        return ops.reshape(image, (ops.shape(image)[0], Y, X, self.channels))

    def get_config(self):
        return {**common_config(self), **self._arguments}

    def _require_start(self, size, batch_size, label, source):
        require_size(size)
        learned = self.position_encoding == "learned"
        if learned and not all(n <= most for n, most in zip(size, self.max_size)):
            raise ValueError(
                f"`size` must be at most `max_size`, the number of learned positions. Received: size={size}, "
                f"max_size={self.max_size}"
            )
        for name, given, wanted in (
            ("label", label is not None, bool(self.num_classes)),
            ("source", source is not None, bool(self.num_encoder_layers)),
            ("batch_size", batch_size is not None, not (self.num_classes or self.num_encoder_layers)),
        ):
            if given != wanted:
                needed = "must be given" if wanted else "has no meaning"
                raise ValueError(f"`{name}` {needed} for this model. Received: {name} {'' if given else 'not '}given")


def image_transformer(**kwargs: Any) -> ImageTransformer:
    """Image Transformer of any size; default: the published categorical model for CIFAR-10, 38,328,576 parameters.

    Images [B, Y, X, C] to logits [B, Y, X, C, 256] or mixture parameters [B, Y, X, P], as in "Image Transformer"
    ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)). Other published models:

        logistic mixture: model_dim=256, intermediate_dim=512, num_heads=8, key_dim=64,
                          likelihood="logistic_mixture", dropout=0.1           9,485,312 parameters
        super-resolution: num_layers=8, num_encoder_layers=4, num_heads=8, query_block=128, memory_block=128,
                          dropout=0.1                                         47,118,592 parameters

    Our own short runs show part of the effect of the memory's size: docs/examples/image_transformer_pixels.md.

    Args:
        **kwargs: The arguments of `ImageTransformer`.

    Returns:
        `ImageTransformer`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    >>> model = image_transformer(num_layers=1, model_dim=8, num_heads=2, intermediate_dim=16, query_block=(2, 6),
    ...                           memory_block=(1, 3))
    >>> model.output_shape
    (None, None, None, 3, 256)
    """
    return ImageTransformer(**kwargs)


def _inputs(arguments):
    """Symbolic inputs by name: the image and, if the model is conditioned on them, a label and a source image."""
    channels = arguments["channels"]
    inputs = {"image": keras.Input((None, None, channels), dtype="int32", name="image")}
    if arguments["num_classes"]:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
    if arguments["num_encoder_layers"]:
        inputs["source"] = keras.Input((None, None, channels), dtype="int32", name="source")
    return inputs
