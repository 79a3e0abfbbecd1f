"""Where the evidence for a class is in an image: saliency, Grad-CAM, Grad-CAM++ and Score-CAM, by tf-keras-vis."""

import importlib

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_attention.visualize.probes import classifier, opened

UNSCALED = {"seek_penultimate_conv_layer": False, "expand_cam": False, "normalize_cam": False}


def saliency(model: keras.Layer, images: ArrayLike, classes: ArrayLike | None = None) -> np.ndarray:
    r"""Saliency map of a class: the largest absolute gradient of its logit over the channels of a pixel.

    $$ M_{yx} = \max_c \left| \frac{\partial S}{\partial I_{yxc}} \right| $$

    "Deep Inside Convolutional Networks" ([Simonyan et al., 2014](https://arxiv.org/abs/1312.6034)), with S the logit of
    the class for the image I.

    Args:
        model: Image classifier, see `grad_cam`.
        images: Array [B, Y, X, C], normalized as in training.
        classes: Int or B ints; `None`: the predicted classes.

    Returns:
        float32 NumPy array [B, Y, X].

    Raises:
        ImportError: If tf-keras-vis is not installed.
        RuntimeError: On other backends than TensorFlow.
        ValueError: If an argument is none of these.

    Example:

    >>> model = keras.Sequential([keras.Input((5, 7, 2)), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> saliency(model, np.ones((4, 5, 7, 2))).shape
    (4, 5, 7)
    """
    package, images = _ready("saliency", model, images)
    with classifier(model, images) as (network, _):
        score = _score(_classes(network, images, classes))
        return np.asarray(package.Saliency(network)(score, images, normalize_map=False), "float32")


def grad_cam(
    model: keras.Layer, images: ArrayLike, classes: ArrayLike | None = None, layer: keras.Layer | str | None = None
) -> np.ndarray:
    r"""Grad-CAM: the feature maps of a layer, weighted by the mean gradient of the logit of a class.

    $$ M = \mathrm{ReLU}\Big(\sum_k w_k A_k\Big), \qquad
       w_k = \frac{1}{yx} \sum_{ij} \frac{\partial S}{\partial A_{kij}} $$

    "Grad-CAM" ([Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391)), with S the logit of the class and A the
    output [B, y, x, K] of the layer; M [B, y, x] is resized to the images, bilinearly.

    The model may be functional, `Sequential`, subclassed or nested; it is neither cloned nor changed, also after an
    error. It runs eagerly in inference mode. If its last layer has a softmax or sigmoid, that is left out.

    Args:
        model: `keras.Model` (or layer) from images [B, Y, X, C], channels last, to one output [B, classes]. Built if
            necessary.
        images: Array [B, Y, X, C], normalized as in training.
        classes: Int or B ints; `None`: the predicted classes.
        layer: Layer within `model`, its path (the names of the layers around it and its own, as in
            `"backbone/stage4/conv"`), or its name, if no other layer has it. If it is called several times, its last
            call. Its output is a map [B, y, x, K], or tokens [B, T, K] of which the last y x are a grid of the shape of
            the image, after up to five others (a class token, say). `None`: the last layer with an output [B, y, x, K]
            of more than one position; layers inside of attention layers are not considered. In a Vision Transformer
            that is its patch embedding: better name the tokens that its last attention reads.

    Returns:
        float32 NumPy array [B, Y, X], not normalized, for `visualize.overlay(images, maps[:, np.newaxis])`.

    Raises:
        ImportError: If tf-keras-vis is not installed.
        RuntimeError: On other backends than TensorFlow.
        ValueError: If an argument is none of these, the model returns probabilities that no layer's activation
            computes, or the logits have no gradient with respect to the layer.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.layers.Conv2D(6, 3), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    ... )
    >>> grad_cam(model, np.ones((4, 9, 7, 2)), classes=1).shape
    (4, 9, 7)
    """
    package, images = _ready("gradcam", model, images)
    with opened(model, images, layer) as (network, end):
        maps = package.Gradcam(network)(
            _score(_classes(network, images, classes)), images, penultimate_layer=end, **UNSCALED
        )
    return _resized(maps, images)


def grad_cam_plus_plus(
    model: keras.Layer, images: ArrayLike, classes: ArrayLike | None = None, layer: keras.Layer | str | None = None
) -> np.ndarray:
    r"""Grad-CAM++: Grad-CAM with weights that sum positive gradients, weighted by position.

    $$ M = \mathrm{ReLU}\Big(\sum_k w_k A_k\Big), \qquad
       w_k = \sum_{ij} \frac{\alpha_{kij}}{\sum_{ab} \alpha_{kab}} \mathrm{ReLU}(g_{kij}), \qquad
       \alpha_{kij} = \frac{g_{kij}^2}{2 g_{kij}^2 + g_{kij}^3 \sum_{ab} A_{kab}}, \qquad
       g_{kij} = \frac{\partial S}{\partial A_{kij}} $$

    "Grad-CAM++" ([Chattopadhay et al., 2018](https://arxiv.org/abs/1710.11063)), whose score is exp(S); S is the logit.

    Differs from the paper: the \(\alpha\) of a channel are divided by their sum, as tf-keras-vis does, and the factor
    exp(S), one number for an image, is left out: it would overflow from S = 89 on. Where gradients are negative the
    denominator of \(\alpha\) may be near 0; the map then depends on rounding.

    Args:
        model: See `grad_cam`.
        images: Array [B, Y, X, C], normalized as in training.
        classes: Int or B ints; `None`: the predicted classes.
        layer: See `grad_cam`.

    Returns:
        float32 NumPy array [B, Y, X], not normalized.

    Raises:
        ImportError: If tf-keras-vis is not installed.
        RuntimeError: On other backends than TensorFlow.
        ValueError: See `grad_cam`.

    Example:

    >>> model = keras.Sequential([keras.layers.Conv2D(6, 3), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> grad_cam_plus_plus(model, np.ones((4, 9, 7, 2)), classes=1).shape
    (4, 9, 7)
    """
    package, images = _ready("gradcam_plus_plus", model, images)
    with opened(model, images, layer) as (network, end):
        score = _score(_classes(network, images, classes))

        def score_from_zero(logits):
            return score(logits) - ops.stop_gradient(score(logits))

        maps = package.GradcamPlusPlus(network)(score_from_zero, images, penultimate_layer=end, **UNSCALED)
    return _resized(maps, images)


