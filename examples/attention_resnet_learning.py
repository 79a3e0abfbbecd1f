"""How a small ResNet learns to tell clothes apart, goes on after an interruption, and is examined."""

import keras
import numpy as np
import tensorflow as tf
from progress import Progress

from keras_attention import training

MEAN, DEVIATION = 0.2860, 0.3530  # of the training pictures, in [0, 1]
SHIFT = 2  # pixels; a picture is moved by at most so many in each direction


def prepared(images):
    """uint8 [B, 28, 28] -> float32 [B, 28, 28, 1] of mean 0 and deviation 1 over the training pictures."""
    return ((images[..., None] / 255 - MEAN) / DEVIATION).astype("float32")


def batches(images, labels, batch_size, seed, first=0):
    """Batches from batch number `first` on, without end; batch k is the same whatever the first one is.

    The pictures are shuffled anew in each round, turned round left to right by chance, and shifted by up to two pixels.
    """
    a_round = len(images) // batch_size

    def generate():
        number = first
        while True:
            order = np.random.default_rng((seed, number // a_round)).permutation(len(images))
            rows = order[number % a_round * batch_size :][:batch_size]
            yield varied(images[rows], np.random.default_rng((seed, number // a_round, number))), labels[rows]
            number += 1

    signature = tf.TensorSpec((batch_size, *images.shape[1:], 1)), tf.TensorSpec((batch_size,), labels.dtype)
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def varied(images, rng):
    """Turned and shifted; what comes in beyond the border is black."""
    rows, columns = images.shape[1:]
    turned = np.where(rng.random(len(images))[:, None, None] < 0.5, images, images[:, :, ::-1])
    around = np.pad(turned, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    places = rng.integers(0, 2 * SHIFT + 1, (len(images), 2))
    return prepared(np.stack([image[y : y + rows, x : x + columns] for image, (y, x) in zip(around, places)]))


def learn(model, images, labels, steps, batch_size, seed, folder, rate=0.1, every=200, callbacks=()):
    """Trains up to update number `steps`, going on from the last checkpoint in `folder` if there is one.

    Stochastic gradient descent with Nesterov's momentum 0.9, and a learning rate that falls along a cosine. A
    checkpoint holds the weights, the optimizer and, in its count, the position in the data.

    Returns:
        The number of updates that had been done before.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=5e-4),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,  # XLA's convolutions are slower on a CPU
    )
    checkpoints = training.KeepLastCheckpoints(folder, keep=1, every=every)
    model.optimizer.build(model.trainable_variables)
    if checkpoints.paths:
        model.load_weights(checkpoints.paths[-1])
    done = int(model.optimizer.iterations)
    if done < steps:
        data = batches(images, labels, batch_size, seed, first=done)
        bar = Progress(done, steps, {"loss": "loss {:.3f}", "accuracy": "right {:.1%}"})
        # The second one writes the last update's, which may not be a multiple of `every`.
        watching = [checkpoints, training.KeepLastCheckpoints(folder, keep=1), bar, *callbacks]
        model.fit(data, steps_per_epoch=steps - done, shuffle=False, verbose=0, callbacks=watching)
    return done


def accuracy(model, images, labels, batch_size=500):
    """The share of pictures that are told apart rightly."""
    right = [
        np.argmax(model.predict_on_batch(prepared(images[i : i + batch_size])), -1) == labels[i : i + batch_size]
        for i in range(0, len(images), batch_size)
    ]
    return float(np.mean(np.concatenate(right)))
