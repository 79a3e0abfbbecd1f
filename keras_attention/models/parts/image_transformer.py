"""Layers of `ImageTransformer` and their wiring, for whole images and for decoding steps."""

import collections

import keras
from keras import ops

from keras_attention.layers import (
    ImageGrid,
    ImageTransformerBlock,
    LearnedPositionEncoding2D,
    SinusoidalPositionEncoding2D,
    SplitChannels,
    TokenEmbedding,
    TransformerEncoderBlock,
)
from keras_attention.models.parts.stack import make_norm
from keras_attention.ops import logistic_mixture_size
from keras_attention.ops.pixel_order import begins_block, generation_coordinates

LEVELS = 256
POSITIONS = ("sinusoidal", "learned", None)

# Encoder or decoder: from values to vectors to a grid, and the blocks on it.
Half = collections.namedtuple("Half", "pixels grid position dropout blocks norm")


class CategoricalPixels:
    """Embedding of each channel of a pixel, from one table with 256 rows per channel.

    Args:
        arguments: Dict of the arguments of `ImageTransformer`.
        name: "decoder" or "encoder", prefix of the layer's name.
        dtype: Dtype policy.
    """

    def __init__(self, arguments, name, dtype):
        self.channels = self.columns = arguments["channels"]  # grid columns per pixel
        self.table = TokenEmbedding(
            LEVELS * self.channels, arguments["model_dim"], name=f"{name}_embedding", dtype=dtype
        )

    def embed(self, image):
        """[B, Y, X, C] -> [B, Y, X, C, D]."""
        # In this order: Keras turns the other one into TensorFlow's `bias_add`, which LiteRT lacks for integers.
        return self.table(ops.add(LEVELS * ops.arange(self.channels, dtype="int32"), image))

    def embed_one(self, values, column):
        """Values [B] of one grid column -> [B, D]."""
        return self.table(ops.cast(values, "int32") + LEVELS * (column % self.channels))


class OrdinalPixels:
    """Embedding of each pixel by a dense layer over its channels, scaled to [-1, 1]; used as `CategoricalPixels`."""

    columns = 1

    def __init__(self, arguments, name, dtype):
        self.dense = keras.layers.Dense(
            arguments["model_dim"], "relu", kernel_initializer=initializer(), name=f"{name}_embedding", dtype=dtype
        )

    def embed(self, image):
        """[B, Y, X, C] -> [B, Y, X, D]."""
        return self.dense(ops.cast(image, "float32") / 127.5 - 1.0)

    def embed_one(self, values, column):
        """Pixels [B, C] -> [B, D]."""
        return self.embed(values)


