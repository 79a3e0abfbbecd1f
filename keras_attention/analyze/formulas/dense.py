"""Layers that multiply each position by a matrix."""

import math

import keras

from keras_attention import layers
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.registry import inside, register


def product(call, multiply_adds, longest_path=math.inf):
    """Cost of a layer that is one product, for all positions at once."""
    return Cost(multiply_adds, 0, 1, longest_path, call.output_bytes)


@register(keras.layers.Dense)
def dense(call):
    """Positions times D_in times D_out."""
    return product(call, math.prod(call.first) * call.layer.units)


@register(keras.layers.EinsumDense)
def einsum_dense(call):
    """The product of the sizes of all letters of the equation."""
    letters = call.layer.equation.replace("...", "").replace(" ", "").split("->")[0].split(",")[1]
    kernel = dict(zip(letters, call.layer.kernel.shape, strict=True))
    output = call.layer.equation.split("->")[1]
    contracted = math.prod(size for letter, size in kernel.items() if letter not in output)
    return product(call, math.prod(call.output_shape) * contracted)


@register(layers.TokenEmbedding)
def token_embedding(call):
    """A look-up; a product with the table if `reverse`."""
    if not call.arguments.get("reverse"):
        return Cost(activation_bytes=call.output_bytes)
    return product(call, math.prod(call.first) * call.layer.input_dim)


@register(layers.ProjectionHead)
def projection_head(call):
    """The linear layer, and a dot product with the row of the class."""
    return inside(call) + product(call, math.prod(call.first))


@register(layers.SpectralNormalization)
def spectral_normalization(call):
    """The layer, and the power iteration on its kernel [I, O]: two products each, one and a dot product for sigma."""
    layer, outputs = call.layer.layer, call.layer.u.shape[0]
    size = math.prod((layer.embeddings if isinstance(layer, keras.layers.Embedding) else layer.kernel).shape)
    products = 2 * call.layer.iterations + 1
    return inside(call) + Cost(size * products + size // outputs, sequential_steps=products)


@register(keras.layers.SpectralNormalization)
def keras_spectral_normalization(call):
    """The layer: the power iteration runs in training only."""
    return inside(call)


@register(layers.LogMelSpectrogram)
def log_mel_spectrogram(call):
    """The Fourier transform as a product, and the filters."""
    B, frames, _ = call.output_shape
    transform, filters = call.layer._transform.shape, call.layer._filters.shape
    return Cost(B * frames * (math.prod(transform) + math.prod(filters)), 0, 2, math.inf, call.output_bytes)
