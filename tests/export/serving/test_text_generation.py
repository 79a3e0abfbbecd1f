"""Signature of decoder-only models: prompts of several lengths as if alone, in graphs of unknown sizes.

The docstring exports it.
"""

import numpy as np
import pytest
import tensorflow as tf

from keras_attention import decoding, models
from keras_attention.export import serving
from keras_attention.export.signatures import concrete, extra_signature
from tests.export.models import as_a_batcher, noisy, tokens

END, L, V = 2, 5, 11
SIZES = {"num_layers": 1, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20}
NETWORKS = {
    "gpt": lambda: models.gpt(V, max_length=12, **SIZES),
    "llama": lambda: models.llama(V, **{**SIZES, "num_heads": 6}, attention={"num_key_value_heads": 2}),
}
ROWS = tokens(3, 5, 1, vocabulary=V, seed=2)
LENGTHS = [3, 5, 1, 0]


def request(**more):
    merged = as_a_batcher(*ROWS, ROWS[0])
    for row, length in zip(merged, LENGTHS, strict=True):
        row[length:] = 99  # outside of the vocabulary, but beyond the length
    return {"prompt": tf.constant(merged), "prompt_lengths": tf.constant(LENGTHS), **more}


def traced(signatures):
    return concrete(*extra_signature("generate", signatures["generate"]))


def alone(model, decode):
    """Each row of the request, continued alone; an empty prompt is token 0."""
    for row in (*ROWS, np.zeros((1, 1), "int32")):
        mask = row != 0
        yield np.asarray(decode(model.step, model.start(row, L, mask), row[:, -1], L, END))[0].tolist()


@pytest.mark.parametrize("name", NETWORKS)
def test_prompts_are_continued_as_if_alone(name):
    model = noisy(NETWORKS[name](), seed=4)
    generate = traced(serving.text_generation(model, END, L, limits=True))
    found = generate(**request(max_length=tf.constant([L, L, 2, L])))["tokens"].numpy().tolist()
    expected = list(alone(model, decoding.greedy))
    expected[2] = expected[2][:2] + [0] * (L - 2)
    assert found == expected and len({tuple(row) for row in found}) > 2
    with pytest.raises(tf.errors.InvalidArgumentError, match="`prompt` must be from 0 to 10"):
        generate(prompt=tf.constant([[V]]), prompt_lengths=tf.constant([1]), max_length=tf.constant([L]))
    empty = {"prompt": tf.zeros((2, 0), "int32"), "prompt_lengths": tf.constant([0, 0])}
    assert generate(**empty, max_length=tf.constant([L, L]))["tokens"].numpy().tolist() == [expected[-1]] * 2
    if name == "gpt":
        long = {"prompt": tf.ones((1, 9), "int32"), "prompt_lengths": tf.constant([3])}
        with pytest.raises(tf.errors.InvalidArgumentError, match="`prompt` must have at most 8 tokens"):
            generate(**long, max_length=tf.constant([L]))


def test_a_row_is_sampled_by_its_seed_alone():
    model = noisy(NETWORKS["gpt"](), seed=4)
    generate = traced(serving.text_generation(model, END, L, sampling={"temperature": 3.0, "top_k": 7}))
    seeds = [3, 3, 8, 9]
    found = generate(**request(seed=tf.constant(seeds)))["tokens"].numpy()
    for i, row in enumerate((*ROWS, np.zeros((1, 1), "int32"))):
        cache = model.start(row, L, row != 0)
        seed = tf.constant(seeds[i : i + 1])
        expected = decoding.sample(model.step, cache, row[:, -1], L, END, 3.0, 7, seed=seed)
        np.testing.assert_array_equal(found[i], expected[0])
    other = generate(**request(seed=tf.constant([4, 3, 8, 9])))["tokens"].numpy()
    assert (other[0] != found[0]).any() and (other[1:] == found[1:]).all()


def test_strings_to_strings_by_beam_search():
    model, letters = noisy(NETWORKS["gpt"](), seed=4), np.array(["", "<", ">", *"abcdefgh"])
    to_id = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(list(letters[3:]), list(range(3, V)), value_dtype=tf.int64), 1
    )

    def tokenize(text):
        return tf.ragged.map_flat_values(to_id.lookup, tf.strings.unicode_split(text, "UTF-8"))

    def detokenize(ids):
        return tf.strings.reduce_join(tf.gather(tf.constant(letters), ids), axis=-1)

    options = {"beam_size": 3, "tokenize": tokenize, "detokenize": detokenize}
    generate = traced(serving.text_generation(model, END, L, **options))
    texts = ["cab", "hgfed", ""]
    answer = generate(text=tf.constant(texts))
    for i, text in enumerate(texts):
        ids = np.array([[letters.tolist().index(letter) for letter in text] or [0]])
        beams, scores = decoding.beam_search(model.step, model.start(ids, L, ids != 0), ids[:, -1], L, END, 3)
        expected = ["".join(letters[beam]).partition(">")[0] for beam in beams[0].numpy()]
        assert [beam.decode() for beam in answer["text"][i].numpy()] == expected
        np.testing.assert_allclose(answer["scores"][i], scores[0], rtol=1e-4)


def test_wrong_arguments():
    model = NETWORKS["llama"]()
    for change, message in (
        ({"model": 3}, r"must have the methods start, step. Received: int without \['start', 'step'\]"),
        ({"end_token": -1}, "`end_token`"),
        ({"max_length": 0}, "`max_length`"),
        ({"sampling": {}, "beam_size": 2}, "`sampling` must be a dict.*without `beam_size`"),
        ({"sampling": 0.5}, "`sampling` must be a dict"),
        ({"limits": 1}, "`limits`"),
        ({"tokenize": "abc"}, "`tokenize` must be callable"),
    ):
        with pytest.raises(ValueError, match=message):
            serving.text_generation(**{"model": model, "end_token": END, "max_length": L, **change})
