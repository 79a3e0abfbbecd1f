import sys

import keras
import numpy as np
import pytest
import safetensors.numpy
import sentence_search
import sentence_vectors
from fetching import UnavailableError
from sentence_vectors import Encoder, batches

from keras_attention import migrate, visualize
from tests.examples.tiny_encoder import PIECES, tiny_encoder, tokenizer
from tests.goldens import cases

TEXTS = ["The lamps, the light.", "No", "lamp is on, the light is no lamp", "Shined.", "the the the"]


@pytest.fixture(scope="module")
def encoder():
    return tiny_encoder()


def test_vectors_are_the_normed_means_of_the_states(encoder, monkeypatch, capfd):
    monkeypatch.setattr(sentence_vectors, "BATCH_TOKENS", 20)  # two batches, with padding
    found = encoder(TEXTS, progress=True)
    assert found.shape == (5, 12) and "5/5" in capfd.readouterr().err
    for vector, text in zip(found, TEXTS):
        ids = [PIECES.index(token) for token in encoder.tokenize(text).tokens]
        states = keras.ops.convert_to_numpy(encoder.model({"tokens": np.array([ids])})["states"])[0]
        mean = sum(states) / len(ids)
        np.testing.assert_allclose(vector, mean / np.sqrt(mean @ mean), atol=1e-5)
    assert encoder([]).shape == (0, 12)


def test_a_text_longer_than_the_positions_is_an_error(encoder):
    assert encoder.limit == 14
    long = " ".join(["lamps"] * 6)
    assert encoder.count(long) == len(encoder.tokenize(long)) == 14
    with pytest.raises(ValueError, match="at most 14 tokens.* Received: 15 tokens, 'lamps.*on'"):
        encoder(["lamp", long + " on"])
    for empty in ("", "  \n"):
        with pytest.raises(ValueError, match="at least one word.* Received: 2 tokens"):
            encoder([empty])


def test_attended_is_the_mean_over_heads_and_positions(encoder):
    text = TEXTS[2]
    tokens = np.array([encoder.tokenize(text).ids])
    scores = list(visualize.attention_scores(encoder.model, {"tokens": tokens}).values())[-1][0]
    N, T, _ = scores.shape
    expected = [sum(scores[n, i, j] for n in range(N) for i in range(T)) / (N * T) for j in range(T)]
    np.testing.assert_allclose(encoder.attended(text), expected, atol=1e-6)


def test_contributions_sum_to_the_score(encoder):
    question, *vectors = encoder(TEXTS)
    for text, vector in zip(TEXTS[1:], vectors):
        found = encoder.contributions(text, question)
        assert found.shape == (encoder.count(text),)
        np.testing.assert_allclose(found.sum(), vector @ question, atol=1e-6)
    # Linear in the state of each token.
    states = keras.ops.convert_to_numpy(encoder.model({"tokens": np.array([encoder.tokenize(text).ids])})["states"])[0]
    np.testing.assert_allclose(found / found[1], states @ question / (states[1] @ question), rtol=1e-3)


def test_words_are_those_between_spaces(encoder):
    text = "The  lamps,shined\nÉ on"
    words, matrix = encoder.words(text)
    assert words == ["The", "lamps,shined", "É", "on"]
    assert encoder.tokenize(text).tokens[1:-1] == [
        "the",
        "lamp",
        "##s",
        ",",
        "shine",
        "##d",
        "e",
        "on",
    ]
    expected = np.zeros((4, 10))
    for word, tokens in enumerate(([1], [2, 3, 4, 5, 6], [7], [8])):
        expected[word, tokens] = 1
    np.testing.assert_array_equal(matrix, expected)


def test_batches_hold_similar_lengths_and_every_text_once(monkeypatch):
    monkeypatch.setattr(sentence_vectors, "BATCH_TOKENS", 20)
    lengths = [3, 9, 30, 4, 10, 5, 4]
    found = list(batches(lengths))
    assert found == [[2], [4, 1], [5, 3, 6, 0]]
    assert list(batches([])) == []


def test_from_the_package_to_vectors(downloaded_once, tmp_path, monkeypatch):
    monkeypatch.setattr(sentence_vectors, "HEADS", 6)
    weights = safetensors.numpy.save(cases("bert")["bert"]["weights"])
    files = {"model.safetensors": weights, "tokenizer.json": tokenizer().to_str()}
    downloaded_once(sentence_vectors, {f"{sentence_vectors.FOLDER}/{name}": data for name, data in files.items()})
    for _ in range(2):
        encoder = sentence_vectors.load(tmp_path)
        found = encoder(["The lamps, no", "on"])
        assert encoder.limit == 9
    assert encoder.tokenize("The lamps, no").tokens == ["[CLS]", "the", "lamp", "##s", ",", "no", "[SEP]"]
    expected = Encoder(migrate.bert(cases("bert")["bert"]["weights"], 6, segments=False), tokenizer())
    np.testing.assert_allclose(found, expected(["the LAMPS,no", "on"]), atol=1e-6)


@pytest.mark.parametrize("missing", ["tokenizers", "safetensors.numpy"])
def test_a_missing_library_is_an_error_that_names_the_extra(missing, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    assert sentence_search.main(["--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert missing in error and error.rstrip().endswith("[examples]'") and error.count("\n") == 1


@pytest.mark.slow
def test_the_published_model_gives_the_vectors_of_transformers():
    try:
        encoder = sentence_vectors.load()
    except UnavailableError as error:
        pytest.skip(str(error))
    found = cases("minilm")["minilm"]
    texts = [encoder.tokenizer.decode(list(row)) for row in found["tokens"]]
    np.testing.assert_allclose(encoder(texts), found["sentences"], atol=1e-6)
    near = encoder(["How old are you?", "What is your age?", "The cat sleeps on the sofa."])
    assert near[0] @ near[1] > 0.7 > 0.3 > near[0] @ near[2]
