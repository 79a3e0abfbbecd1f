"""Signatures of encoder-decoders over tokens: `translate`, `encode`, `start`, `step`."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_attention.decoding import beam_search, greedy
from keras_attention.export.ids import require_ids
from keras_attention.export.names import input_names
from keras_attention.export.serving.tokens import ids_reader, require_callables, written
from keras_attention.ops.require import require_bool, require_int
from keras_attention.types import Signatures, Tensor

PROTOCOL = ("encode", "start", "step")


def translation(
    model: Any,
    start_token: int,
    end_token: int | None,
    max_length: int,
    *,
    beam_size: int | None = None,
    alpha: float = 0.6,
    tokenize: Callable[[Tensor], Tensor] | None = None,
    detokenize: Callable[[Tensor], Tensor] | None = None,
    limits: bool = False,
) -> Signatures:
    """Signatures of a Transformer, an RNNsearch or a Luong model, with the decoding loop in the graph.

        translate: source [B, S], source_lengths [B] -> tokens [B, L]
                   with `beam_size`                  -> tokens [B, K, L], scores [B, K], best first
        encode:    source [B, S], source_lengths [B] -> memory [B, S, D]
        start:     source [B, S], source_lengths [B] -> cache_...
        step:      tokens [B], index [], cache_...   -> logits [B, V], cache_...

    With `tokenize` the source is `text`, strings [B], instead of ids; with `detokenize` the translations are `text`,
    strings [B] or [B, K], instead of tokens. `start` and `step` are for clients that decode themselves; `index` is a
    scalar, so that a server does not merge requests of `step`.

    An id outside of the model's vocabulary is an error (`model.vocabularies`). A row of length 0 is decoded from an
    empty source.

    Args:
        model: Model with `encode(source)`, `start(source, max_length)` and `step(tokens, cache, index)`, as those of
            `models.transformer`, `models.rnn_search` and `models.luong_lstm`.
        start_token: Int, read at position 0.
        end_token: Int; a translation ends with it. `None`: all have length L.
        max_length: Positive int L, the most tokens of a translation, end token included.
        beam_size: Positive int K, or `None` for greedy decoding.
        alpha: See `decoding.beam_search`.
        tokenize: Callable from strings [B] to ids, dense [B, S] with padding 0 or ragged: a
            `keras.layers.TextVectorization`, or any function of core operations of TensorFlow.
        detokenize: Callable from int32 ids [B, L], 0 from the end token on, to strings [B].
        limits: Whether `translate` takes `max_length`, int32 [B]: the most tokens of each row, at most L.

    Returns:
        Dict for the argument `signatures` of `export_saved_model`.

    Raises:
        ValueError: If the model has not these methods, or an argument is out of range.

    Example:

    >>> import tempfile
    >>> import tensorflow as tf
    >>> from keras_attention import models
    >>> from keras_attention.export import export_saved_model, serving
    >>> model = models.luong_lstm(20, 30, embedding_dim=5, units=6, num_layers=1)
    >>> signatures = serving.translation(model, start_token=1, end_token=2, max_length=5)
    >>> signatures = {"translate": signatures["translate"]}  # or all of them
    >>> path = export_saved_model(model, tempfile.mkdtemp(), signatures=signatures)
    >>> translate = tf.saved_model.load(str(path)).signatures["translate"]
    >>> tuple(translate(source=tf.constant([[7, 9, 4]]), source_lengths=tf.constant([3]))["tokens"].shape)
    (1, 5)
    """
    import tensorflow as tf

    _require(model, start_token, end_token, max_length, beam_size, tokenize, detokenize, limits)
    read, source = ids_reader("source", getattr(model, "vocabularies", {}).get("source"), tokenize)
    start, of_start = _start(model, read, source, max_length)
    step, of_step = _step(model, of_start)
    limit = {"max_length": tf.TensorSpec([None], "int32")} if limits else {}

    def translate(**inputs):
        ids, _ = read(inputs)
        first = ops.zeros((ops.shape(ids)[0],), "int32") + start_token
        given = model.step, model.start(ids, max_length), first, max_length, end_token
        limits = inputs.get("max_length")
        if beam_size is None:
            return written(greedy(*given, limits=limits), end_token, detokenize)
        tokens, scores = beam_search(*given, beam_size, alpha, limits=limits)
        return {**written(tokens, end_token, detokenize), "scores": scores}

    def encode(**inputs):
        return {"memory": model.encode(read(inputs)[0])}

    return {
        "translate": (translate, {**source, **limit}),
        "encode": (encode, source),
        "start": (start, source),
        "step": (step, of_step),
    }


def _require(model, start_token, end_token, max_length, beam_size, tokenize, detokenize, limits):
    missing = [name for name in PROTOCOL if not callable(getattr(model, name, None))]
    if missing:
        raise ValueError(
            f"`model` must have the methods {PROTOCOL}. Received: {type(model).__name__} without {missing}"
        )
    require_int(start_token, "start_token", least=0)
    require_int(end_token, "end_token", optional=True, least=0)
    require_int(max_length, "max_length")
    require_int(beam_size, "beam_size", optional=True)
    require_bool(limits, "limits")
    require_callables(tokenize=tokenize, detokenize=detokenize)


def _start(model, read, source, max_length):
    """The signature `start`, and the cache that it returns: a nest of specs."""
    import tensorflow as tf

    def started(ids):
        return model.start(ids, max_length)

    ids = tf.TensorSpec([None, None], "int32")
    cache = tf.function(started, autograph=False).get_concrete_function(ids).structured_outputs
    cache = keras.tree.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), cache)
    names = _names(cache)
    return (lambda **inputs: dict(zip(names, keras.tree.flatten(started(read(inputs)[0]))))), cache


def _step(model, cache):
    """The signature `step`, and the specs of its inputs."""
    import tensorflow as tf

    names = _names(cache)
    size = getattr(model, "vocabularies", {}).get("target")

    def step(tokens, index, **leaves):
        before = keras.tree.pack_sequence_as(cache, [leaves[name] for name in names])
        logits, after = model.step(require_ids(tokens, "tokens", size), before, index)
        return {"logits": logits, **dict(zip(names, keras.tree.flatten(after)))}

    specs = {"tokens": tf.TensorSpec([None], "int32"), "index": tf.TensorSpec([], "int32")}
    return step, {**specs, **dict(zip(names, keras.tree.flatten(cache)))}


def _names(cache):
    return input_names({"cache": keras.tree.map_structure(lambda x: keras.InputSpec(shape=x.shape), cache)})
