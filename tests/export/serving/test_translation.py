"""Signatures of encoder-decoders, in graphs of unknown sizes; those of one from a SavedModel."""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention import decoding
from keras_attention.export import export_saved_model, serving
from keras_attention.export.signatures import concrete, extra_signature
from keras_attention.models import luong_lstm, rnn_search, transformer
from tests.export import models

START, END, L, V = 1, 2, 6, 13
FACTORIES = {
    "transformer": lambda: transformer(V, num_layers=1, model_dim=8, num_heads=2, intermediate_dim=12),
    "rnn_search": lambda: rnn_search(V, V + 4, embedding_dim=5, units=6, attention_units=7, maxout_units=4),
    "rnn_encdec": lambda: rnn_search(
        V, V + 4, embedding_dim=5, units=6, attention_units=7, maxout_units=4, attention=False
    ),
    "luong": lambda: luong_lstm(V, V + 4, embedding_dim=5, units=6, num_layers=2, dropout=0.3),
}
SLOW = ("rnn_search", "rnn_encdec")
ROWS = models.tokens(3, 5, 4, vocabulary=V)
LENGTHS = [3, 5, 0, -2]


def request(rows=(*ROWS, ROWS[0])):
    merged = models.as_a_batcher(*rows)
    for row, length in zip(merged, LENGTHS, strict=False):
        row[max(length, 0) :] = 99 - row[0]  # outside of the vocabulary, but beyond the length
    return {"source": tf.constant(merged), "source_lengths": tf.constant(LENGTHS[: len(merged)])}


def traced(signatures):
    return {name: concrete(*extra_signature(name, signature)) for name, signature in signatures.items()}


@pytest.fixture(scope="module", params=[pytest.param(x, marks=[pytest.mark.slow] * (x in SLOW)) for x in FACTORIES])
def served(request, tmp_path_factory):
    """A model and its signatures."""
    model = models.noisy(FACTORIES[request.param](), seed=4)
    signatures = serving.translation(model, START, END, L, limits=True)
    if request.param != "luong":  # the Transformer's are exported in `tests/export/test_server.py`
        return model, traced(signatures)
    path = export_saved_model(model, tmp_path_factory.mktemp("served"), signatures=signatures)
    loaded = tf.saved_model.load(str(path))
    return model, {**loaded.signatures, "keep alive": loaded}


def alone(model, ids, length=L):
    return decoding.greedy(model.step, model.start(ids, length), [START], length, END)[0].numpy().tolist()


def test_rows_are_translated_as_if_alone(served):
    model, signatures = served
    limits = [L, 2, 99, 0]
    tokens = signatures["translate"](**request(), max_length=tf.constant(limits))["tokens"].numpy()
    assert tokens[0].tolist() == alone(model, ROWS[0])
    assert tokens[1].tolist() == alone(model, ROWS[1])[:2] + [0] * (L - 2)
    assert tokens[2].tolist() == alone(model, np.zeros((1, 1), "int32")), "an empty source"
    assert tokens[3].tolist() == [0] * L
    assert len({tuple(row) for row in tokens}) > 2, "outputs must differ, or the test would be void"


def test_a_client_decodes_by_itself(served):
    _, signatures = served
    given = request()
    expected = signatures["translate"](**given, max_length=tf.constant([L] * 4))["tokens"].numpy()
    cache, tokens, ended = signatures["start"](**given), tf.fill([4], START), np.zeros(4, bool)
    for index in range(L):
        answer = signatures["step"](tokens=tokens, index=tf.constant(index), **cache)
        tokens = tf.argmax(answer.pop("logits"), -1, tf.int32)
        cache = answer
        np.testing.assert_array_equal(np.where(ended, 0, tokens), expected[:, index])
        ended |= tokens.numpy() == END


def test_the_memory_is_that_of_the_encoder(served):
    model, signatures = served
    memory = signatures["encode"](**request(ROWS[:2]))["memory"]
    for row, ids in zip(memory, ROWS):
        expected = model.encode(ids)[0]
        np.testing.assert_allclose(row[: len(expected)] if len(expected.shape) > 1 else row, expected, atol=1e-5)


def test_ids_outside_of_the_vocabulary_are_errors(served):
    _, signatures = served
    for wrong in (V, -1):
        given = {"source": tf.constant([[3, wrong, 4]]), "source_lengths": tf.constant([3])}
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"`source` must be from 0 to {V - 1}"):
            signatures["translate"](**given, max_length=tf.constant([2]))
        cache = signatures["start"](source=tf.constant([[3]]), source_lengths=tf.constant([1]))
        with pytest.raises(tf.errors.InvalidArgumentError, match="`tokens` must be from 0 to"):
            signatures["step"](tokens=tf.constant([wrong + V * (wrong > 0)]), index=tf.constant(0), **cache)


LETTERS = np.array(["", "<", ">", *"abcdefghij"])


def test_strings_to_strings_by_beam_search():
    model = models.noisy(luong_lstm(V, V, embedding_dim=5, units=6, num_layers=1), seed=4)
    to_id = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(LETTERS[3:]), list(range(3, V)), value_dtype=tf.int64), V - 1
    )

    def tokenize(text):
        return tf.ragged.map_flat_values(to_id.lookup, tf.strings.unicode_split(text, "UTF-8"))

    def detokenize(ids):
        return tf.strings.reduce_join(tf.gather(tf.constant(LETTERS), ids), axis=-1)

    options = {"beam_size": 3, "tokenize": tokenize, "detokenize": detokenize}
    signatures = traced(serving.translation(model, START, END, L, **options))
    texts = ["cab", "", "hgfeb"]
    answer = signatures["translate"](text=tf.constant(texts))
    for i, text in enumerate(texts):
        ids = np.array([[LETTERS.tolist().index(letter) for letter in text] or [0]])
        tokens, scores = decoding.beam_search(model.step, model.start(ids, L), [START], L, END, 3)
        expected = ["".join(LETTERS[beam]).partition(">")[0] for beam in tokens[0].numpy()]
        assert [beam.decode() for beam in answer["text"][i].numpy()] == expected
        np.testing.assert_allclose(answer["scores"][i], scores[0], rtol=1e-4)
    memory = signatures["encode"](text=tf.constant(["cab"]))["memory"]
    np.testing.assert_allclose(memory, model.encode(np.array([[5, 3, 4]])), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": models.table()}, r"`model` must have the methods .*without \['encode', 'start', 'step'\]"),
        ({"start_token": -1}, "`start_token` must be an int of at least 0"),
        ({"end_token": "</s>"}, "`end_token` must be `None` or an int"),
        ({"max_length": 0}, "`max_length` must be a positive int"),
        ({"beam_size": 0}, "`beam_size` must be `None` or a positive int"),
        ({"limits": 3}, "`limits` must be"),
        ({"tokenize": "bpe"}, "`tokenize` must be callable, or `None`. Received: tokenize='bpe'"),
    ],
)
def test_invalid_arguments_raise_errors(options, message):
    given = {"model": None, "start_token": START, "end_token": END, "max_length": L, **options}
    if given["model"] is None:
        given["model"] = type("Model", (), dict.fromkeys(("encode", "start", "step"), len))()
    with pytest.raises(ValueError, match=message):
        serving.translation(**given)
