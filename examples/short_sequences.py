"""Sequence to sequence: writes a name backwards, letter by letter.

A recurrent decoder attends to the letters that the encoder has read; the baseline decoder has only the encoder's last
state. The names are those of the package Babel. About two minutes on two cores.
"""

import keras
import numpy as np
from babel import Locale

from keras_attention import layers

# Names of countries and languages, of 4 to 14 letters; every fifth is held out. 0 is padding, and the end.
found = [Locale(code) for code in ("cs", "de", "en", "es", "fi", "fr", "it", "pl", "tr")]
names = {
    name.lower() for locale in found for table in (locale.territories, locale.languages) for name in table.values()
}
names = np.random.default_rng(0).permutation(sorted(name for name in names if 4 <= len(name) <= 14))
alphabet = sorted(set("".join(names)))
LENGTH, SIZE = 15, len(alphabet) + 1


def ids(texts):
    rows = [[alphabet.index(letter) + 1 for letter in text] for text in texts]
    return keras.utils.pad_sequences(rows, LENGTH, padding="post")


x, y = ids(names), ids(name[::-1] for name in names)
before = np.pad(y, ((0, 0), (1, 0)), constant_values=SIZE)[
    :, :-1
]  # the decoder reads the letter before; first, a start
held_out = np.arange(len(names)) % 5 == 0
print(f"{(~held_out).sum()} names, {held_out.sum()} held out")


def model(attention):
    keras.utils.set_random_seed(0)
    source, previous = keras.Input((LENGTH,), dtype="int32"), keras.Input((LENGTH,), dtype="int32")
    encoder = keras.layers.GRU(64, return_sequences=True, return_state=True)
    memory, state = encoder(keras.layers.Embedding(SIZE, 32, mask_zero=True)(source))
    steps = keras.layers.Embedding(SIZE + 1, 32)(previous)
    if attention:
        decoder = layers.AttentionRNN(keras.layers.GRUCell(64), layers.BahdanauAttention(64))
        steps = decoder(steps, memory, initial_state=[state])
    else:
        steps = keras.layers.GRU(64, return_sequences=True)(steps, initial_state=state)
    return keras.Model([source, previous], keras.layers.Dense(SIZE, activation="softmax")(steps))


# If all letters of a name are right, given the right ones before them, greedy decoding writes the same.
for name, network in (("last state only", model(attention=False)), ("attention", model(attention=True))):
    network.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    network.fit([x[~held_out], before[~held_out]], y[~held_out], batch_size=64, epochs=10, verbose=2)
    written = network.predict([x[held_out], before[held_out]], verbose=0).argmax(axis=-1)
    print(f"{name}: {(written == y[held_out]).all(axis=-1).mean():.3f} of the held-out names right")
