"""A small convolutional network for digits, the baseline of recurrent attention: its cost grows with the image."""

import keras


def convolutions(seed=0):
    """Images [B, Y, X, 1] of any size -> logits [B, 10]: convolutions with max pooling, global mean, a linear map."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((None, None, 1), name="images")]
    for filters in (16, 32, 64):
        layers += [keras.layers.Conv2D(filters, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    return keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
