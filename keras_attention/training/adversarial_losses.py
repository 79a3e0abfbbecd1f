"""What a discriminator and a generator minimise against each other, as functions of the discriminator's logits."""

import keras
from keras import ops

from keras_attention.ops.labels import nan_unless_label, require_labels


def hinge_discriminator_loss(real_logits, fake_logits):
    r"""The discriminator's hinge loss: real images above 1 and made ones below -1 cost nothing.

    $$ L_D = \mathrm{E} \max(0, 1 - D(x)) + \mathrm{E} \max(0, 1 + D(G(z))) $$

    "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2018](https://arxiv.org/abs/1805.08318)), eq. 4.
    In float32, whatever the dtype of the logits.

    Args:
        real_logits: D of real images, [B, 1] or of any shape.
        fake_logits: D of made images, of any shape.

    Returns:
        Float32 scalar.

    Example: a discriminator that knows nothing.

    >>> float(hinge_discriminator_loss([[0.0], [0.0]], [[0.0], [0.0]]))
    2.0
    """
    return _mean(ops.relu(1.0 - _float(real_logits))) + _mean(ops.relu(1.0 + _float(fake_logits)))


def hinge_generator_loss(fake_logits):
    r"""The generator's part of the hinge game: it has no hinge.

    $$ L_G = -\mathrm{E} \, D(G(z)) $$

    Args:
        fake_logits: D of made images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> float(hinge_generator_loss([[0.5], [1.5]]))
    -1.0
    """
    return -_mean(_float(fake_logits))


def bce_discriminator_loss(real_logits, fake_logits):
    r"""Binary cross-entropy of a discriminator that says with what probability an image is real.

    $$ L_D = -\mathrm{E} \log \sigma(D(x)) - \mathrm{E} \log (1 - \sigma(D(G(z)))) $$

    "Generative Adversarial Nets" ([Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)), as softplus of the
    logits, which is finite for all of them. In float32.

    Args:
        real_logits: D of real images, of any shape.
        fake_logits: D of made images, of any shape.

    Returns:
        Float32 scalar.

    Example: 2 log 2 of a discriminator that knows nothing.

    >>> print(f"{float(bce_discriminator_loss([[0.0]], [[0.0]])):.4f}")
    1.3863
    """
    return _mean(ops.softplus(-_float(real_logits))) + _mean(ops.softplus(_float(fake_logits)))


def bce_generator_loss(fake_logits):
    r"""Binary cross-entropy of made images against the label "real", the form that does not saturate.

    $$ L_G = -\mathrm{E} \log \sigma(D(G(z))) $$

    Args:
        fake_logits: D of made images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> print(f"{float(bce_generator_loss([[0.0]])):.4f}")
    0.6931
    """
    return _mean(ops.softplus(-_float(fake_logits)))


def kl_discriminator_loss(real_logits, fake_logits):
    r"""The discriminator's part of the Kullback-Leibler game: `bce_discriminator_loss` by its other name.

    $$ L_D = \mathrm{E} \, \mathrm{softplus}(-D(x)) + \mathrm{E} \, \mathrm{softplus}(D(G(z))) $$

    The alternative in SAGAN's published code. Its optimum is the logarithm of the ratio of the two densities, so
    that `kl_generator_loss` is then the divergence of the made images from the real ones.

    Args:
        real_logits: D of real images, of any shape.
        fake_logits: D of made images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> print(f"{float(kl_discriminator_loss([[0.0]], [[0.0]])):.4f}")
    1.3863
    """
    return bce_discriminator_loss(real_logits, fake_logits)


def kl_generator_loss(fake_logits):
    r"""The generator's part of the Kullback-Leibler game.

    $$ L_G = -\mathrm{E} \, D(G(z)) $$

    Args:
        fake_logits: D of made images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> float(kl_generator_loss([[0.5], [1.5]]))
    -1.0
    """
    return hinge_generator_loss(fake_logits)


def auxiliary_classifier_loss(labels, class_logits):
    r"""Cross-entropy of the head that tells the class of an image.

    $$ L_C = -\mathrm{E} \log p(c \mid x) $$

    "Conditional Image Synthesis With Auxiliary Classifier GANs" ([Odena et al.,
    2017](https://arxiv.org/abs/1610.09585)): the discriminator adds it for real and for made images, the generator
    for what it makes. In float32.

    Args:
        labels: Integers [B] from 0 to K - 1. Others are refused; in a compiled step the loss is NaN.
        class_logits: Logits [B, K].

    Returns:
        Float32 scalar.

    Example: log 4 of a head that knows nothing of four classes.

    >>> print(f"{float(auxiliary_classifier_loss([1, 3], [[0.0] * 4] * 2)):.4f}")
    1.3863
    """
    return _mean(class_cross_entropy(labels, class_logits, "labels"))


def class_cross_entropy(labels, logits, name):
    """Cross-entropy [B] of logits [B, K]; labels [B] that are not classes are refused by `name`, or give NaN."""
    logits, labels = _float(logits), ops.convert_to_tensor(labels)
    classes = logits.shape[-1]
    require_labels(labels, name, classes)
    labels = ops.cast(labels, "int32")
    # Backends differ in what they do with a class that there is not: an error without a name, 0 or NaN.
    safe = ops.clip(labels, 0, classes - 1)
    losses = keras.losses.sparse_categorical_crossentropy(safe, logits, from_logits=True)
    return nan_unless_label(losses, labels, classes)


ADVERSARIAL_LOSSES = {
    "hinge": (hinge_discriminator_loss, hinge_generator_loss),
    "bce": (bce_discriminator_loss, bce_generator_loss),
    "kl": (kl_discriminator_loss, kl_generator_loss),
}


def _float(logits):
    return ops.cast(logits, "float32")


def _mean(values):
    return ops.mean(values)