def score_cam(
    model: keras.Layer, images: ArrayLike, classes: ArrayLike | None = None, layer: keras.Layer | str | None = None
) -> np.ndarray:
    r"""Score-CAM: the feature maps of a layer, weighted by the probability of a class for the image seen through each.

    $$ M = \mathrm{ReLU}\Big(\sum_k w_k A_k\Big), \qquad
       w_k = \mathrm{softmax}\big(f(I \circ H_k)\big)_\mathrm{class}, \qquad
       H_k = \frac{\mathrm{up}(A_k) - \min \mathrm{up}(A_k)}{\max \mathrm{up}(A_k) - \min \mathrm{up}(A_k)} $$

    "Score-CAM" ([Wang et al., 2020](https://arxiv.org/abs/1910.01279)), with f the logits and up the bilinear resize to
    the size of the image, corners on corners. It takes one call of the model for each of the K channels and each image,
    and the memory of 3 K images.

    Differs from the paper: weights are probabilities of the masked images, as tf-keras-vis computes them, without the
    difference to a baseline image and without a softmax over the channels.

    Args:
        model: See `grad_cam`.
        images: Array [B, Y, X, C], normalized as in training: a value of 0 is what hides.
        classes: Int or B ints; `None`: the predicted classes.
        layer: See `grad_cam`.

    Returns:
        float32 NumPy array [B, Y, X], not normalized.

    Raises:
        ImportError: If tf-keras-vis is not installed.
        RuntimeError: On other backends than TensorFlow.
        ValueError: See `grad_cam`; or if there is only one class.

    Example:

    >>> model = keras.Sequential([keras.layers.Conv2D(6, 3), keras.layers.Flatten(), keras.layers.Dense(3)])
    >>> score_cam(model, np.ones((4, 9, 7, 2)), classes=1).shape
    (4, 9, 7)
    """
    package, images = _ready("scorecam", model, images)
    with opened(model, images, layer) as (network, end):
        if network.output.shape[-1] == 1:
            raise ValueError("Score-CAM needs a model of two or more classes. Received: 1 class")
        classes = _classes(network, images, classes)
        # One image at a time: all masked images of the batch would be in memory at once.
        maps = [
            package.Scorecam(network)(_score([c]), images[b : b + 1], penultimate_layer=end, **UNSCALED)
            for b, c in enumerate(classes)
        ]
    return _resized(np.concatenate(maps), images)


def _ready(module, model, images):
    """The module of tf-keras-vis, and the images in float32."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Class activation maps need the TensorFlow backend: tf-keras-vis computes them with it. "
            f"Received: the backend {keras.backend.backend()}"
        )
    try:
        package = importlib.import_module(f"tf_keras_vis.{module}")
    except ImportError as error:
        raise ImportError(
            "Class activation maps are computed by tf-keras-vis: pip install keras-attention-layers[saliency]"
        ) from error
    if not isinstance(model, keras.Layer):
        raise ValueError(f"`model` must be a Keras model or layer. Received: model={model!r}")
    images = np.asarray(images)
    if images.ndim != 4 or 0 in images.shape or images.dtype.kind not in "biuf":
        raise ValueError(
            "`images` must be numbers [B, Y, X, C], not empty. "
            f"Received: images.shape={images.shape}, images.dtype={images.dtype}"
        )
    return package, images.astype("float32")


def _classes(network, images, classes):
    """B ints."""
    number = network.output.shape[-1]
    if classes is None:
        return np.argmax(network([images]), axis=-1).tolist()
    classes = np.asarray(classes)
    if (
        classes.dtype.kind not in "iu"
        or classes.shape not in ((), (len(images),))
        or not ((classes >= 0) & (classes < number)).all()
    ):
        raise ValueError(
            f"`classes` must be an int or {len(images)} ints, one for each image, from 0 up to {number - 1}. "
            f"Received: classes={classes.tolist()}"
        )
    return np.broadcast_to(classes, len(images)).tolist()


def _score(classes):
    from tf_keras_vis.utils.scores import CategoricalScore

    return CategoricalScore(classes)


def _resized(maps, images):
    """Maps [B, y, x] in the size of the images, bilinearly."""
    maps = ops.expand_dims(ops.convert_to_tensor(np.asarray(maps, "float32")), -1)
    return ops.convert_to_numpy(ops.image.resize(maps, images.shape[1:3], data_format="channels_last"))[..., 0]
