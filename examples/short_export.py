"""Export and ask: a trained model becomes a SavedModel, which TensorFlow alone answers from.

A Transformer encoder says which of two letters comes first; then another process, without Keras
and this package, is asked. About a minute on two cores.
"""

import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np

from keras_attention import export, layers

# Sequences of ids of 3 to 9 letters, padded with 0; the label is whether 1 comes before 2. Both occur once.
rng = np.random.default_rng(0)
LENGTH, COUNT = 9, 6000
lengths = rng.integers(3, LENGTH + 1, COUNT)
tokens = rng.integers(3, 12, (COUNT, LENGTH)) * (np.arange(LENGTH) < lengths[:, None])
first, second = np.sort([rng.choice(length, 2, replace=False) for length in lengths], axis=1).T
labels = rng.integers(0, 2, COUNT)
tokens[np.arange(COUNT), first], tokens[np.arange(COUNT), second] = 2 - labels, 1 + labels

keras.utils.set_random_seed(0)
inputs = keras.Input((None,), dtype="int32", name="tokens")
x = layers.SinusoidalPositionEncoding()(keras.layers.Embedding(12, 32, mask_zero=True)(inputs))
x = layers.TransformerEncoderBlock(num_heads=4, intermediate_dim=64)(x)
model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(layers.AttentionPooling(16)(x)))
model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
model.fit(tokens[1000:], labels[1000:], batch_size=64, epochs=6, verbose=2)
chance = max(labels[:1000].mean(), 1 - labels[:1000].mean())
accuracy = model.evaluate(tokens[:1000], labels[:1000], verbose=0)[1]
print(f"accuracy {accuracy:.3f}; always the same answer: {chance:.3f}")

# The signature takes ids of any length, and the length of each row.
folder = pathlib.Path(tempfile.mkdtemp()) / "order"
version = export.export_saved_model(model, folder)

CLIENT = """
import sys
# TensorFlow imports Keras where it is installed. Blocked, to show that the export needs neither.
sys.modules.update(dict.fromkeys(("keras", "keras_attention")))
import tensorflow as tf
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
tokens = tf.constant([[5, 1, 4, 2, 7], [2, 3, 1, 0, 0]])
for row in answer(tokens=tokens, tokens_lengths=tf.constant([5, 3]))["outputs"].numpy():
    print(f"1 before 2: {row[0]:.3f}")
print("imported:", *(name for name in ("tensorflow", "keras", "keras_attention") if sys.modules.get(name)))
"""
answers = subprocess.run([sys.executable, "-c", CLIENT, str(version)], capture_output=True, text=True, check=True)
print(answers.stdout, end="")
