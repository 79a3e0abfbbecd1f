"""Convolutional networks for digits, the baselines of recurrent attention: their cost grows with the image."""

import keras


def convolutions(seed=0, filters=16):
    """Images [B, Y, X, 1] of any size -> logits [B, 10]: convolutions with max pooling, global mean, a linear map.

    Args:
        seed: Int, of the weights.
        filters: Of the first of three convolutions; each has twice as many as the one before.
    """
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((None, None, 1), name="images")]
    for width in (filters, 2 * filters, 4 * filters):
        layers += [keras.layers.Conv2D(width, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
    return keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])


def of_cost(cost, side, seed=0):
    """The smallest network of `convolutions` that takes at least `cost` multiply-adds for an image of this side."""
    from keras_attention import analyze

    shape, filters = (1, side, side, 1), 1
    while analyze.complexity(convolutions(seed, filters), shape).multiply_adds < cost:
        filters += 1
    return convolutions(seed, filters)


def published(side, seed=0):
    """The convolutional baseline of "Recurrent Models of Visual Attention": 8 filters of 10 x 10, then 256 units."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((side, side, 1), name="images"),
            keras.layers.Conv2D(8, 10, strides=5, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
