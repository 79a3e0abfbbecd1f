"""Signature of a classifier of images: `classify`."""

from collections.abc import Callable, Sequence

import keras
from keras import ops

from keras_attention.export.serving.pixels import INTERPOLATIONS, decode_images
from keras_attention.ops.require import require_bool, require_choice, require_size
from keras_attention.types import Signatures, Tensor


def image_classification(
    model: keras.Model,
    size: Sequence[int],
    normalize: Callable[[Tensor], Tensor],
    *,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    class_names: Sequence[str] | None = None,
) -> Signatures:
    """Signature of an image classifier, from encoded images.

        classify: image_bytes [B], strings -> probabilities [B, num_classes], label [B] int32

    The strings are JPEG, PNG, GIF or BMP files of any sizes; they are decoded, resized, normalized. With `class_names`
    there is also `name`, strings [B]. Of a model with a dict of outputs "logits" are those of the classes, and the
    others are outputs of the signature as well: of `models.recurrent_attention` the path of the glimpses, `locations`.

    Args:
        model: Model from images [B, Y, X, C] to class logits, or to a dict with "logits", as
            `models.attention_resnet` and `models.recurrent_attention`.
        size: (rows, columns) of the images in pixels, ints.
        normalize: Callable from images [B, Y, X, C], float32 from 0 to 255, to the model's input: what was done in
            training, such as `keras.layers.Rescaling(1 / 255)`.
        interpolation: `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
        crop_to_aspect_ratio: Whether to crop the middle of the image before it is resized, which keeps its aspect
            ratio. Both as in `keras.utils.image_dataset_from_directory`.
        class_names: List of str, the names of the classes.

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    >>> import keras
    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import serving
    >>> model = models.AttentionResNet((1, 1), bottleneck=False, attention="se", num_classes=2, width=8, stem="3x3")
    >>> signatures = serving.image_classification(
    ...     model, (9, 11), keras.layers.Rescaling(1 / 255), class_names=["cat", "dog"])
    >>> classify, _ = signatures["classify"]
    >>> png = tf.stack([tf.io.encode_png(tf.zeros((70, 50, 3), tf.uint8))])
    >>> {name: tuple(x.shape) for name, x in classify(image_bytes=png).items()}
    {'probabilities': (1, 2), 'label': (1,), 'name': (1,)}
    """
    import tensorflow as tf

    size = require_size(size)
    require_choice(interpolation, "interpolation", INTERPOLATIONS)
    require_bool(crop_to_aspect_ratio, "crop_to_aspect_ratio")
    if not callable(normalize):
        raise ValueError(f"`normalize` must be a function of images from 0 to 255. Received: normalize={normalize!r}")
    logits, channels = _logits(model), model.inputs[0].shape[-1]
    if class_names is not None and len(class_names) != logits.shape[-1]:
        raise ValueError(f"`class_names` must have {logits.shape[-1]} names. Received: {len(class_names)}")

    def classify(image_bytes):
        images = decode_images(image_bytes, size, channels, interpolation, crop_to_aspect_ratio)
        outputs = model(normalize(images), training=False)
        outputs = dict(outputs) if isinstance(outputs, dict) else {"logits": outputs}
        probabilities = ops.softmax(ops.cast(outputs.pop("logits"), "float32"))
        label = ops.argmax(probabilities, axis=-1)
        name = {} if class_names is None else {"name": tf.gather(tf.constant(list(class_names)), label)}
        return {"probabilities": probabilities, "label": label, **name, **outputs}

    return {"classify": (classify, {"image_bytes": tf.TensorSpec([None], tf.string)})}


def _logits(model):
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    named = getattr(model, "output", None)
    outputs = [x for name, x in named.items() if name == "logits"] if isinstance(named, dict) else outputs
    if [len(x.shape) for x in inputs] != [4] or [len(x.shape) for x in outputs] != [2]:
        raise ValueError(
            "`model` must be a functional model from images [B, Y, X, C] to class logits [B, num_classes], or to a "
            f'dict with "logits". Received: a {type(model).__name__}'
        )
    return outputs[0]