class ImageTransformerParts:
    """Layers of `ImageTransformer` and their wiring. A plain class, not a layer.

    Args:
        arguments: Dict of the arguments of `ImageTransformer`.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, arguments, dtype):
        self.arguments, self.dtype = arguments, dtype
        two_dimensional = not isinstance(arguments["query_block"], int)
        self.block = arguments["query_block"] if two_dimensional else None
        self.each_block = two_dimensional and arguments["variant"] == "reference"
        self.categorical = arguments["likelihood"] == "categorical"
        shift = {"shift": True, "block": self.block, "each_block": self.each_block}
        local = {"query_block": arguments["query_block"], "memory_block": arguments["memory_block"]}
        self.decoder = self._half("decoder", 1, ImageTransformerBlock, arguments["num_layers"], shift, local)
        if arguments["num_encoder_layers"]:
            self.encoder = self._half("encoder", 2, TransformerEncoderBlock, arguments["num_encoder_layers"], {}, {})
            self.flat = keras.layers.Reshape((-1, arguments["model_dim"]), name="encoder_flat", dtype=dtype)
        if arguments["num_classes"]:
            self.classes = TokenEmbedding(
                arguments["num_classes"], arguments["model_dim"], name="class_embedding", dtype=dtype
            )
        self.head, self.split = self._head()

    def encode(self, source, training=None):
        """Source images [B, Y, X, C] -> memory [B, S, D], in row-major order."""
        x = self.flat(self._enter(self.encoder, source, training=training))
        for block in self.encoder.blocks:
            x = block(x, training=training)
        return _leave(self.encoder, x)

    def decode(self, image, memory=None, label=None):
        """Images [B, Y, X, C] -> logits [B, Y, X, C, 256] or mixture parameters [B, Y, X, P] of the same pixels."""
        x = self._enter(self.decoder, image, label)
        for block in self.decoder.blocks:
            x = block(x) if memory is None else block(x, memory)
        x = self.head(_leave(self.decoder, x))
        return self.split(x) if self.categorical else x

    def step(self, values, cache, index):
        """Values at `index - 1` in generation order -> logits [B, 256] or parameters [B, P] at `index`, and cache."""
        Y, X = cache["size"][0, 0], cache["size"][0, 1]
        index = ops.convert_to_tensor(index, "int32")
        row, column = generation_coordinates(index, Y, X, self.block)
        _, before = generation_coordinates(ops.maximum(index - 1, 0), Y, X, self.block)
        x, position = self.decoder.pixels.embed_one(values, before), self.decoder.position
        first = begins_block(index, Y, X, self.block) if self.each_block else ops.equal(index, 0)
        x = ops.expand_dims(ops.where(first, ops.zeros_like(x), x), (1, 2))
        x = (x if position is None else position(x, start_index=(row, column)))[:, 0]
        x, written = (x + ops.expand_dims(cache["class"], 1) if "class" in cache else x), []
        for block, block_cache in zip(self.decoder.blocks, cache["blocks"]):
            x, block_cache = block(x, cache=block_cache, cache_index=index, training=False)
            written.append(block_cache)
        return self.head(_leave(self.decoder, x))[:, 0], {**cache, "blocks": tuple(written)}

    def _enter(self, half, image, label=None, training=None):
        """Images -> input grid of the first block [B, Y, X', D]."""
        x = half.grid(half.pixels.embed(image))
        x = x if half.position is None else half.position(x)
        x = x if label is None else x + ops.expand_dims(self.classes(label), (1, 2))
        return half.dropout(x, training=training)

    def _half(self, name, side, block, count, shift, local):
        given, common = self.arguments, {"dtype": self.dtype}
        pixels = (CategoricalPixels if self.categorical else OrdinalPixels)(given, name, self.dtype)
        shared = {k: given[k] for k in ("num_heads", "intermediate_dim", "key_dim", "dropout", "norm_first")}
        shared |= {"value_dim": given["key_dim"], **local, **common}
        seeds = [self._seed(side, i) for i in range(1 + count)]
        return Half(
            pixels,
            ImageGrid(**shift, name=f"{name}_grid", **common),
            self._position(f"{name}_position", pixels.columns),
            keras.layers.Dropout(given["dropout"], seed=seeds[0], name=f"{name}_dropout", **common),
            [
                block(**shared, kernel_initializer=initializer(), seed=seed, name=f"{name}_block_{i}")
                for i, seed in enumerate(seeds[1:])
            ],
            make_norm(name=f"{name}_norm", **common) if given["norm_first"] else None,
        )

    def _position(self, name, columns_of_a_pixel):
        given = self.arguments
        if given["position_encoding"] is None:
            return None
        if given["position_encoding"] == "sinusoidal":
            return SinusoidalPositionEncoding2D(given["variant"], name=name, dtype=self.dtype)
        rows, columns = given["max_size"]
        columns = columns * columns_of_a_pixel
        return LearnedPositionEncoding2D(rows, columns, given["variant"], name=name, dtype=self.dtype)

    def _head(self):
        common = {"kernel_initializer": initializer(), "dtype": self.dtype}
        channels = self.arguments["channels"]
        if self.categorical:
            split = SplitChannels(channels, name="channels", dtype=self.dtype)
            return keras.layers.Dense(LEVELS, name="logits", **common), split
        size = self.arguments["num_mixtures"] * logistic_mixture_size(channels)
        return keras.layers.Dense(size, use_bias=False, name="parameters", **common), None

    def _seed(self, side, number):
        """A different seed for every layer, so that dropout masks differ."""
        seed = self.arguments["seed"]
        return None if seed is None else seed + 1000 * side + 10 * number


def _leave(half, x):
    return x if half.norm is None else half.norm(x)


def initializer():
    """Kernel initializer of the published code: Glorot uniform with a fifth of the variance."""
    return keras.initializers.VarianceScaling(0.2, "fan_avg", "uniform")
