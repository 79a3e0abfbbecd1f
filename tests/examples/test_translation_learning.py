import keras
import numpy as np
import pytest
import translation_learning as learning
from translation_data import Pair
from translation_text import END, PAD, START, Subwords

from keras_attention import models
from tests.variants import variants

SEED = 5


def numbers(count=45, vocabulary=17):
    """Random token ids, and their reverse as translations."""
    rng = np.random.default_rng(SEED)
    source = [[*map(int, rng.integers(4, vocabulary, rng.integers(2, 8))), END] for _ in range(count)]
    return source, [[*row[-2::-1], END] for row in source]


def build(attention=True):
    keras.utils.set_random_seed(SEED)
    sizes = {"embedding_dim": 5, "units": 7, "attention_units": 6, "maxout_units": 4}
    return models.rnn_search(17, 17, **sizes, attention=attention, kernel_initializer="glorot_uniform")


def stand_in():
    """In place of `rnn_search`, whose steps are slow: it depends on the last target token alone."""
    keras.utils.set_random_seed(SEED)
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("source", "target")}
    return keras.Model(inputs, keras.layers.Dense(17)(keras.layers.Embedding(17, 5)(inputs["target"])))


def taken(source, target, count, **kwargs):
    return list(learning.batches(source, target, 4, SEED, **kwargs).take(count).as_numpy_iterator())


def test_pairs_of_too_many_subwords_are_left_out(monkeypatch):
    class Letters:
        def encode(self, texts):
            return [[*map(ord, text), END] for text in texts]

    monkeypatch.setattr(learning, "LONGEST_LEARNED", 5)
    pairs = [Pair("g", "abcd", "efg"), Pair("g", "hi", "jklmn"), Pair("g", "opqrs", "tu"), Pair("g", "v", "wxyz")]
    source, target = learning.numbers(pairs, Letters(), Letters())
    assert source == Letters().encode(["abcd", "v"])
    assert target == Letters().encode(["efg", "wxyz"])
    assert learning.numbers(pairs[1:3], Letters(), Letters()) == ([], [])


def test_an_epoch_has_each_pair_once_and_the_next_has_another_order():
    source, target = numbers()
    epochs = taken(source, target, 22)
    rows = [[row[row != PAD].tolist() for _, y in part for row in y] for part in (epochs[:11], epochs[11:])]
    possible = sorted(target)
    for found in rows:
        assert len(found) == 44  # one of 45 is dropped
        assert all(row in possible for row in found)
    assert len({map(tuple, found) for found in rows}) == 2
    for inputs, y in epochs:
        np.testing.assert_array_equal(inputs["target"][:, 0], START)
        np.testing.assert_array_equal(inputs["target"][:, 1:], np.where(y[:, 1:] == PAD, PAD, y[:, :-1]))
        for x, row in zip(inputs["source"], y):
            assert x[x > END].tolist() == row[row > END].tolist()[::-1]


@pytest.mark.parametrize("first", [1, 7, 11, 25])
def test_a_batch_does_not_depend_on_where_the_run_starts(first):
    source, target = numbers()
    for one, other in zip(taken(source, target, first + 3)[first:], taken(source, target, 3, first=first)):
        np.testing.assert_array_equal(one[0]["source"], other[0]["source"])
        np.testing.assert_array_equal(one[0]["target"], other[0]["target"])
        np.testing.assert_array_equal(one[1], other[1])


class InterruptionError(Exception):
    pass


class InterruptAfter(keras.callbacks.Callback):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.batches:
            raise InterruptionError


def learn(model, folder, steps=17, **kwargs):
    source, target = numbers()
    return learning.learn(model, source, target, steps, 4, SEED, folder, rate=0.03, every=5, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize("attention", [True, False])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(attention, tmp_path):
    whole = build(attention)
    assert learn(whole, tmp_path / "whole") == 0
    with pytest.raises(InterruptionError):
        learn(build(attention), tmp_path / "parts", callbacks=[InterruptAfter(13)])
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["step-00000010.weights.h5"]
    resumed = build(attention)
    assert learn(resumed, tmp_path / "parts") == 10
    for one, other, first in zip(whole.get_weights(), resumed.get_weights(), build(attention).get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert np.abs(one - first).max() > 1e-3
    for one, other in zip(whole.optimizer.variables, resumed.optimizer.variables):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("eager")
def test_a_finished_run_is_not_trained_again(tmp_path):
    model = stand_in()
    learn(model, tmp_path, steps=1)
    again = stand_in()
    assert learn(again, tmp_path, steps=1) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.weights.h5"]
    for one, other in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("beam", variants([1, 3], 1))
def test_a_translation_does_not_depend_on_the_others(beam, monkeypatch):
    monkeypatch.setattr(learning, "LONGEST_ANSWER", 5)
    english = Subwords.of(["a lamp", "the lamp is on"] * 2, 17)
    # Each kind of network is traced once.
    translate = learning.translator(build(attention=beam == 1), english, english, beam)
    sentences = ["lamp", "the lamp is on", "a", "on the lamp"]
    together = translate(sentences, batch_size=3)
    assert together == [translate([sentence])[0] for sentence in sentences]
    assert len(set(map(type, together))) == 1
