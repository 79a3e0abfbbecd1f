import numpy as np
import pytest
import translation_text
from runs import OtherRunError
from translation_text import END, PAD, START, UNKNOWN, Subwords

SENTENCES = ["the lamp is not found", "the lamp was found", "no lamp, no light {name}", "lights and lamps in the house"]


@pytest.fixture(scope="module")
def subwords():
    return Subwords.of(SENTENCES, 40)


def test_ids_are_those_of_subwords_and_the_end_token(subwords):
    rows = subwords.encode(SENTENCES)
    assert all(row[-1] == END and min(row) >= END and UNKNOWN not in row for row in rows)
    assert subwords.decode(rows) == SENTENCES
    assert subwords.vocabulary_size == 40
    assert "".join(subwords.pieces(rows[0])) == "▁the▁lamp▁is▁not▁found</s>"


def test_ids_after_the_end_are_ignored(subwords):
    [row] = subwords.encode(["the lamp"])
    assert subwords.decode(np.array([[*row, *row, PAD]])) == ["the lamp"]
    assert subwords.decode([[END]]) == [""]


def test_saved_subwords_are_loaded_and_training_is_deterministic(subwords, tmp_path):
    subwords.save(tmp_path / "source.spm")
    assert Subwords.load(tmp_path / "source.spm").model == subwords.model == Subwords.of(SENTENCES, 40).model
    assert [path.name for path in tmp_path.iterdir()] == ["source.spm"]


def test_there_are_fewer_subwords_if_the_sentences_have_no_more():
    most = Subwords.of(SENTENCES, 3000)
    assert 40 < most.vocabulary_size < 3000
    assert most.vocabulary_size == Subwords.of(SENTENCES, 2**31).vocabulary_size


@pytest.mark.parametrize("size", [1, 20, 23])
def test_there_must_be_a_subword_for_each_character(size):
    assert len(set("".join(SENTENCES))) == 20
    assert Subwords.of(SENTENCES, 24).vocabulary_size == 24
    with pytest.raises(OtherRunError, match=f"--vocabulary must be at least 24, .* Received: {size}$"):
        Subwords.of(SENTENCES, size)


def test_padding_and_the_shift_by_the_start_token():
    rows = [[5, 6, END], [7, END]]
    np.testing.assert_array_equal(translation_text.padded(rows), [[5, 6, END], [7, END, PAD]])
    np.testing.assert_array_equal(translation_text.padded(rows, start=True), [[START, 5, 6], [START, 7, PAD]])


def test_pieces_become_words():
    pieces = ["▁the", "▁lam", "p", "s", ".", "▁", "off", "</s>"]
    assert translation_text.whole_words(pieces) == (["the", "lamps.", "off", "(end)"], [0, 1, 5, 7])


def test_attention_between_words():
    queries, keys = ["▁la", "▁lám", "para", "</s>"], ["▁the", "▁la", "mp", "▁is", "</s>"]
    scores = np.random.default_rng(0).dirichlet(np.ones(5), 4)
    words, rows, columns = translation_text.by_word(scores, queries, keys)
    assert rows == ["la", "lámpara", "(end)"]
    assert columns == ["the", "lamp", "is", "(end)"]
    expected = np.zeros((3, 4))
    for t, i in enumerate([0, 1, 1, 2]):
        for s, j in enumerate([0, 1, 1, 2, 3]):
            expected[i, j] += scores[t, s] / [1, 2, 1][i]
    np.testing.assert_allclose(words, expected, rtol=1e-12)
    np.testing.assert_allclose(words.sum(axis=1), 1.0)
