"""Networks of the date example: the Transformer, and two recurrent baselines with about as many parameters.

Each generates a text from a text (`start`, `step`), as `dates_learning.reader` calls them. Keras is imported when a
network is built: the names alone are for the command line.
"""

import dataclasses
from collections.abc import Callable

TRANSFORMER = {
    "num_layers": 2,
    "model_dim": 128,
    "num_heads": 4,
    "intermediate_dim": 512,
    "dropout": 0.0,
    "norm_first": True,
}
# The biases of the authors' code, and Glorot's initialization: the paper's nearly zero weights take long to start.
RECURRENT = {"embedding_dim": 128, "maxout_units": 128, "use_bias": True, "kernel_initializer": "glorot_uniform"}


@dataclasses.dataclass(frozen=True)
class Network:
    """A kind of network.

    Attributes:
        build: Function of the vocabulary size and a seed; returns a model with initial weights.
        scores: Function of a model and `{"source": [1, S], "target": [1, T]}`; returns attention probabilities [T, S].
            `None` without attention.
        training: Arguments of `dates_learning.learn`.
    """

    build: Callable
    scores: Callable | None
    training: dict


def transformer(vocabulary_size, seed):
    from keras_attention import models

    return models.transformer(vocabulary_size, **TRANSFORMER, seed=seed)


def rnn_search(vocabulary_size, seed):
    return _recurrent(vocabulary_size, seed, attention=True, units=160, attention_units=160)


def rnn_encdec(vocabulary_size, seed):
    return _recurrent(vocabulary_size, seed, attention=False, units=216)


def _recurrent(vocabulary_size, seed, **sizes):
    from keras_attention import models

    return models.rnn_search(vocabulary_size, vocabulary_size, **RECURRENT, **sizes, seed=seed)


def transformer_scores(model, inputs):
    """The cross-attention of the last block, mean over the heads."""
    import numpy as np

    return np.mean(model.attention_scores(inputs)["decoder_memory"][-1][0], axis=0)


def rnn_search_scores(model, inputs):
    import numpy as np

    return np.array(model.attention_scores(inputs)[0])


NETWORKS = {
    "Transformer": Network(transformer, transformer_scores, {}),
    "RNNsearch": Network(rnn_search, rnn_search_scores, {"global_clipnorm": 1.0}),
    "RNNencdec": Network(rnn_encdec, None, {"global_clipnorm": 1.0}),
}
