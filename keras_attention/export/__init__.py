"""Export of a trained model as a SavedModel."""

from keras_attention.export.core_ops import require_core_ops, saved_model_ops
from keras_attention.export.saved_model import export_saved_model

__all__ = ["export_saved_model", "require_core_ops", "saved_model_ops"]
