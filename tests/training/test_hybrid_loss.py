"""The hybrid loss: its equation, its gradients, and REINFORCE against the exact gradient of the expected reward."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.training import HybridLoss
from tests.backend import numpy, value_and_gradients

RNG = np.random.default_rng(0)
B, T, CLASSES = 5, 3, 4
LABELS = np.array([0, 1, 2, 3, 1])


def outputs(seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((B, CLASSES)).astype("float32")
    logits[:3, :] += 9 * np.eye(CLASSES)[LABELS[:3]].astype("float32")  # three are correct
    logits[3:, 0] += 9
    log_probs, baselines = (rng.standard_normal((B, T)).astype("float32") for _ in range(2))
    return {"logits": logits, "log_probs": log_probs, "baselines": baselines, "locations": np.zeros((B, T + 1, 2))}


def expected(y, reinforce_weight=1.0, baseline_weight=1.0):
    losses = []
    for i, label in enumerate(LABELS):
        logits = y["logits"][i].astype("float64")
        reward = float(np.argmax(logits) == label)
        loss = np.log(np.exp(logits).sum()) - logits[label]
        for t in range(T):
            error = reward - y["baselines"][i, t]
            loss += -reinforce_weight * y["log_probs"][i, t] * error + baseline_weight * error**2 / T
        losses.append(loss)
    return np.array(losses)


@pytest.mark.parametrize("weights", [{}, {"reinforce_weight": 0.3, "baseline_weight": 2.0}], ids=str)
def test_is_the_equation(weights):
    y = outputs()
    assert (np.argmax(y["logits"], -1) == LABELS).sum() == 3
    losses = expected(y, **weights)
    np.testing.assert_allclose(numpy(HybridLoss(**weights, reduction="none")(LABELS, y)), losses, rtol=1e-5)
    np.testing.assert_allclose(float(HybridLoss(**weights)(LABELS[:, None], y)), losses.mean(), rtol=1e-5)
    sample_weight = np.array([1, 0, 2, 0, 0.5], "float32")
    weighted = float(HybridLoss(**weights)(LABELS, y, sample_weight=sample_weight))
    np.testing.assert_allclose(weighted, (losses * sample_weight).mean(), rtol=1e-5)


def gradients(loss, y):
    names = ("logits", "log_probs", "baselines")
    _, found = value_and_gradients(
        lambda *x: loss(LABELS, dict(zip(names, x))), [y[n] for n in names], np.ones(B, "float32")
    )
    return dict(zip(names, found))


def test_gradients_of_each_term():
    y = outputs()
    reward = (np.argmax(y["logits"], -1) == LABELS).astype("float32")[:, None]
    found = gradients(HybridLoss(reduction="none"), y)
    np.testing.assert_allclose(found["log_probs"], y["baselines"] - reward, atol=1e-5)
    np.testing.assert_allclose(found["baselines"], 2 / T * (y["baselines"] - reward), atol=1e-5)
    entropy = gradients(HybridLoss(0.0, 0.0, reduction="none"), y)
    assert not entropy["log_probs"].any() and not entropy["baselines"].any()
    np.testing.assert_allclose(found["logits"], entropy["logits"], atol=1e-6)
    no_baseline = gradients(HybridLoss(1.0, 0.0, reduction="none"), y)
    assert not no_baseline["baselines"].any(), "REINFORCE does not train the baseline"


# Of the first step a number; of the second one that may depend on the choice of the first.
BASELINES = {"none": (0.0, [0.0] * 3), "numbers": (0.4, [1.0] * 3), "learned": (0.3, [0.9, -0.5, 0.2])}


@pytest.mark.parametrize("baseline", BASELINES)
def test_reinforce_is_unbiased_over_all_outcomes_of_two_steps_of_three_choices(baseline):
    """The expected gradient is the gradient of the expected reward, whatever the baseline.

    Only the last step has a reward, so that it is the return of each step.
    """
    first, second = BASELINES[baseline]
    baselines = np.array([(first, second[a]) for a, _ in itertools.product(range(3), repeat=2)], "float32")
    theta = RNG.standard_normal((2, 3)).astype("float32")
    pays = RNG.random((3, 3)) < 0.5
    paths = list(itertools.product(range(3), repeat=2))

    def probabilities(theta):
        each = np.exp(theta) / np.exp(theta).sum(-1, keepdims=True)
        return np.array([each[0, a] * each[1, b] for a, b in paths])

    def reward(theta):
        return sum(p * pays[path] for p, path in zip(probabilities(theta), paths))

    logits = np.array([[0.0, 9.0] if pays[path] else [9.0, 0.0] for path in paths], "float32")
    chosen = np.eye(3, dtype="float32")[np.array(paths)]  # [9, 2, 3]

    def losses(theta):
        log_probs = ops.sum(ops.log_softmax(theta, axis=-1) * ops.convert_to_tensor(chosen), axis=-1)
        y = {"logits": logits, "log_probs": log_probs, "baselines": baselines}
        return HybridLoss(1.0, 0.0, reduction="none")(np.ones(9, "int32"), y)

    _, [gradient] = value_and_gradients(losses, [theta], probabilities(theta).astype("float32"))
    for at in np.ndindex(2, 3):
        step = np.zeros((2, 3))
        step[at] = 1e-4
        difference = (reward(theta + step) - reward(theta - step)) / 2e-4
        np.testing.assert_allclose(-gradient[at], difference, atol=1e-4)


def test_a_single_glimpse_leaves_only_the_cross_entropy():
    y = {name: x[:, :0] if name in ("log_probs", "baselines") else x for name, x in outputs().items()}
    entropy = numpy(keras.losses.sparse_categorical_crossentropy(LABELS, y["logits"], from_logits=True))
    np.testing.assert_allclose(numpy(HybridLoss(reduction="none")(LABELS, y)), entropy, rtol=1e-5)


def test_config_round_trip():
    loss = HybridLoss(0.3, 2.0, name="other")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert twin.get_config() == loss.get_config() and twin.reinforce_weight == 0.3


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (LABELS, np.zeros((B, CLASSES)), "`y_pred` must be a dict.*Received"),
        (LABELS, {"logits": np.zeros((B, CLASSES))}, r"`y_pred` must be a dict.*\['logits'\]"),
        (np.eye(CLASSES)[LABELS], outputs(), r"`y_true` must be one class.*shape=\(5, 4\)"),
        (LABELS[1:], outputs(), r"`y_true` must be one class for each image, \[5\].*shape=\(4,\)"),
    ],
)
def test_bad_outputs_and_labels_are_refused_by_name(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        HybridLoss()(y_true, y_pred)
