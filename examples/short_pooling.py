"""Multiple-instance learning: does a bag of digits hold a 9? Only bags are labelled, not their digits.

Gated attention pooling, "Attention-based Deep Multiple Instance Learning" (Ilse et al., 2018), against the mean of the
digits. Its weights tell which digit it was. About a minute on two cores.
"""

import digits_data
import keras
import numpy as np

from keras_attention import layers

# Bags of ten digits, half of them with one 9 or more.
(x_train, y_train), (x_test, y_test) = digits_data.load()
SIZE = 10


def bags(images, digits, count, seed):
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.flatnonzero(digits != 9), (count, SIZE))
    for bag in chosen[::2]:
        nines = rng.integers(1, 3)
        bag[rng.choice(SIZE, nines, replace=False)] = rng.choice(np.flatnonzero(digits == 9), nines)
    images, found = images.reshape(-1, 28, 28, 1)[chosen] / 255.0, digits[chosen] == 9
    return images.astype("float32"), found, found.any(axis=1)


images, _, labels = bags(x_train, y_train, 2000, seed=0)
test_images, test_nines, test_labels = bags(x_test, y_test, 1000, seed=1)


def network(pooling):
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Conv2D(8, 5, 2, activation="relu"), keras.layers.Conv2D(16, 5, 2, activation="relu")]
    parts = [keras.Input((28, 28, 1)), *parts, keras.layers.Flatten(), keras.layers.Dense(64, activation="relu")]
    bag = keras.Input((SIZE, 28, 28, 1))
    x = keras.layers.TimeDistributed(keras.Sequential(parts))(bag)
    return keras.Model(bag, keras.layers.Dense(1, activation="sigmoid")(pooling(x))), keras.Model(bag, x)


attention = layers.AttentionPooling(32, gated=True)
for name, pooling in (("mean", keras.layers.GlobalAveragePooling1D()), ("attention", attention)):
    model, features = network(pooling)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, batch_size=32, epochs=6, verbose=2)
    print(f"{name} pooling: accuracy {model.evaluate(test_images, test_labels, verbose=0)[1]:.3f} of bags")

# The digit with the largest weight, in bags that hold a 9.
weights = np.asarray(attention(features.predict(test_images, verbose=0), return_attention_scores=True)[1])
hit = test_nines[np.arange(len(weights)), weights.argmax(axis=1)][test_labels]
print(f"the largest weight is on a 9 in {hit.mean():.3f} of them; by chance, in {test_nines[test_labels].mean():.3f}")
