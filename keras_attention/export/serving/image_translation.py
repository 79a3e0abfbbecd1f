"""Signature of a model from images to an image: `translate`."""

import keras

from keras_attention.export.serving.pixels import decode_images, to_bytes
from keras_attention.types import Signatures

OUTPUTS = ("image", "first_image")  # of the second stage, of the first
INTERPOLATION = {"semantics": "nearest"}  # a mixture of two colors is a third class


def image_translation(generator: keras.Model) -> Signatures:
    """Signature of a SelectionGAN generator, from encoded images.

        translate: source_bytes [B], semantics_bytes [B], strings -> images [B, Y, X, C] uint8

    The strings are JPEG, PNG, GIF or BMP files of any sizes; they are decoded, resized (the semantic map to the nearest
    pixel) and scaled to [-1, 1]. The inputs are those of the generator's `condition`.

    Args:
        generator: `models.SelectionGANGenerator`, or a functional model from a dict of images [B, Y, X, C] in [-1, 1]
            to a dict with "image" or "first_image".

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If the model has other inputs or outputs, or images that no file can hold.

    Example:

    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import serving
    >>> generator, _ = models.selection_gan(64, width=4, selection_channels=9, num_candidates=3)
    >>> translate, specs = serving.image_translation(generator)["translate"]
    >>> sorted(specs)
    ['semantics_bytes', 'source_bytes']
    >>> png = tf.stack([tf.io.encode_png(tf.zeros((70, 50, 3), tf.uint8))])
    >>> tuple(translate(source_bytes=png, semantics_bytes=png)["images"].shape)
    (1, 64, 64, 3)
    """
    import tensorflow as tf

    inputs, outputs = getattr(generator, "input", None), getattr(generator, "output", None)
    output = next((name for name in OUTPUTS if isinstance(outputs, dict) and name in outputs), None)
    if not isinstance(inputs, dict) or output is None:
        raise ValueError(
            f"`generator` must be a functional model from a dict of images to a dict with one of {OUTPUTS}, such as "
            f"`models.SelectionGANGenerator`. Received: a {type(generator).__name__}"
        )
    shapes = {name: tuple(x.shape[1:]) for name, x in inputs.items()}
    for name, shape in shapes.items():
        if len(shape) != 3 or None in shape or shape[-1] not in (1, 3, 4):
            raise ValueError(f"`{name}` must be images [B, Y, X, C] of 1, 3 or 4 channels. Received: shape={shape}")

    def translate(**files):
        images = {}
        for name, (rows, columns, channels) in shapes.items():
            method = INTERPOLATION.get(name, "bilinear")
            images[name] = decode_images(files[f"{name}_bytes"], (rows, columns), channels, method) / 127.5 - 1.0
        return {"images": to_bytes(generator(images, training=False)[output])}

    return {"translate": (translate, {f"{name}_bytes": tf.TensorSpec([None], tf.string) for name in shapes})}
