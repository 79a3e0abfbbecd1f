"""Attention scores as bertviz takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_attention.types import LayerScores
from keras_attention.visualize.inputs import require_layers
from keras_attention.visualize.labels import require_labels


def to_bertviz(
    scores: LayerScores, tokens: str | Sequence[str], key_tokens: str | Sequence[str] | None = None
) -> dict[str, Any]:
    """Returns the arguments of bertviz's `head_view` and `model_view`: tensors of PyTorch, and the tokens.

        {"attention": [1, N, T, T] of each layer, "tokens": T strings}

    or, with `key_tokens`, those of the attention of a decoder to its encoder:

        {"cross_attention": [1, N, T, S] of each layer, "decoder_tokens": T strings, "encoder_tokens": S strings}

    [bertviz](https://github.com/jessevig/bertviz) (Vig, 2019, https://arxiv.org/abs/1906.05714) draws in notebooks:
    `head_view(**to_bertviz(scores, tokens))`. It needs PyTorch, with any backend of Keras. `html` needs neither.

    Args:
        scores: Dict or list of the scores of one sample, each [N, T, S] or [1, N, T, S] with one N, T and S, such as
            `attention_scores(model, inputs)` of an encoder.
        tokens: T strings, those of the queries: a string (one character each) or a sequence of strings.
        key_tokens: S strings, those of the keys; `None`: the same as `tokens`.

    Returns:
        Dict of keyword arguments.

    Raises:
        ImportError: If PyTorch is not installed.
        ValueError: If the layers have several N, T or S, or the number of tokens is wrong.
    """
    _, layers = require_layers(scores)
    shapes = [layer.shape for layer in layers]
    if len(set(shapes)) > 1:
        raise ValueError(f"`scores` must be of layers with one N, one T and one S. Received: (N, T, S) {shapes}")
    _, T, S = shapes[0]
    queries = require_labels(tokens, T, "tokens")
    keys = require_labels(*((tokens, S, "tokens") if key_tokens is None else (key_tokens, S, "key_tokens")))
    try:
        import torch
    except ImportError as error:
        raise ImportError("bertviz takes tensors of PyTorch: pip install torch bertviz") from error
    attention = tuple(torch.from_numpy(np.expand_dims(layer, 0)) for layer in layers)
    if key_tokens is None:
        return {"attention": attention, "tokens": queries}
    return {"cross_attention": attention, "decoder_tokens": queries, "encoder_tokens": keys}
