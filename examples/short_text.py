"""Text classification: in which language is this name of a country or a language written?

A Transformer encoder reads the letters; the baseline ignores their order. The names are those of the package Babel.
About a minute on two cores.
"""

import collections

import keras
import numpy as np
from babel import Locale

from keras_attention import layers

# Names in nine languages with Latin letters, without those that several share, such as Angola. The same countries and
# languages are held out in all of them.
LANGUAGES = ("cs", "de", "en", "es", "fi", "fr", "it", "pl", "tr")
LENGTH, LETTERS = 24, {}
train, test = [], []
names = [{**Locale(language).territories, **Locale(language).languages} for language in LANGUAGES]
count = collections.Counter(name for table in names for name in set(table.values()))
for label, table in enumerate(names):
    for code, name in table.items():
        if count[name] == 1:
            part = test if sum(map(ord, code)) % 5 == 0 else train
            part.append(([LETTERS.setdefault(letter, len(LETTERS) + 1) for letter in name[:LENGTH]], label))


def arrays(part):
    tokens, labels = zip(*part)
    return keras.utils.pad_sequences(tokens, LENGTH, padding="post"), np.array(labels)


(x_train, y_train), (x_test, y_test) = arrays(train), arrays(test)

# The embedding masks the padding; the encoder block and the pooling leave it out.
keras.utils.set_random_seed(0)
tokens = keras.Input((LENGTH,), dtype="int32")
x = keras.layers.Embedding(len(LETTERS) + 1, 64, mask_zero=True)(tokens)
x = layers.SinusoidalPositionEncoding()(x)
x = layers.TransformerEncoderBlock(num_heads=4, intermediate_dim=128)(x)
x = layers.AttentionPooling(32)(x)
encoder = keras.Model(tokens, keras.layers.Dense(len(LANGUAGES), activation="softmax")(x))

# The baseline: the mean of the embeddings of the letters, whatever their order.
letters = [keras.Input((LENGTH,), dtype="int32"), keras.layers.Embedding(len(LETTERS) + 1, 64, mask_zero=True)]
letters += [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(len(LANGUAGES), activation="softmax")]
baseline = keras.Sequential(letters)

print(f"{len(x_train)} names, {len(x_test)} held out")
for name, model, epochs in (("bag of letters", baseline, 20), ("Transformer encoder", encoder, 12)):
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=epochs, verbose=2)
    print(f"{name}: accuracy {model.evaluate(x_test, y_test, verbose=0)[1]:.3f}")
