"""Signature of a generator of images from noise: `sample`."""

import keras

from keras_attention.export.ids import require_ids
from keras_attention.export.serving.pixels import to_bytes
from keras_attention.ops.runtime.random_numbers import normal
from keras_attention.types import Signatures


def image_generation(generator: keras.Model) -> Signatures:
    """Signature of a SAGAN generator, with the noise in the graph.

        sample: seed [B] int32, label [B] int32 -> images [B, Y, X, C] uint8

    Without classes there is no `label`. Row i of the noise is drawn by seed i alone, so that a client gets the same
    image at every call, in whatever batch a server puts its request. A label that is no class is an error.

    Args:
        generator: `models.SAGANGenerator`, or a model from `{"noise": [B, Z], "label": [B]}` to images in [-1, 1] with
            the attributes `noise_dim` and `num_classes` (0 or `None`: no labels).

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If the model has not these attributes.

    Example:

    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import serving
    >>> generator, _ = models.sagan(image_size=16, num_classes=10, channels=4, attention_at=8)
    >>> sample, specs = serving.image_generation(generator)["sample"]
    >>> sorted(specs)
    ['label', 'seed']
    >>> images = sample(seed=tf.constant([3, 4]), label=tf.constant([7, 0]))["images"]
    >>> tuple(images.shape), images.dtype.name
    ((2, 16, 16, 3), 'uint8')
    """
    import tensorflow as tf

    missing = [name for name in ("noise_dim", "num_classes") if not hasattr(generator, name)]
    if missing:
        raise ValueError(
            "`generator` must be a model of images from noise, such as `models.SAGANGenerator`. Received: a "
            f"{type(generator).__name__} without {missing}"
        )

    def sample(seed, label=None):
        inputs = {"noise": normal((tf.shape(seed)[0], generator.noise_dim), seed)}
        if label is not None:
            inputs["label"] = require_ids(label, "label", generator.num_classes)
        return {"images": to_bytes(generator(inputs, training=False))}

    names = ("seed", "label") if generator.num_classes else ("seed",)
    return {"sample": (sample, {name: tf.TensorSpec([None], "int32") for name in names})}
