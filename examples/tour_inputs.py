"""Inputs of the tour of layers: a sentence, a photograph, a digit, a clip and a sound; all without a download.

The photograph, of Grace Hopper, is a work of the US Navy in the public domain, and comes with matplotlib.
"""

import functools

import keras
import numpy as np

WORDS = ("the", "cat", "sat", "and", "the", "dog", "sat", "by", "the", "cat")
SAMPLE_RATE = 16_000


def one_hot(tokens, vocabulary=None):
    """[1, T, D]: a vector for each word or letter, the same for equal ones."""
    vocabulary = list(dict.fromkeys(vocabulary or tokens))
    return np.eye(len(vocabulary), dtype="float32")[[[vocabulary.index(token) for token in tokens]]]


@functools.cache
def photograph(size=64):
    """[1, size, size, 3] from 0 to 1: head and shoulders."""
    from matplotlib import cbook, image

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        whole = image.imread(file, format="jpg")[:512, :512] / 255
    return np.asarray(keras.ops.image.resize(whole[None].astype("float32"), (size, size), antialias=True)).clip(0, 1)


def digit(number, size=28):
    """[1, size, size, 1] from 0 to 1: a printed digit, white on black."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("L", (size, size))
    font = ImageFont.load_default(0.9 * size)
    ImageDraw.Draw(image).text((size / 2, size / 2), str(number), 255, font=font, anchor="mm")
    return np.asarray(image, "float32")[None, ..., None] / 255


def clip(frames=5, size=16):
    """[1, frames, size, size, 3]: an orange ball crosses a blue field."""
    rows, columns = np.mgrid[:size, :size]
    images = np.full((frames, size, size, 3), (0.15, 0.25, 0.45), "float32")
    for t, at in enumerate(np.linspace(3, size - 4, frames)):
        images[t, np.hypot(rows - (at * 0.6 + 2), columns - at) < 2.6] = (0.95, 0.6, 0.1)
    return images[None]


def melody(notes=(262, 330, 392, 523), seconds=0.5):
    """[1, samples] from -1 to 1: plucked notes of three overtones each."""
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = [sum(np.sin(2 * np.pi * k * note * t) / k for k in (1, 2, 3, 4)) * np.exp(-5 * t) for note in notes]
    return np.concatenate(tones)[None].astype("float32") / 2


def channels(image):
    """[1, Y, X, 12] of a photograph: its three colors, and differences to the neighbors in three directions."""
    shifted = [np.roll(image, shift, axis=(1, 2)) for shift in ((1, 0), (0, 1), (1, 1))]
    return np.concatenate([image, *(np.abs(image - other) * 4 for other in shifted)], axis=-1)


def standardized(image):
    return (image - image.mean(axis=(1, 2), keepdims=True)) / image.std(axis=(1, 2), keepdims=True)
