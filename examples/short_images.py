"""Image classification: a small convolutional network for Fashion-MNIST, without and with CBAM.

Gates of channels and positions cost few weights; in so short a training they need not help. About a minute on two
cores.
"""

import fashion_data
import keras

from keras_attention import layers

# 8,000 images for training and 5,000 for the test, with values from 0 to 1.
(x_train, y_train), (x_test, y_test) = fashion_data.load()
x_train, y_train = x_train[:8_000, ..., None] / 255.0, y_train[:8_000]
x_test, y_test = x_test[:5_000, ..., None] / 255.0, y_test[:5_000]


def network(attention):
    keras.utils.set_random_seed(0)
    images = x = keras.Input((28, 28, 1))
    for filters in (24, 48):
        x = keras.layers.Conv2D(filters, 3, 2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
        if attention:
            x = layers.CBAM(ratio=4)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(images, keras.layers.Dense(10, activation="softmax")(x))


for name, model in (("without attention", network(attention=False)), ("CBAM", network(attention=True))):
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=64, epochs=3, verbose=2)
    accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
    print(f"{name}: {model.count_params()} parameters, accuracy {accuracy:.3f}")
