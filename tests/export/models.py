"""Small models for the export tests, with random weights."""

import keras
import numpy as np


def noisy(model, seed=0, scale=0.3):
    """Sets all weights to noise: biases of zero would hide a missing weight. Variances stay positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(weight.dtype)):
            noise = rng.standard_normal(weight.shape)
            weight.assign(0.5 + noise**2 if weight.path.endswith("variance") else noise * scale)
    return model


def classifier(attention=keras.layers.MultiHeadAttention, vocabulary=11, width=12, classes=3):
    """tokens [B, T] int32, 0 = padding -> [B, classes]."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(vocabulary, width, mask_zero=True)(tokens)
    x = attention(num_heads=2, key_dim=5)(x, x)
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling1D()(x))  # shows if training is on
    return noisy(keras.Model(tokens, keras.layers.Dense(classes)(x)))


def table(vocabulary=11, width=3):
    """tokens [B, T] int32, 0 = padding -> [B, width]: for tests that do not depend on the model."""
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(vocabulary, width, mask_zero=True)(tokens)
    return noisy(keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(x)))


def listener(attention=keras.layers.MultiHeadAttention, channels=4):
    """signal [B, T, channels] float32 -> [B, 2]; depends on the Keras mask for its padding."""
    signal = keras.Input((None, channels), name="signal")
    x = attention(num_heads=2, key_dim=3)(signal, signal)
    return noisy(keras.Model(signal, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling1D()(x))))


def singular_values():
    """Matrices [B, 3, 4] -> [B, 3], by an operation that other runtimes lack."""

    class Singular(keras.layers.Layer):
        def call(self, x):
            return keras.ops.svd(x, compute_uv=False)

    x = keras.Input((3, 4))
    return keras.Model(x, Singular()(x))


def tokens(*lengths, vocabulary=11, seed=1):
    """One row of ids [1, length] for each of `lengths`, none of them padding."""
    rng = np.random.default_rng(seed)
    return [rng.integers(1, vocabulary, (1, length)).astype("int32") for length in lengths]


def as_a_batcher(*rows):
    """Merges requests as TensorFlow Serving does: each tensor is padded with its own first element."""
    longest = max(row.shape[1] for row in rows)
    padded = []
    for row in rows:
        wide = np.full((row.shape[0], longest, *row.shape[2:]), row.flat[0], row.dtype)
        wide[:, : row.shape[1]] = row
        padded.append(wide)
    return np.concatenate(padded)
