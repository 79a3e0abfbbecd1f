"""Pictures of position encodings and biases."""

import keras
import numpy as np
from tour_drawing import heat, lines, pictures, scaled, similarity

from keras_attention import layers

KEYS, QUERIES = 41, 41


def alibi():
    return _bias_of_distance(layers.ALiBi(num_heads=4))


def relative_position_bias():
    return _bias_of_distance(layers.RelativePositionBias(3, num_buckets=16, max_distance=32))


def _bias_of_distance(layer):
    """The bias of the keys for the query in the middle, a curve per head."""
    inputs = np.zeros((1, KEYS, 1), "float32")
    bias = np.asarray(layer(inputs))[0]
    middle = bias.shape[-1] // 2
    curves = {f"head {head}": values for head, values in enumerate(bias)}
    return lines(curves, np.arange(bias.shape[-1]) - middle, "distance of key and query", "bias of the logit", ".-")


def rotary_embedding():
    vector = np.random.default_rng(1).normal(size=(1, 1, 1, 16)).astype("float32")
    rotated = np.asarray(layers.RotaryEmbedding()(np.repeat(vector, QUERIES, axis=1)))[0, :, 0]
    return heat(
        {"one vector, rotated": rotated, "dot products with itself": rotated @ rotated.T},
        ylabel="position",
        xlabel="feature | position",
    )


def sinusoidal_position_encoding():
    encoding = layers.SinusoidalPositionEncoding()(np.zeros((1, 50, 64), "float32"))
    return heat({"": np.asarray(encoding)[0]}, xlabel="feature", ylabel="position")


def sinusoidal_position_encoding_2d():
    encoding = np.asarray(layers.SinusoidalPositionEncoding2D()(np.zeros((1, 32, 32, 16), "float32")))[0]
    chosen = (0, 2, 4, 8, 10, 12)
    return pictures({f"feature {index}": scaled(encoding[..., index : index + 1]) for index in chosen}, height=1.6)


def learned_position_encoding():
    """Trained: a softmax of the encoded position predicts a bell curve around it."""
    keras.utils.set_random_seed(0)
    T = 24
    layer = layers.LearnedPositionEncoding(T)
    model = keras.Sequential([keras.Input((T, 16)), layer, keras.layers.Dense(T, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.03), "categorical_crossentropy")
    zeros, places = np.zeros((1, T, 16), "float32"), np.arange(T)
    before = similarity(np.asarray(layer(zeros))[0])
    near = np.exp(-(np.subtract.outer(places, places) ** 2) / 18)
    bell = near / near.sum(axis=-1, keepdims=True)
    model.fit(np.repeat(zeros, 200, axis=0), np.repeat(bell[None], 200, axis=0), batch_size=1, verbose=0)
    after = similarity(np.asarray(layer(zeros))[0])
    return heat({"at first": before, "after training": after}, xlabel="position", ylabel="position")


def learned_position_encoding_2d():
    keras.utils.set_random_seed(0)
    encoding = np.asarray(layers.LearnedPositionEncoding2D(12, 12)(np.zeros((1, 12, 12, 32), "float32")))[0]
    similar = similarity(encoding.reshape(144, 32)).reshape(12, 12, 12, 12)
    points = ((2, 3), (6, 9), (10, 5))
    return heat(
        {f"similarity to {point}": similar[point] for point in points}, xlabel="column", ylabel="row", height=2.3
    )


PICTURES = {
    "ALiBi": alibi,
    "LearnedPositionEncoding": learned_position_encoding,
    "LearnedPositionEncoding2D": learned_position_encoding_2d,
    "RelativePositionBias": relative_position_bias,
    "RotaryEmbedding": rotary_embedding,
    "SinusoidalPositionEncoding": sinusoidal_position_encoding,
    "SinusoidalPositionEncoding2D": sinusoidal_position_encoding_2d,
}
