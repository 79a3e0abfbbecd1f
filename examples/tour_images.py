"""Pictures of attention over pixels, and of layers that take images apart."""

import keras
import numpy as np
from tour_drawing import assign, pictures, scaled
from tour_inputs import clip, digit, photograph, standardized

from keras_attention import layers
from keras_attention.visualize import image_grid, overlay, point_maps

POINTS = ((0.2, 0.5), (0.55, 0.5), (0.9, 0.25))  # cap, face, uniform


def self_attention_2d():
    """Queries and keys are the colors themselves: pixels attend to pixels of their color."""
    image = photograph(32)
    x = standardized(image)
    layer = layers.SelfAttention2D("paper", reduction=1)
    layer(x)
    assign(layer, {"query/kernel": 1.5 * np.eye(3), "key/kernel": np.eye(3)})
    _, scores = layer(x, return_attention_scores=True)
    return overlay(image[0], point_maps(np.asarray(scores)[0, 0], POINTS), POINTS)


def local_attention_2d():
    """The same, with keys only in the block of the query and in the memory around it."""
    image = photograph(32)
    x = standardized(image)
    layer = layers.LocalAttention2D(1, 3, query_block=(8, 8), memory_block=(4, 4))
    layer(x)
    assign(layer, {"query/kernel": np.eye(3), "key/kernel": np.eye(3)})
    _, scores = layer(x, return_attention_scores=True)
    scores = np.asarray(scores).reshape(1024, 1024)
    return overlay(image[0], point_maps(scores, POINTS), POINTS)


def image_transformer_block():
    """Which pixels change the output at a point: those before it, in its memory."""
    sizes = {"query_block": (4, 4), "memory_block": (4, 2), "dropout": 0.0}
    layer = layers.ImageTransformerBlock(2, 16, **sizes)
    size = 12
    x = np.random.default_rng(0).normal(size=(1, size, size, 8)).astype("float32")
    changed = np.repeat(x, size * size, axis=0)
    changed.reshape(size * size, size * size, 8)[range(size * size), range(size * size)] += 1
    model = keras.Sequential([keras.Input(x.shape[1:]), layer])  # in a graph: faster than eagerly
    change = np.abs(model.predict(changed, verbose=0) - np.asarray(layer(x))).sum(axis=-1) > 1e-5
    influence = change.reshape(size * size, size * size).T
    return overlay(photograph(size)[0], point_maps(influence, POINTS), POINTS)


def non_local_block():
    """A pixel of the ball attends to the ball in all frames."""
    frames = clip()
    x = 3 * standardized(frames.reshape(1, -1, 16, 3)).reshape(frames.shape)
    layer = layers.NonLocalBlock("gaussian", pool=None, batch_norm=False)
    T, Y, X = frames.shape[1:4]
    query = (T // 2 * Y + 6) * X + 7
    _, scores = layer(x, return_attention_scores=True)
    maps = np.asarray(scores)[0, 0, query].reshape(T, 1, Y, X)
    attended = np.repeat(scaled(maps), 3, axis=1).transpose(0, 2, 3, 1)
    columns = [f"frame {t}" for t in range(T)]
    return image_grid([frames[0], attended], row_labels=["clip", "attention"], column_labels=columns)


def patch_embedding():
    """The projection is the mean color of each patch."""
    image = photograph(64)
    layer = layers.PatchEmbedding(8, 3)
    layer(image)
    kernel = np.broadcast_to(np.eye(3) / 64, (8, 8, 3, 3))
    vectors = np.asarray(assign(layer, {"projection/kernel": kernel})(image))
    tiles = image.reshape(8, 8, 8, 8, 3).transpose(0, 2, 1, 3, 4)
    framed = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=1)
    patches = framed.transpose(0, 2, 1, 3, 4).reshape(80, 80, 3)
    return pictures({"image": image[0], "64 patches": patches, "64 vectors": vectors.reshape(8, 8, 3)})


def image_grid_layer():
    """The pixels of the three channels beside each other, shifted by one position."""
    image = photograph(16)
    grid = np.asarray(layers.ImageGrid(shift=True)(image[..., None]))[0]
    return pictures({"image, 16 x 16": image[0], "grid, 16 x 48: R, G, B of each pixel, one later": grid}, height=2.2)


def split_channels():
    image = photograph(16)
    grid = np.asarray(layers.ImageGrid()(image[..., None]))
    again = np.asarray(layers.SplitChannels(3)(grid))[0, ..., 0]
    return pictures({"grid, 16 x 48": grid[0], "image, 16 x 16 x 3": again}, height=2.2)


def multi_channel_attention_selection():
    image = photograph(48)
    layer = layers.MultiChannelAttentionSelection(4)
    maps = layer(standardized(image), return_maps=True)
    candidates = (np.asarray(maps["candidates"])[0].transpose(2, 0, 1, 3) + 1) / 2
    attention = np.asarray(maps["attention"])[0].transpose(2, 0, 1)
    upper = [image[0], *candidates]
    lower = [(np.asarray(maps["image"])[0] + 1) / 2, *(np.repeat(a[..., None], 3, axis=-1) for a in attention)]
    columns = ["in, out", *(f"candidate {m}" for m in range(4))]
    return image_grid(np.array([upper, lower]), column_labels=columns)


def multi_scale_spatial_pooling():
    image = photograph(64)
    x = np.asarray(layers.MultiScaleSpatialPooling((1, 4, 16))(image))[0]
    parts = [x[..., 3 * index : 3 * index + 3] for index in range(x.shape[-1] // 3)]
    titles = ("F · F", "F · F pooled by 4", "F · F pooled by 16", "F, the features")
    return pictures(dict(zip(titles, parts)), height=2.1)


def unused_convolution():
    image = photograph(48)
    layer = layers.UnusedConvolution(3, 4)
    output = np.asarray(layer(image))[0]
    kernel = np.asarray(layer.weights[0]).reshape(9, -1)
    return pictures({"input": image[0], "output: the input": output, "weights, not used": scaled(kernel)[..., None]})


def label_concatenation():
    """The embedding of each label is a color of its own."""
    shape = digit(3, 24)
    layer = layers.LabelConcatenation(3, 2, spectral_normalization=False)
    layer(shape, np.zeros((1,), "int32"))
    assign(layer, {"embeddings": [[0.9, 0.0], [0.0, 0.8], [0.6, 0.6]]})
    panels = {f"digit and label {label}": np.asarray(layer(shape, np.array([label])))[0] for label in range(3)}
    return pictures({"digit": shape[0], **panels}, height=2.1)


PICTURES = {
    "ImageGrid": image_grid_layer,
    "ImageTransformerBlock": image_transformer_block,
    "LabelConcatenation": label_concatenation,
    "LocalAttention2D": local_attention_2d,
    "MultiChannelAttentionSelection": multi_channel_attention_selection,
    "MultiScaleSpatialPooling": multi_scale_spatial_pooling,
    "NonLocalBlock": non_local_block,
    "PatchEmbedding": patch_embedding,
    "SelfAttention2D": self_attention_2d,
    "SplitChannels": split_channels,
    "UnusedConvolution": unused_convolution,
}
