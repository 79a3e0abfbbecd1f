"""Networks of the translation example, of one size within 8 %: recurrent with and without attention, and a Transformer.

Keras is imported when a network is built: the names alone are for the command line.
"""

import dataclasses
from collections.abc import Callable

LEAST = 2  # units: embeddings are half as wide
HEADS = 4  # of the Transformer


@dataclasses.dataclass(frozen=True)
class Network:
    """A kind of network.

    Attributes:
        build: `build(sizes, options, seed)` returns a model with initial weights; `sizes` are the numbers of source
            and of target tokens, `options` have `units` and `dropout`.
        scores: `scores(model, inputs)` returns the attention [T, S] of `{"source": [1, S], "target": [1, T]}`; `None`
            without attention.
        multiple: Int, `options.units` must be a multiple of it.
    """

    build: Callable
    scores: Callable | None
    multiple: int = 1


def bahdanau(attention):
    """RNNsearch with attention; RNNencdec without, with a third more units in place of the attention's weights."""

    def build(sizes, options, seed):
        from keras_attention import models

        return models.rnn_search(
            *sizes,
            embedding_dim=options.units // 2,
            units=options.units if attention else options.units * 4 // 3,
            attention_units=options.units,
            maxout_units=options.units // 2,
            attention=attention,
            use_bias=True,
            dropout=options.dropout,
            # The paper's initial weights are near zero, and need many more updates.
            kernel_initializer="glorot_uniform",
            seed=seed,
        )

    return Network(build, first_scores if attention else None)


def luong(**kwargs):
    """Luong's network with one layer of LSTMs."""

    def build(sizes, options, seed):
        from keras_attention import models

        shape = {"embedding_dim": options.units // 2, "units": options.units, "num_layers": 1, "use_bias": True}
        return models.luong_lstm(*sizes, **shape, dropout=options.dropout, seed=seed, **kwargs)

    return Network(build, first_scores)


def transformer():
    def build(sizes, options, seed):
        from keras_attention import models

        shape = {
            "num_layers": 3,
            "model_dim": options.units // 2,
            "num_heads": HEADS,
            "intermediate_dim": 3 * options.units,
        }
        # The languages have tokens of their own, and so tables of their own.
        return models.transformer(
            max(sizes), **shape, norm_first=True, tie_embeddings=False, dropout=options.dropout, seed=seed
        )

    def scores(model, inputs):
        return model.attention_scores(inputs)["decoder_memory"][-1][0].numpy().mean(axis=0)

    return Network(build, scores, multiple=2 * HEADS)


def first_scores(model, inputs):
    return model.attention_scores(inputs)[0].numpy()


LONGEST = 256  # source tokens, more than any sentence has, for the score with a weight for each position
NETWORKS = {
    "RNNsearch": bahdanau(attention=True),
    "RNNencdec": bahdanau(attention=False),
    "Luong, dot": luong(score="dot"),
    "Luong, general": luong(score="general"),
    "Luong, concat": luong(score="concat"),
    "Luong, location": luong(score="location", max_length=LONGEST),
    "Luong, local-p": luong(score="general", window="local_p", half_width=5),
    "Luong, no feeding": luong(score="general", input_feeding=False),
    "Transformer": transformer(),
}
