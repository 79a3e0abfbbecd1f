import math

import keras
import numpy as np
import pytest

from keras_attention import metrics
from tests.metrics.samples import probabilities
from tests.reference import samples as reference

RNG = np.random.default_rng(0)
REAL = probabilities(RNG, 40, 6)
GENERATED = 0.5 * REAL + 0.5 * probabilities(RNG, 40, 6)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("confidence", [0.0, 0.5])
def test_agreement_matches_the_equation(k, confidence):
    metric = metrics.ClassAgreement(k, confidence)
    for part in np.split(np.arange(40), [3, 3, 29]):
        metric.update_state(REAL[part], GENERATED[part].astype("float32"))
    expected = reference.agreement(REAL, GENERATED, k, confidence)
    np.testing.assert_allclose(metric.result(), expected, rtol=1e-12)
    if k == 1:
        assert 0.3 < expected < 1


def test_ties_rank_the_first_class_higher():
    same = np.full((6, 6), 1 / 6)
    np.testing.assert_allclose(metrics.ClassAgreement(1)(np.eye(6), same), 1 / 6)
    np.testing.assert_allclose(metrics.ClassAgreement(3)(np.eye(6), same), 1 / 2)


def test_confidence_is_an_exclusive_threshold():
    real = np.array([[0.5, 0.5], [0.2, 0.8]])
    np.testing.assert_allclose(metrics.ClassAgreement(1, 0.5)(real, real[::-1]), 0)
    with pytest.raises(ValueError, match="ClassAgreement needs at least one real image with a probability above 0.5"):
        metrics.ClassAgreement(1, 0.5)(real[:1], real[:1])


def test_divergence_matches_the_equation():
    each = [reference.divergence(q, p) for p, q in zip(REAL, GENERATED)]
    metric = metrics.ClassDivergence()
    for part in np.split(np.arange(40), [1, 30]):
        metric.update_state(REAL[part], GENERATED[part])
    np.testing.assert_allclose(metric.result(), math.exp(np.mean(each)), rtol=1e-12)
    np.testing.assert_allclose(metric.std(), np.std(each), rtol=1e-12)
    other_way = np.mean([reference.divergence(p, q) for p, q in zip(REAL, GENERATED)])
    assert abs(other_way - np.mean(each)) > 0.01


def test_divergence_of_equal_probabilities_is_one():
    metric = metrics.ClassDivergence()
    for probs in (REAL, np.eye(6)):
        np.testing.assert_allclose(metric(probs, probs), 1, rtol=1e-12)
    assert metric.std() < 1e-9


def test_divergence_is_finite_at_probability_zero():
    found = metrics.ClassDivergence()(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(found, math.exp(0.5 * math.log(0.5) + 0.5 * math.log(0.5e9)), rtol=1e-6)


@pytest.mark.parametrize("metric", [metrics.ClassAgreement, metrics.ClassDivergence])
def test_invalid_inputs_raise_errors(metric):
    with pytest.raises(ValueError, match="`y_true` must give probabilities"):
        metric()(np.log(REAL), REAL)
    with pytest.raises(ValueError, match="`y_pred` must give probabilities"):
        metric()(REAL, 2 * REAL)
    with pytest.raises(ValueError, match="of the same images.*40, 6.*39, 6"):
        metric()(REAL, REAL[1:])
    found = metric()
    found.update_state(REAL, REAL)
    found.reset_state()
    with pytest.raises(ValueError, match=f"{metric.__name__} needs at least one sample"):
        found.result()


def test_k_and_confidence_are_validated():
    with pytest.raises(ValueError, match="`k` must be at most the number of classes, 6"):
        metrics.ClassAgreement(7)(REAL, REAL)
    for wrong in ({"k": 0}, {"k": True}, {"confidence": 1}, {"confidence": -0.1}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
            metrics.ClassAgreement(**wrong)


def test_config_round_trip():
    for metric in (metrics.ClassAgreement(5, 0.5, name="top"), metrics.ClassDivergence(name="kl")):
        twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
        assert twin.get_config() == metric.get_config()
        assert type(twin) is type(metric)
