"""The Image Transformer: images one value after the other, by local attention, and how it writes them."""

import functools

import keras
from keras import ops

from keras_attention.models.parts.arguments import checked, int_or_pair, one_of, optional_int, require_heads
from keras_attention.models.parts.dtypes import serialize_dtype
from keras_attention.models.parts.image_transformer import POSITIONS, Parts
from keras_attention.ops import pixel_order as generation
from keras_attention.ops.require import require_bool, require_int, require_pair, require_rate, require_seed

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
    r"""Autoregressive network of local attention over the values of an image.

    $$ p(x) = \prod_i p(x_i \mid x_{<i}), \quad
       \mathrm{output}_i = \mathrm{Decoder}(\mathrm{embedding}(x_{i-1}) + PE_i) $$

    as in "Image Transformer" ([Parmar et al., 2018](https://arxiv.org/abs/1802.05751)), with the blocks of
    `layers.ImageTransformerBlock`. Written out, with B batch, Y rows, X columns and C channels of an image, D model
    width, K mixtures:

        categorical:      grid [B, Y, X·C, D], a position for each value
                          logits [B, Y, X, C, 256]
        logistic_mixture: grid [B, Y, X, D], a position for each pixel
                          parameters [B, Y, X, K·(1 + 2C + C(C-1)/2)], see `ops.logistic_mixture_log_prob`

        grid:   shift_right(embedding(image)) + positions (+ class embedding)
        x:      [B, Y, X', D] = blocks(drop(grid)), each with attention to the memory if there is an encoder
        output: of each position, from the positions before it in the order of generation

    What is written first: with an int for `query_block` rows follow each other, with a pair blocks of so many rows and
    columns of the grid (`ops.shift_right`). The output at a pixel is about this very pixel: targets are the images
    themselves (`training.PixelNegativeLogLikelihood`). `decoding.sample_image` draws images, and completes them.

    With `num_encoder_layers` an encoder reads another image, of any size, with full attention (super-resolution); with
    `num_classes` a vector of the class is added at every position.

    Differs from the paper: what it leaves open is as in the published code: no biases in attention, embeddings
    N(0, D^-1/2) scaled by sqrt(D), kernels Glorot uniform with a fifth of the variance, a rectifier after the
    embedding of pixels, a bias in the categorical output and none in the other, no dropout of attention. By default the
    shift runs along the whole order and positions are half row, half column. With `variant="reference"`, as in the
    published code: blocks in two dimensions are each shifted for itself, so that nothing sees the last position of
    another block; sinusoids are not interleaved; learned vectors of row and column are of width D and added. The
    class embedding is scaled like the others in either variant.

    Args:
        channels: C, 3 for colour and 1 for grey.
        num_layers: Blocks of the decoder.
        model_dim: D.
        num_heads: Heads of every attention.
        intermediate_dim: Width inside the feed-forward networks.
        query_block: Positions of a block: an int, or a pair (rows, columns) of the grid.
        memory_block: How far a block sees beyond itself: an int or a pair.
        likelihood: `"categorical"` or `"logistic_mixture"`.
        num_mixtures: K, for `"logistic_mixture"`.
        num_classes: Number of classes, or `None`: not conditioned on one.
        num_encoder_layers: Blocks of the encoder; 0 means none.
        key_dim: Size of a head, of keys and of values; `None` means D // num_heads.
        dropout: Rate on what each sub-layer adds, and on the embeddings' sums.
        norm_first: Pre-norm instead of the paper's post-norm.
        position_encoding: `"sinusoidal"`, `"learned"` or `None`.
        max_size: The largest (rows, columns) in pixels, of either image; for `"learned"`.
        variant: `"paper"` or `"reference"`.
        seed: Int, of dropout.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: Images [B, Y, X, C], integers from 0 to 255; if the model is conditioned,
            `{"image": ..., "label": [B], "source": [B, y, x, C]}` with what it has.

    Returns:
        Logits [B, Y, X, C, 256], or parameters [B, Y, X, P].

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
        channels=3,
        num_layers=12,
        model_dim=512,
        num_heads=4,
        intermediate_dim=2048,
        query_block=256,
        memory_block=256,
        likelihood="categorical",
        num_mixtures=10,
        num_classes=None,
        num_encoder_layers=0,
        key_dim=None,
        dropout=0.3,
        norm_first=False,
        position_encoding="sinusoidal",
        max_size=None,
        variant="paper",
        seed=None,
        *,
        dtype=None,
        **kwargs,
    ):
        arguments = checked(ImageTransformer, locals(), CHECKS)
        require_heads(arguments)
        if position_encoding == "learned" and max_size is None:
            raise ValueError('`position_encoding="learned"` needs `max_size`, (rows, columns). Received: max_size=None')
        parts = Parts(arguments, dtype)
        inputs = {"image": keras.Input((None, None, channels), dtype="int32", name="image")}
        if num_classes:
            inputs["label"] = keras.Input((), dtype="int32", name="label")
        if num_encoder_layers:
            inputs["source"] = keras.Input((None, None, channels), dtype="int32", name="source")
        memory = parts.encode(inputs["source"]) if num_encoder_layers else None
        output = parts.decode(inputs["image"], memory, inputs.get("label"))
        super().__init__(inputs=inputs if len(inputs) > 1 else inputs["image"], outputs=output, **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only now: on PyTorch a model takes no layers before it is initialised.
        self.parts, self._arguments = parts, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def encode(self, source):
        """The encoder alone: images [B, y, x, C] -> memory [B, S, D]."""
        return self.parts.encode(ops.convert_to_tensor(source, "int32"), training=False)

    def start(self, size, batch_size=None, label=None, source=None):
        """Makes room for images to write, and reads what they are conditioned on.

        Args:
            size: (rows, columns) of the images in pixels, ints.
            batch_size: Int or int32 scalar tensor B, if there is neither label nor source.
            label: [B] classes, if the model has them.
            source: [B, y, x, C], if the model has an encoder.

        Returns:
            A cache for `step`: nested dicts and tuples of tensors, all batch first.
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

    def step(self, tokens, cache, index):
        """Reads what was written last, and scores what comes next.

        Its cost does not depend on how much is written already, nor on the size of the image: it looks at one memory.
        (The cache of blocks of two sizes holds all positions of the image; only outside of a compiled loop, where the
        backend copies what it updates, does that cost anything.) Runs inside `tf.function`, XLA and `jax.jit`.

        Args:
            tokens: What stands at place `index - 1` of the order of generation: values [B] of one channel
                (categorical) or pixels [B, C] (logistic mixture). Not read where `index` is 0.
            cache: From `start` or the last step.
            index: Place in the order: int or int32 scalar tensor.

        Returns:
            Logits [B, 256] or parameters [B, P] of place `index`, and the cache with it written.
        """
        return self.parts.step(ops.convert_to_tensor(tokens), cache, index)

    def to_sequence(self, images):
        """Images [B, Y, X, C] in the order of generation: values [B, Y·X·C], or pixels [B, Y·X, C]."""
        images = ops.convert_to_tensor(images)
        if self.parts.categorical:
            B, Y, X, C = ops.shape(images)
            images = ops.reshape(images, (B, Y, X * C))
        return generation.to_sequence(images, self.parts.block)

    def to_image(self, sequence, size):
        """The inverse of `to_sequence`, for images of `size` (rows, columns) in pixels: [B, Y, X, C]."""
        Y, X = size
        columns = X * self.parts.decoder.pixels.columns
        image = generation.to_image(ops.convert_to_tensor(sequence), Y, columns, self.parts.block)
        return ops.reshape(image, (ops.shape(image)[0], Y, X, self.channels))

    def get_config(self):
        common = {"name": self.name, "trainable": self.trainable, "dtype": serialize_dtype(self)}
        return {**common, **self._arguments}

    def _require_start(self, size, batch_size, label, source):
        if len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
            raise ValueError(f"`size` must be two positive ints, (rows, columns). Received: size={size!r}")
        learned = self.position_encoding == "learned"
        if learned and not all(n <= most for n, most in zip(size, self.max_size)):
            raise ValueError(f"No larger image than `max_size` was learned. Received: size={size}, {self.max_size}")
        for name, given, wanted in (
            ("label", label is not None, bool(self.num_classes)),
            ("source", source is not None, bool(self.num_encoder_layers)),
            ("batch_size", batch_size is not None, not (self.num_classes or self.num_encoder_layers)),
        ):
            if given != wanted:
                needed = "must be given" if wanted else "has no meaning"
                raise ValueError(f"`{name}` {needed} for this model. Received: {name} {'' if given else 'not '}given")


def image_transformer(**kwargs):
    """An `ImageTransformer` of any size; by default the published categorical one for CIFAR-10, 38,328,576 weights.

    Other published ones:

        logistic mixture: model_dim=256, intermediate_dim=512, num_heads=8, key_dim=64,
                          likelihood="logistic_mixture", dropout=0.1            9,485,312 weights
        super-resolution: num_layers=8, num_encoder_layers=4, num_heads=8, query_block=128, memory_block=128,
                          dropout=0.1                                          47,118,592 weights

    Args:
        **kwargs: The arguments of `ImageTransformer`.

    Example:

    >>> model = image_transformer(num_layers=1, model_dim=8, num_heads=2, intermediate_dim=16, query_block=(2, 6),
    ...                           memory_block=(1, 3))
    >>> model.output_shape
    (None, None, None, 3, 256)
    """
    return ImageTransformer(**kwargs)
