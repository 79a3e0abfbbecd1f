"""What a paper minimises and how: learning rates, losses, what is measured on the way, the mean of checkpoints."""

from keras_attention.training.accuracy import SequenceAccuracy, TokenAccuracy
from keras_attention.training.average_checkpoints import average_checkpoints
from keras_attention.training.hybrid_loss import HybridLoss
from keras_attention.training.keep_last_checkpoints import KeepLastCheckpoints
from keras_attention.training.label_smoothing import LabelSmoothedCrossEntropy
from keras_attention.training.pixel_likelihood import PixelNegativeLogLikelihood
from keras_attention.training.schedule import TransformerSchedule

__all__ = [
    "HybridLoss",
    "KeepLastCheckpoints",
    "LabelSmoothedCrossEntropy",
    "PixelNegativeLogLikelihood",
    "SequenceAccuracy",
    "TokenAccuracy",
    "TransformerSchedule",
    "average_checkpoints",
]
