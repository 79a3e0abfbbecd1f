"""Readers of ids and strings; their signatures are in the tests of those."""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.serving.tokens import ids_reader, require_callables, written


def test_ids_beyond_the_length_are_padding():
    read, specs = ids_reader("prompt", 9, None)
    assert list(specs) == ["prompt", "prompt_lengths"]
    ids, lengths = read({"prompt": tf.constant([[5, 99, 99], [4, 3, 2]]), "prompt_lengths": tf.constant([1, 7])})
    np.testing.assert_array_equal(ids, [[5, 0, 0], [4, 3, 2]])
    np.testing.assert_array_equal(lengths, [1, 3])


@pytest.mark.parametrize("ragged", [False, True])
def test_strings_by_a_tokenizer(ragged):
    rows = tf.ragged.constant([[5, 6], [], [7]])
    read, specs = ids_reader("source", 9, lambda text: rows if ragged else rows.to_tensor())
    assert list(specs) == ["text"]
    ids, lengths = read({"text": tf.constant(["a", "b", "c"])})
    np.testing.assert_array_equal(ids, [[5, 6], [0, 0], [7, 0]])
    np.testing.assert_array_equal(lengths, [2, 0, 1])


def test_what_follows_the_end_is_not_text():
    tokens = tf.constant([[[5, 2, 0], [2, 0, 0]]])
    assert written(tokens, 2, None)["tokens"] is tokens
    text = written(tokens, 2, lambda ids: tf.strings.reduce_join(tf.as_string(ids), 1))["text"]
    assert text.numpy().tolist() == [[b"500", b"000"]]
    with pytest.raises(ValueError, match="`b` must be callable, or `None`. Received: b=3"):
        require_callables(a=None, b=3)
