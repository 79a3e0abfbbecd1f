"""Decoders for autoregressive models: greedy, sampling, beam search, images.

Every decoder calls the model through `step(tokens [B], cache, index) -> (logits [B, V], cache)` and runs entirely
inside the graph.
"""

from keras_attention.decoding.beam_search import beam_search, length_penalty
from keras_attention.decoding.decoder_step import decoder_step
from keras_attention.decoding.greedy import greedy
from keras_attention.decoding.sample import sample
from keras_attention.decoding.sample_image import sample_image
from keras_attention.decoding.suppress import suppress

__all__ = ["beam_search", "decoder_step", "greedy", "length_penalty", "sample", "sample_image", "suppress"]
