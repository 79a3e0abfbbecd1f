"""Signatures of an autoregressive model of images: `sample`, `complete`."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_attention.decoding import sample_image
from keras_attention.export.ids import require_ids
from keras_attention.ops.require import require_number, require_size
from keras_attention.types import Signatures


def image_sampling(model: Any, size: Sequence[int], *, temperature: float = 1.0) -> Signatures:
    """Signatures of an Image Transformer, with the loop over pixels in the graph.

        sample:   seed [B] int32                                    -> images [B, Y, X, C] uint8
        complete: seed, known [B, Y, X, C] uint8, known_mask [B, Y, X] bool -> images

    Both also take `label`, int32 [B], if the model has classes, and `source`, uint8 [B, y, x, C], if it has an encoder.
    Row i is sampled by seed i alone. `complete` keeps the known pixels. A label that is no class is an error.

    Args:
        model: See `decoding.sample_image`.
        size: (rows, columns) of the images in pixels, ints.
        temperature: Positive float; below 1 sharpens the distribution, above 1 flattens it.

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import serving
    >>> sizes = {"num_layers": 1, "model_dim": 8, "num_heads": 2, "intermediate_dim": 16}
    >>> model = models.image_transformer(channels=1, query_block=4, memory_block=4, **sizes)
    >>> sample, specs = serving.image_sampling(model, (3, 5))["sample"]
    >>> tuple(sample(seed=tf.constant([3, 4]))["images"].shape)
    (2, 3, 5, 1)
    """
    import tensorflow as tf

    require_number(temperature, "temperature", above=0)
    size = require_size(size)
    classes, channels = getattr(model, "num_classes", None), model.channels
    specs = {"seed": tf.TensorSpec([None], "int32")}
    if classes:
        specs["label"] = tf.TensorSpec([None], "int32")
    if getattr(model, "num_encoder_layers", 0):
        specs["source"] = tf.TensorSpec([None, None, None, channels], "uint8")
    known = {
        "known": tf.TensorSpec([None, *size, channels], "uint8"),
        "known_mask": tf.TensorSpec([None, *size], "bool"),
    }

    def sample(seed, label=None, source=None, **known):
        if label is not None:
            label = require_ids(label, "label", classes)
        batch_size = None if label is not None or source is not None or known else tf.shape(seed)[0]
        options = {"label": label, "source": source, "temperature": temperature, "seed": seed, **known}
        return {"images": ops.cast(sample_image(model, size, batch_size, **options), "uint8")}

    return {"sample": (sample, specs), "complete": (sample, {**specs, **known})}
