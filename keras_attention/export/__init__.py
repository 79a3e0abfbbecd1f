"""Export of a trained model: SavedModel, ONNX, LiteRT."""

from keras_attention.export import serving
from keras_attention.export.core_ops import require_core_ops, saved_model_ops
from keras_attention.export.litert import export_litert
from keras_attention.export.onnx import export_onnx
from keras_attention.export.saved_model import export_saved_model

__all__ = ["export_litert", "export_onnx", "export_saved_model", "require_core_ops", "saved_model_ops"]
