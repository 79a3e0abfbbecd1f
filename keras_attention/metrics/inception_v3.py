"""InceptionV3, the default extractor of features and class probabilities."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_attention.ops.require import require_choice
from keras_attention.types import PathLike, Tensor

SIZE, CHANNELS, BATCH = 299, 3, 64
OUTPUTS = {"features": "avg_pool", "probabilities": "predictions"}


def inception_v3(output: str = "features", weights: PathLike | None = "imagenet") -> Callable[[Tensor], np.ndarray]:
    """Creates an extractor from `keras.applications.InceptionV3`: images to 2048 features or 1000 probabilities.

    The images, of any size, are resized to 299 by 299 (bilinear). They are in [-1, 1], as the outputs of this library's
    generators, or integers from 0 to 255.

    Differs from published values: those use the TensorFlow graph of 2015 (1008 classes, other weights, other
    resizing). Values of this network compare models with each other, not with published tables: report them as "FID of
    keras.applications.InceptionV3".

    Args:
        output: `"features"` (of the last pooling) or `"probabilities"`.
        weights: `"imagenet"`, which Keras downloads once (96 MB); a path of a weights file; `None`: random.

    Returns:
        A function of a batch of images [B, Y, X, 3] that returns a float32 array [B, 2048] or [B, 1000].

    Raises:
        ValueError: If `output` is another; in the call, if the images do not have three channels, or are not in
            [-1, 1].

    Example:

    >>> from keras_attention import metrics
    >>> extractor = metrics.inception_v3("features")  # doctest: +SKIP
    >>> fid = metrics.FrechetDistance(extractor)  # doctest: +SKIP
    """
    require_choice(output, "output", OUTPUTS)
    network = keras.applications.InceptionV3(weights=weights)
    network = keras.Model(network.input, network.get_layer(OUTPUTS[output]).output)
    images = keras.Input((None, None, CHANNELS))
    model = keras.Model(images, network(ops.image.resize(images, (SIZE, SIZE), interpolation="bilinear")))
    return lambda images: in_batches(model, _centred(images))


def in_batches(model, images):
    """The outputs of a model, computed in small batches to save memory."""
    parts = [model.predict_on_batch(images[i : i + BATCH]) for i in range(0, max(len(images), 1), BATCH)]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


def _centred(images):
    """Images in [-1, 1], as float32."""
    images = np.asarray(ops.convert_to_numpy(images))
    if images.ndim != 4 or images.shape[-1] != CHANNELS:
        raise ValueError(f"InceptionV3 needs images [B, Y, X, {CHANNELS}]. Received: shape={images.shape}")
    integers = np.issubdtype(images.dtype, np.integer)
    images = images.astype("float32") / 127.5 - 1 if integers else images.astype("float32")
    # With a tolerance for half precision and resizing.
    if not (np.abs(images) <= 1.01).all():
        raise ValueError(
            "InceptionV3 needs images in [-1, 1], or integers from 0 to 255. Received: "
            f"{images.dtype if not integers else 'integers'} from {images.min()} to {images.max()}"
        )
    return images
