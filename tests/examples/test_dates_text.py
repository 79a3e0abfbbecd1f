import dates_text
import numpy as np
import pytest
import tensorflow as tf
from dates_text import END, PAD, UNKNOWN, DateText


@pytest.fixture(scope="module")
def text():
    return DateText.of(["3. Juni 2019", "Şubat 4", "2019-06-03", "3 июня"], max_length=12)


def normalise(texts):
    return [t.decode() for t in dates_text.normalise(tf.constant(texts)).numpy()]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("  3.\u00a0JUNI\u202f2019\t ", "3. juni 2019"),
        ("ПОНЕДЕЛЬНИК", "понедельник"),
        ("fe\u0301vrier", "fevrier"),
        ("février", "février"),
        ("3\u200f/\u200f6", "3/6"),
        ("HAZİRAN", "haziran"),
        ("a\x00b", "a b"),
        (b"3 \xff\xfe juni", "3 \ufffd\ufffd juni"),
        ("", ""),
    ],
)
def test_normalise(written, read):
    assert normalise([written]) == [read]


def test_every_character_is_one_token_and_padding_follows(text):
    ids, lengths = text.encode(tf.constant(["3. Juni", "Şub", ""]))
    assert lengths.numpy().tolist() == [7, 3, 0]
    assert ids.shape == (3, 7)
    np.testing.assert_array_equal(ids[1, 3:], PAD)
    np.testing.assert_array_equal(ids[2], PAD)
    assert (ids[0].numpy() > UNKNOWN).all()


def test_characters_without_an_id_are_unknown(text):
    ids, _ = text.encode(tf.constant(["3☃", b"3\xff"]))
    np.testing.assert_array_equal(ids[:, 1], UNKNOWN)


def test_long_texts_are_truncated_and_their_length_is_returned(text):
    ids, lengths = text.encode(tf.constant(["3" * 20]))
    assert ids.shape == (1, 12)
    assert lengths.numpy().tolist() == [20]


def test_decode_inverts_encode_up_to_the_end_token(text):
    ids, _ = text.encode(tf.constant(["2019-06-03", "3. juni"]))
    ids = tf.pad(ids, [[0, 0], [0, 1]], constant_values=END)
    ids = tf.concat([ids, ids], axis=1)  # ids after the end are ignored
    assert text.decode(ids).numpy().tolist() == [b"2019-06-03", b"3. juni"]


def test_empty_batches(text):
    ids, lengths = text.encode(tf.zeros([0], "string"))
    assert ids.shape[0] == lengths.shape[0] == 0
