"""Keras metrics for generative models: FID, KID, inception score, bits per dimension, PSNR, SSIM."""

from keras_attention.metrics.bits_per_dim import BitsPerDim
from keras_attention.metrics.class_scores import ClassAgreement, ClassDivergence
from keras_attention.metrics.frechet_distance import FrechetDistance
from keras_attention.metrics.image_quality import PeakSignalToNoiseRatio, SharpnessDifference, StructuralSimilarity
from keras_attention.metrics.inception_score import InceptionScore
from keras_attention.metrics.inception_v3 import inception_v3
from keras_attention.metrics.intra_class_frechet_distance import IntraClassFrechetDistance
from keras_attention.metrics.kernel_distance import KernelDistance

__all__ = [
    "BitsPerDim",
    "ClassAgreement",
    "ClassDivergence",
    "FrechetDistance",
    "InceptionScore",
    "IntraClassFrechetDistance",
    "KernelDistance",
    "PeakSignalToNoiseRatio",
    "SharpnessDifference",
    "StructuralSimilarity",
    "inception_v3",
]
