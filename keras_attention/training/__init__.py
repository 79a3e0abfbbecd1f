"""Losses, metrics, learning rate schedules, adversarial training and checkpoints, as in the papers."""

from keras_attention.training.accuracy import SequenceAccuracy, TokenAccuracy
from keras_attention.training.adversarial_losses import (
    auxiliary_classifier_loss,
    bce_discriminator_loss,
    bce_generator_loss,
    hinge_discriminator_loss,
    hinge_generator_loss,
    kl_discriminator_loss,
    kl_generator_loss,
)
from keras_attention.training.adversarial_model import AdversarialModel
from keras_attention.training.adversarial_objective import AdversarialObjective, NoiseToImage
from keras_attention.training.attention_logger import AttentionLogger
from keras_attention.training.average_checkpoints import average_checkpoints
from keras_attention.training.hybrid_loss import HybridLoss
from keras_attention.training.keep_last_checkpoints import KeepLastCheckpoints
from keras_attention.training.label_smoothing import LabelSmoothedCrossEntropy
from keras_attention.training.linear_decay import LinearDecay
from keras_attention.training.pixel_likelihood import PixelNegativeLogLikelihood
from keras_attention.training.schedule import TransformerSchedule
from keras_attention.training.selection_gan import SelectionGANObjective, total_variation, uncertainty_guided_loss
from keras_attention.training.stop_on_not_finite import StopOnNotFinite

__all__ = [
    "AdversarialModel",
    "AdversarialObjective",
    "AttentionLogger",
    "HybridLoss",
    "KeepLastCheckpoints",
    "LabelSmoothedCrossEntropy",
    "LinearDecay",
    "NoiseToImage",
    "PixelNegativeLogLikelihood",
    "SelectionGANObjective",
    "SequenceAccuracy",
    "StopOnNotFinite",
    "TokenAccuracy",
    "TransformerSchedule",
    "auxiliary_classifier_loss",
    "average_checkpoints",
    "bce_discriminator_loss",
    "bce_generator_loss",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "kl_discriminator_loss",
    "kl_generator_loss",
    "total_variation",
    "uncertainty_guided_loss",
]
