import tracemalloc

import keras
import numpy as np
import pytest

from keras_attention import metrics
from tests.metrics.samples import probabilities
from tests.reference import samples as reference

RNG = np.random.default_rng(0)


def score(probs, **kwargs):
    metric = metrics.InceptionScore(extractor=None, **kwargs)
    metric.update_state(probs)
    return metric


def test_matches_the_equation():
    probs = probabilities(RNG, 13, 5)
    np.testing.assert_allclose(score(probs).result(), reference.inception_score(probs), rtol=1e-12)


def test_certain_balanced_predictions_score_the_number_of_classes():
    for K in (2, 7, 1000):
        np.testing.assert_allclose(score(np.tile(np.eye(K, dtype="float32"), (3, 1))).result(), K, rtol=1e-12)


def test_equal_predictions_score_one():
    for row in (np.full(6, 1 / 6), np.eye(6)[2], probabilities(RNG, 1, 6)[0]):
        np.testing.assert_allclose(score(np.tile(row, (10, 1))).result(), 1, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3])
def test_top_k_probabilities(k):
    probs = probabilities(RNG, 11, 6)
    expected = reference.inception_score(reference.only_top(probs, k))
    assert abs(expected - reference.inception_score(probs)) > 0.1
    np.testing.assert_allclose(score(probs, top_k=k).result(), expected, rtol=1e-9)


def test_splits_are_of_equal_size_and_partition_the_samples():
    """Class c appears c + 1 times: the splits' marginals sum to the counts of all samples."""
    probs = np.eye(4)[np.repeat(np.arange(4), [1, 2, 3, 4])]
    metric = score(probs, splits=3)
    assert sorted(metric._counts) == [3, 3, 4]
    np.testing.assert_allclose(metric._marginals.sum(axis=0), [1, 2, 3, 4])
    np.testing.assert_allclose(metric.result(), metric.split_scores().mean())
    np.testing.assert_allclose(metric.std(), metric.split_scores().std())
    assert metric.std() > 0


def test_independent_of_the_order_of_classes():
    """Sorted or alternating with the number of splits: regular splits would contain one class."""
    turns = np.eye(10)[np.arange(2000) % 10]
    for probs in (turns, turns[np.argsort(np.arange(2000) % 10, kind="stable")]):
        metric = score(probs, splits=10)
        assert metric.split_scores().min() > 9, metric.split_scores()


def test_independent_of_the_batches():
    probs, parts = probabilities(RNG, 50, 4), metrics.InceptionScore(extractor=None, splits=4, seed=1)
    for batch in np.split(probs, [1, 20, 20, 33]):
        parts.update_state(batch)
    np.testing.assert_allclose(parts.split_scores(), score(probs, splits=4, seed=1).split_scores(), rtol=1e-12)
    assert not np.allclose(parts.split_scores(), score(probs, splits=4, seed=2).split_scores())
    parts.reset_state()
    parts.update_state(probs)
    np.testing.assert_allclose(parts.split_scores(), score(probs, splits=4, seed=1).split_scores(), rtol=1e-12)


def test_memory_is_constant_for_a_hundred_thousand_samples():
    probs = np.repeat(probabilities(RNG, 10, 5), 1000, axis=0)
    metric = score(probs, splits=10)
    expected = reference.inception_score(probs[::1000])
    tracemalloc.start()
    for _ in range(9):
        metric.update_state(probs)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000 and peak < 10 * probs.nbytes, (kept, peak)
    assert metric._counts.tolist() == [10_000] * 10
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-3)


def test_rounded_probabilities_are_accepted():
    probs = probabilities(RNG, 20, 30)
    np.testing.assert_allclose(score(probs.astype("float16")).result(), score(probs).result(), rtol=1e-3)
    np.testing.assert_allclose(score(0.995 * probs).result(), score(probs).result(), rtol=1e-9)


@pytest.mark.parametrize("wrong", [[[2.0, -1.0]], [[0.4, 0.4]], [[1.0, 1.0]]])
def test_inputs_other_than_probabilities_raise_errors(wrong):
    with pytest.raises(ValueError, match="`images` must give probabilities.*logits"):
        score(np.array([[0.5, 0.5], *wrong]))


def test_fewer_samples_than_splits_raise_errors():
    with pytest.raises(ValueError, match="InceptionScore needs at least 5 samples.*Received: 4"):
        score(probabilities(RNG, 4, 3), splits=5).result()
    with pytest.raises(ValueError, match="at least 1 samples"):
        metrics.InceptionScore(extractor=None).result()


def test_number_of_classes_must_not_change():
    with pytest.raises(ValueError, match="3 features, as before.*4"):
        score(np.eye(3)).update_state(np.eye(4))


def test_config_round_trip():
    metric = metrics.InceptionScore(extractor=None, splits=4, top_k=2, seed=9, name="is")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (twin.splits, twin.top_k, twin.seed, twin.name, twin.extractor) == (4, 2, 9, "is", None)
    for name in ("splits", "top_k"):
        for wrong in (0, 1.5, True):
            with pytest.raises(ValueError, match=f"`{name}`"):
                metrics.InceptionScore(**{name: wrong})
