"""Adversarial (GAN) losses of the discriminator's logits: hinge, binary cross-entropy, Kullback-Leibler."""

import keras
from keras import ops

from keras_attention.ops.labels import nan_unless_label, require_labels
from keras_attention.types import Tensor


def hinge_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Hinge loss of a discriminator: 0 for real logits above 1 and fake logits below -1.

    $$ L_D = \mathrm{E} \max(0, 1 - D(x)) + \mathrm{E} \max(0, 1 + D(G(z))) $$

    "Self-Attention Generative Adversarial Networks" ([Zhang et al., 2018](https://arxiv.org/abs/1805.08318)), eq. 4.
    Computed in float32, whatever the dtype of the logits.

    Args:
        real_logits: D of real images, [B, 1] or of any shape.
        fake_logits: D of generated images, of any shape.

    Returns:
        Float32 scalar.

    Example: logits of 0.

    >>> float(hinge_discriminator_loss([[0.0], [0.0]], [[0.0], [0.0]]))
    2.0
    """
    return _mean(ops.relu(1.0 - _float(real_logits))) + _mean(ops.relu(1.0 + _float(fake_logits)))


def hinge_generator_loss(fake_logits: Tensor) -> Tensor:
    r"""Generator loss that goes with `hinge_discriminator_loss`; it has no hinge.

    $$ L_G = -\mathrm{E} \, D(G(z)) $$

    Args:
        fake_logits: D of generated images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> float(hinge_generator_loss([[0.5], [1.5]]))
    -1.0
    """
    return -_mean(_float(fake_logits))


def bce_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Binary cross-entropy of a discriminator: real images against 1, generated ones against 0.

    $$ L_D = -\mathrm{E} \log \sigma(D(x)) - \mathrm{E} \log (1 - \sigma(D(G(z)))) $$

    "Generative Adversarial Nets" ([Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)), as softplus of the
    logits, which is finite for all of them. Computed in float32.

    Args:
        real_logits: D of real images, of any shape.
        fake_logits: D of generated images, of any shape.

    Returns:
        Float32 scalar.

    Example: 2 log 2 for logits of 0.

    >>> print(f"{float(bce_discriminator_loss([[0.0]], [[0.0]])):.4f}")
    1.3863
    """
    return _mean(ops.softplus(-_float(real_logits))) + _mean(ops.softplus(_float(fake_logits)))


def bce_generator_loss(fake_logits: Tensor) -> Tensor:
    r"""Binary cross-entropy of generated images against the label "real": the non-saturating generator loss.

    $$ L_G = -\mathrm{E} \log \sigma(D(G(z))) $$

    Args:
        fake_logits: D of generated images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> print(f"{float(bce_generator_loss([[0.0]])):.4f}")
    0.6931
    """
    return _mean(ops.softplus(-_float(fake_logits)))


def kl_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    r"""Discriminator loss that goes with `kl_generator_loss`: the same as `bce_discriminator_loss`.

    $$ L_D = \mathrm{E} \, \mathrm{softplus}(-D(x)) + \mathrm{E} \, \mathrm{softplus}(D(G(z))) $$

    The alternative in SAGAN's published code. The optimal D is the logarithm of the ratio of the two densities;
    `kl_generator_loss` is then the Kullback-Leibler divergence of the generated images from the real ones.

    Args:
        real_logits: D of real images, of any shape.
        fake_logits: D of generated images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> print(f"{float(kl_discriminator_loss([[0.0]], [[0.0]])):.4f}")
    1.3863
    """
    return bce_discriminator_loss(real_logits, fake_logits)


def kl_generator_loss(fake_logits: Tensor) -> Tensor:
    r"""Kullback-Leibler generator loss: the same as `hinge_generator_loss`.

    $$ L_G = -\mathrm{E} \, D(G(z)) $$

    Args:
        fake_logits: D of generated images, of any shape.

    Returns:
        Float32 scalar.

    Example:

    >>> float(kl_generator_loss([[0.5], [1.5]]))
    -1.0
    """
    return hinge_generator_loss(fake_logits)


def auxiliary_classifier_loss(labels: Tensor, class_logits: Tensor) -> Tensor:
    r"""Cross-entropy of the auxiliary classifier of an AC-GAN.

    $$ L_C = -\mathrm{E} \log p(c \mid x) $$

    "Conditional Image Synthesis With Auxiliary Classifier GANs" ([Odena et al.,
    2017](https://arxiv.org/abs/1610.09585)): added to the discriminator's loss for real and for generated images, to
    the generator's for generated ones. Computed in float32.

    Args:
        labels: Integers [B] from 0 to K - 1. Others are refused; in a compiled step the loss is NaN.
        class_logits: Logits [B, K].

    Returns:
        Float32 scalar.

    Example: log 4 for equal logits of four classes.

    >>> print(f"{float(auxiliary_classifier_loss([1, 3], [[0.0] * 4] * 2)):.4f}")
    1.3863
    """
    return _mean(class_cross_entropy(labels, class_logits, "labels"))


def class_cross_entropy(labels, logits, name):
    """Cross-entropy [B] of logits [B, K]; labels [B] out of range raise an error with `name`, or give NaN."""
    logits, labels = _float(logits), ops.convert_to_tensor(labels)
    classes = logits.shape[-1]
    require_labels(labels, name, classes)
    # For a label out of range backends differ: an error without a name, 0 or NaN.
    safe = ops.clip(ops.cast(labels, "int32"), 0, classes - 1)
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
