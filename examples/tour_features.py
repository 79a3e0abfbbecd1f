"""Pictures of layers of features: embeddings, feed-forward networks, normalizations, heads of labels."""

import keras
import numpy as np
from tour_drawing import assign, heat, lines, pictures
from tour_inputs import SAMPLE_RATE, WORDS, melody, one_hot, photograph, standardized

from keras_attention import layers
from keras_attention.visualize import plot_attention
from keras_attention.visualize.style import FONT_SIZE, PALETTE, SEQUENTIAL, WIDTH, new_figure

LINE = np.linspace(-3, 3, 61, dtype="float32")


def bias():
    layer = layers.Bias()
    x = np.random.default_rng(0).normal(size=(1, 6, 12)).astype("float32")
    layer(x)
    y = assign(layer, {"bias": np.linspace(-2, 2, 12)})(x)
    return heat({"input": x[0], "output: the same vector added to each": np.asarray(y)[0]}, xlabel="feature")


def class_token():
    x = one_hot(WORDS)
    layer = layers.ClassToken("glorot_uniform")
    return heat({"input": x[0], "output": np.asarray(layer(x))[0]}, rows=["class", *WORDS], xlabel="feature")


def token_embedding():
    """The same table embeds words, and gives logits of vectors."""
    vocabulary = list(dict.fromkeys(WORDS))
    layer = layers.TokenEmbedding(len(vocabulary), 24)
    vectors = layer(np.array([[vocabulary.index(word) for word in WORDS]]))
    logits = np.asarray(layer(vectors, reverse=True))[0]
    return heat({"embeddings": np.asarray(vectors)[0], "logits of the embeddings": logits}, rows=WORDS)


def feed_forward():
    x = one_hot(WORDS)
    y = np.asarray(layers.FeedForward(16)(x))[0]
    return heat({"input": x[0], "output: equal for equal words": y}, rows=WORDS, xlabel="feature")


def gated_feed_forward():
    layer = layers.GatedFeedForward(1)
    x = LINE[None, :, None]
    layer(x)
    y = assign(layer, {"gate/kernel": 2, "expand/kernel": 1, "contract/kernel": 1})(x)
    curves = {"silu(2 x), the gate": LINE * 2 / (1 + np.exp(-2 * LINE)), "x": LINE, "output": np.asarray(y)[0, :, 0]}
    return lines(curves, LINE, "x")


def maxout():
    """Four lines, and their maximum: a parabola's tangents."""
    layer = layers.Maxout(1, pieces=4)
    x = LINE[None, :, None]
    layer(x)
    slopes = np.array([-4.0, -1.5, 1.5, 4.0])
    y = assign(layer, {"dense/kernel": slopes, "dense/bias": -(slopes**2) / 4})(x)
    pieces = {f"piece {index}": s * LINE - s * s / 4 for index, s in enumerate(slopes)}
    figure = lines({**pieces, "max": np.asarray(y)[0, :, 0]}, LINE, "x")
    figure.axes[0].lines[-1].set_linewidth(3)
    figure.axes[0].set_ylim(-5, 9)
    return figure


def rms_normalization():
    x = np.random.default_rng(0).normal(size=(1, 150, 2)).astype("float32") * [2.0, 1.0]
    y = np.asarray(layers.RMSNormalization()(x.astype("float32")))
    figure = lines({"input": x[0, :, 1]}, x[0, :, 0], "feature 0", "feature 1", ".")
    figure.set_size_inches(WIDTH, 3.6)
    figure.axes[0].plot(*y[0].T, ".", color=PALETTE[1], label="output")
    figure.axes[0].set_aspect("equal")
    figure.axes[0].legend(frameon=False, fontsize=FONT_SIZE)
    return figure


def spectral_normalization():
    """Singular values of a kernel."""
    layer = layers.SpectralNormalization(keras.layers.Dense(16), iterations=20)
    x = np.ones((1, 16), "float32")
    layer(x, training=True)
    before = np.asarray(layer.layer.kernel)
    after = np.asarray(layer(np.eye(16, dtype="float32"))) - np.asarray(layer.layer.bias)
    found = {name: np.linalg.svd(kernel, compute_uv=False) for name, kernel in (("kernel", before), ("used", after))}
    return lines(found, xlabel="index", ylabel="singular value", style="o-")


def conditional_batch_normalization():
    """One image, three labels: each has its scale and shift of the colors."""
    image = photograph(48)
    x = standardized(image)
    layer = layers.ConditionalBatchNormalization(3)
    layer(x, np.array([0]))
    gamma = 0.22 * np.array([[1, 1, 1], [1.3, 0.9, 0.4], [0.3, 0.9, 1.3]])
    beta = np.array([[0.5, 0.5, 0.5], [0.6, 0.45, 0.3], [0.3, 0.45, 0.65]])
    assign(layer, {"gamma": gamma, "beta": beta})
    return pictures({f"label {label}": np.asarray(layer(x, np.array([label])))[0] for label in range(3)})


def projection_head():
    """The logit is high where features and label fit."""
    labels = ("cat", "dog", "bird")
    layer = layers.ProjectionHead(3, spectral_normalization=False)
    features = np.array([[1.0, 0.1, 0.0], [0.2, 0.9, 0.0], [0.0, 0.2, 1.1]], "float32")
    layer(features, np.zeros(3, "int32"))
    assign(layer, {"embeddings": 3 * np.eye(3), "linear/kernel": np.full(3, 0.2)})
    logits = np.stack([np.asarray(layer(features, np.full(3, label)))[:, 0] for label in range(3)], axis=-1)
    rows = [f"picture of a {label}" for label in labels]
    figure = plot_attention(logits, rows, labels, key_title="label")
    figure.axes[-1].set_ylabel("logit")
    return figure


def log_mel_spectrogram():
    sound = melody()
    spectrogram = np.asarray(layers.LogMelSpectrogram(80, length=sound.shape[1])(sound))[0]
    figure = new_figure(WIDTH, 4)
    above, below = figure.subplots(2, 1, height_ratios=[1, 2])
    seconds = np.arange(sound.shape[1]) / SAMPLE_RATE
    above.plot(seconds[::8], sound[0, ::8], color=PALETTE[0], linewidth=0.5)
    above.set(xlim=(0, seconds[-1]), title="waveform: four notes")
    below.imshow(spectrogram.T, cmap=SEQUENTIAL, origin="lower", aspect="auto", extent=(0, seconds[-1], 0, 80))
    below.set(xlabel="seconds", ylabel="mel band", title="log-mel spectrogram")
    return figure


PICTURES = {
    "Bias": bias,
    "ClassToken": class_token,
    "ConditionalBatchNormalization": conditional_batch_normalization,
    "FeedForward": feed_forward,
    "GatedFeedForward": gated_feed_forward,
    "LogMelSpectrogram": log_mel_spectrogram,
    "Maxout": maxout,
    "ProjectionHead": projection_head,
    "RMSNormalization": rms_normalization,
    "SpectralNormalization": spectral_normalization,
    "TokenEmbedding": token_embedding,
}
