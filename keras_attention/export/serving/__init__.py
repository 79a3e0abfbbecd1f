"""Ready signatures for `export_saved_model(..., signatures=...)`: what a client asks of a trained model.

Each function returns a dict from name to (function, specs). Every input of a signature has the batch as its first axis
(but those of `step`), so that a server may merge requests, and no row depends on the others.
"""

from keras_attention.export.serving.image_classification import image_classification
from keras_attention.export.serving.image_generation import image_generation
from keras_attention.export.serving.image_sampling import image_sampling
from keras_attention.export.serving.image_translation import image_translation
from keras_attention.export.serving.text_generation import text_generation
from keras_attention.export.serving.transcription import transcription
from keras_attention.export.serving.translation import translation

__all__ = [
    "image_classification",
    "image_generation",
    "image_sampling",
    "image_translation",
    "text_generation",
    "transcription",
    "translation",
]
