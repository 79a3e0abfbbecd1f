"""Pictures of attention over words. Weights are set by hand: equal words match, or neighboring positions."""

import keras
import numpy as np
from tour_drawing import assign, heat, similarity
from tour_inputs import WORDS, one_hot

from keras_attention import layers
from keras_attention.visualize import plot_attention, plot_heads
from keras_attention.visualize.style import SEQUENTIAL

FRENCH = ("the", "cat", "black", "sleeps")  # le chat noir dort, as concepts
ENGLISH = ("the", "black", "cat", "sleeps")
LE_CHAT = ("le", "chat", "noir", "dort")
SPELLED, SPOKEN = "helo", "hhheelllooo"


def scaled_dot_product_attention():
    x = one_hot(WORDS)
    _, scores = layers.ScaledDotProductAttention(scale=4.0)(x, return_attention_scores=True)
    return plot_attention(np.asarray(scores)[0, 0], WORDS, WORDS, title="equal words attend to each other")


def words_and_positions():
    """[1, T, 2 H]: the word in the first H features, a one-hot position in the others."""
    words, positions = one_hot(WORDS), np.eye(len(WORDS), dtype="float32")[None]
    H = len(WORDS)
    return np.concatenate([np.pad(words, ((0, 0), (0, 0), (0, H - words.shape[-1]))), positions], axis=-1)


def word_and_previous_heads():
    """Kernels [2 H, 2, H] of queries and keys: head 0 compares words, head 1 a position with the one before."""
    H = len(WORDS)
    query, key = np.zeros((2 * H, 2, H)), np.zeros((2 * H, 2, H))
    query[:H, 0] = key[:H, 0] = key[H:, 1] = 4 * np.eye(H)
    query[H:, 1] = 4 * np.eye(H, k=-1)
    query[H, 1, 0] = 4
    return {"query/kernel": query, "key/kernel": key}


def multi_head_attention():
    x = words_and_positions()
    layer = layers.MultiHeadAttention(2, len(WORDS))
    layer(x)
    _, scores = assign(layer, word_and_previous_heads())(x, return_attention_scores=True)
    return plot_attention(np.asarray(scores)[0], WORDS, WORDS)


def transformer_encoder_block():
    """A word takes part of what its neighbor is, and of what equal words are."""
    x = words_and_positions()
    layer = layers.TransformerEncoderBlock(2, 32)
    layer(x)
    assign(layer, word_and_previous_heads())
    found = {"similarity of the inputs": x, "similarity of the outputs": np.asarray(layer(x))}
    return heat({title: similarity(vectors[0]) for title, vectors in found.items()}, rows=WORDS, xlabel="position")


def transformer_decoder_block():
    x = words_and_positions()
    layer = layers.TransformerDecoderBlock(2, 32)
    memory = x[:, ::-1]
    layer(x, memory)
    for attention in (layer.self_attention, layer.memory_attention):
        assign(attention, word_and_previous_heads())
    _, scores = layer(x, memory, return_attention_scores=True)
    return plot_heads({kind: np.asarray(values) for kind, values in scores.items()})


def local_attention_1d():
    """Which keys each query may see."""
    patterns = {"block 4, memory 2": {}, "causal": {"causal": True}, "dilation 2": {"dilation": 2}}
    x = np.ones((1, 24, 4), "float32")
    scores = {}
    for name, options in patterns.items():
        layer = layers.LocalAttention1D(1, 4, query_block=4, memory_block=2, **options)
        scores[name] = np.asarray(layer(x, return_attention_scores=True)[1])[0, 0] > 0
    return heat(scores, xlabel="key", ylabel="query", height=2.6, cmap=SEQUENTIAL)


def attention_pooling():
    """Trained: whether a review is good depends on one of its words."""
    vocabulary = ("the", "film", "plot", "actor", "was", "really", "and", "a", "superb", "dull")
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    tokens, good = rng.integers(0, 8, (256, 6)), rng.integers(0, 2, 256)
    tokens[np.arange(256), rng.integers(0, 6, 256)] = 9 - good
    x = keras.Input((6,), dtype="int32")
    embedded = keras.layers.Embedding(10, 8)(x)
    pooling = layers.AttentionPooling(8)
    model = keras.Model(x, keras.layers.Dense(1, "sigmoid")(pooling(embedded)))
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy")
    model.fit(tokens, good, epochs=8, verbose=0)
    reviews = np.array([[0, 1, 4, 5, 8, 6], [7, 9, 2, 6, 0, 3], [0, 3, 6, 0, 2, 9]])
    _, scores = pooling(model.layers[1](reviews), return_attention_scores=True)
    sentences = [" ".join(vocabulary[token] for token in review) for review in reviews]
    return plot_attention(np.asarray(scores), sentences, "123456", key_title="word")


def luong_attention():
    query, memory = one_hot(FRENCH, ENGLISH), one_hot(ENGLISH)
    layer = layers.LuongAttention("general")
    layer(query, memory)
    _, scores = assign(layer, {"key/kernel": 4 * np.eye(4)})(query, memory, return_attention_scores=True)
    return plot_attention(np.asarray(scores)[0], LE_CHAT, ENGLISH, title="score: query · W key")


def bahdanau_attention():
    query, memory = one_hot(FRENCH, ENGLISH), one_hot(ENGLISH)
    layer = layers.BahdanauAttention(4)
    layer(query, memory)
    assign(layer, {"query/kernel": 3 * np.eye(4), "key/kernel": 3 * np.eye(4), "vector": np.full(4, -3.0)})
    _, scores = layer(query, memory, return_attention_scores=True)
    return plot_attention(np.asarray(scores)[0], LE_CHAT, ENGLISH, title="score: v · tanh(W query + U key)")


def luong_monotonic_attention():
    return _monotonic(layers.LuongMonotonicAttention(), {"key/kernel": 12 * np.eye(4), "energy_bias": -6.0})


def bahdanau_monotonic_attention():
    weights = {"query/kernel": 3 * np.eye(4), "key/kernel": 3 * np.eye(4), "vector": np.full(4, -12.0)}
    return _monotonic(layers.BahdanauMonotonicAttention(4), weights | {"energy_bias": 18.0})


def _monotonic(layer, weights):
    """Letters look for themselves in a slow utterance, from the left to the right."""
    query, memory = one_hot(SPELLED), one_hot(SPOKEN, SPELLED)
    layer(query, memory)
    _, scores = assign(layer, weights)(query, memory, return_attention_scores=True)
    return plot_attention(np.asarray(scores)[0], SPELLED, SPOKEN)


PICTURES = {
    "AttentionPooling": attention_pooling,
    "BahdanauAttention": bahdanau_attention,
    "BahdanauMonotonicAttention": bahdanau_monotonic_attention,
    "LocalAttention1D": local_attention_1d,
    "LuongAttention": luong_attention,
    "LuongMonotonicAttention": luong_monotonic_attention,
    "MultiHeadAttention": multi_head_attention,
    "ScaledDotProductAttention": scaled_dot_product_attention,
    "TransformerDecoderBlock": transformer_decoder_block,
    "TransformerEncoderBlock": transformer_encoder_block,
}
