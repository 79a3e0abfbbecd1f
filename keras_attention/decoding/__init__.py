"""How a trained sequence model writes its output.

Every decoder reads the model through `step(tokens [B], cache, index) -> (logits [B, V], cache)` and runs wholly
inside the graph.
"""

from keras_attention.decoding.beam_search import beam_search, length_penalty
from keras_attention.decoding.greedy import greedy
from keras_attention.decoding.sample import sample
from keras_attention.decoding.sample_image import sample_image

__all__ = ["beam_search", "greedy", "length_penalty", "sample", "sample_image"]
