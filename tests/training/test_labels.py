"""Labels out of range in every loss and metric: an error where the values are known, else NaN in the loss."""

import numpy as np
import pytest

from keras_attention import metrics, training
from tests.backend import BACKEND, needs_values, numpy
from tests.ops.test_labels import compiled

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((2, 3, 5)).astype("float32")
TOKENS = np.array([[1, 4, 0], [2, 3, 1]])


def wrong(value=5):
    return np.array([[1, value, 0], [2, 3, 1]])


@needs_values
def test_the_smoothed_loss():
    loss = training.LabelSmoothedCrossEntropy(reduction="none")
    expected = numpy(loss(TOKENS, LOGITS))
    for bad in (wrong(5), wrong(-1)):
        with pytest.raises(ValueError, match="`y_true` must be whole numbers from 0 to 4. Received: values from"):
            loss(bad, LOGITS)
        found = compiled(loss, bad, LOGITS)
        assert np.isnan(found[0, 1]) and np.isnan(found).sum() == 1
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-5)
        # Ignored positions may hold any value: padding, and those of weight 0.
        unweighted = np.array([[1.0, 0, 1], [1, 1, 1]], "float32")
        np.testing.assert_allclose(numpy(loss(bad, LOGITS, unweighted)), expected * unweighted, rtol=1e-5)
        padding = training.LabelSmoothedCrossEntropy(padding_id=int(bad[0, 1]), reduction="none")
        assert np.isfinite(numpy(padding(bad, LOGITS))).all()


@needs_values
@pytest.mark.parametrize("metric", [training.TokenAccuracy, training.SequenceAccuracy])
def test_accuracy(metric):
    perfect = np.eye(5)[TOKENS]
    for bad in (wrong(5), wrong(-1), TOKENS + 0.5):
        with pytest.raises(ValueError, match="`y_true` must be whole numbers from 0 to 4"):
            metric()(bad, perfect)
    assert float(metric()(TOKENS, perfect)) == 1
    weights = np.array([[1.0, 0, 1], [1, 1, 1]]) if metric is training.TokenAccuracy else np.array([0.0, 1])
    assert float(metric()(wrong(), perfect, weights)) == 1
    with pytest.raises(ValueError, match=r"`y_true` must be integers \[B, T\].*y_true.shape=\(2, 1\)"):
        metric()(TOKENS[:, :1], perfect)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="states of metrics are arguments elsewhere")
def test_a_label_out_of_range_is_an_error_in_accuracy_in_a_compiled_step():
    metric = training.TokenAccuracy()
    metric.update_state(TOKENS[:1], np.eye(5)[TOKENS[:1]])  # creates the variables outside of the step
    assert float(metric.result()) == 1

    def step(y_true, y_pred):
        metric.update_state(y_true, y_pred)
        return metric.result()

    found = compiled(step, np.array([[9, 3, 1]]), np.eye(5)[TOKENS[1:]])
    assert abs(found - 4 / 5) < 1e-6  # two tokens of the first sequence, two of three of the other


@needs_values
@pytest.mark.parametrize("name", ["loss", "metric"])
def test_pixels(name):
    images = RNG.integers(0, 256, (2, 2, 3, 1))
    outputs = RNG.standard_normal((2, 2, 3, 1, 256)).astype("float32")
    bad = images.copy()
    bad[0, 1, 2] = 256
    one = training.PixelNegativeLogLikelihood if name == "loss" else metrics.BitsPerDim
    with pytest.raises(ValueError, match="`values` must be whole numbers from 0 to 255. Received: values from"):
        one()(bad, outputs)
    weights = np.ones((2, 2, 3), "float32")
    weights[0, 1, 2] = 0
    assert float(one()(bad, outputs, weights)) == float(one()(images, outputs, weights))
    assert float(one()(bad, outputs, np.array([0.0, 1.0]))) == float(one()(images, outputs, np.array([0.0, 1.0])))
    if name == "loss":
        assert np.isnan(compiled(one(), bad, outputs))


@needs_values
def test_classes():
    logits = LOGITS[:, 0]
    outputs = {"logits": logits, "log_probs": logits[:, :2], "baselines": logits[:, 2:4]}
    hybrid = training.HybridLoss()
    for bad in ([5, 0], [-1, 0], [0.5, 0]):
        bad = np.array(bad)
        with pytest.raises(ValueError, match="`labels` must be whole numbers from 0 to 4"):
            training.auxiliary_classifier_loss(bad, logits)
        with pytest.raises(ValueError, match="`y_true` must be whole numbers from 0 to 4"):
            hybrid(bad, outputs)
    for bad in (np.array([5, 0]), np.array([-1, 0])):
        assert np.isnan(compiled(training.auxiliary_classifier_loss, bad, logits))
        assert np.isnan(compiled(lambda y, *x: hybrid(y, dict(zip(outputs, x))), bad, *outputs.values()))
    expected = -np.log(np.exp(logits[[0, 1], [4, 0]]) / np.exp(logits).sum(-1)).mean()
    assert abs(float(training.auxiliary_classifier_loss(np.array([4, 0]), logits)) - expected) < 1e-5


NAN = float("nan")


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (training.HybridLoss, {"reinforce_weight": -1.0, "baseline_weight": NAN}),
        (training.LabelSmoothedCrossEntropy, {"smoothing": NAN, "padding_id": True}),
        (lambda **k: training.TransformerSchedule(**{"model_dim": 8, **k}), {"model_dim": NAN, "factor": float("inf")}),
        (lambda **k: training.TransformerSchedule(**{"model_dim": 8, **k}), {"model_dim": True, "warmup_steps": 1.5}),
        (lambda **k: training.TransformerSchedule(**{"model_dim": 8, **k}), {"warmup_steps": "4000", "variant": "x"}),
        (lambda **k: training.LinearDecay(**{"learning_rate": 1.0, "constant_steps": 1, "decay_steps": 1, **k}),
         {"learning_rate": float("inf"), "decay_steps": 2.0, "constant_steps": True}),
        (lambda **k: training.NoiseToImage(**{"noise_dim": 3, "num_classes": 2, **k}),
         {"classifier_weight": True, "noise_dim": 0, "num_classes": 1.5}),
        (lambda **k: training.uncertainty_guided_loss(LOGITS, LOGITS, **k), {"variant": "papre", "floor": NAN}),
        (training.StopOnNotFinite, {"every": True}),
        (training.TokenAccuracy, {"padding_id": True}),
        (lambda **k: metrics.InceptionScore(None, **k), {"seed": 0.5, "splits": True, "top_k": 0}),
        (lambda **k: metrics.KernelDistance(None, **k), {"seed": 0.5, "subset_size": 1, "max_samples": 3}),
        (metrics.ClassAgreement, {"k": 1.0, "confidence": NAN}),
        (lambda **k: metrics.IntraClassFrechetDistance(**k), {"num_classes": True}),
        (metrics.PeakSignalToNoiseRatio, {"value_range": "01", "variant": "x"}),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(make, bad):
    for name, value in bad.items():
        with pytest.raises(ValueError, match=rf"`{name}` must be .*Received: {name}="):
            make(**{name: value})


def test_numpy_integers_are_integers_and_become_plain_ones():
    score = metrics.InceptionScore(None, splits=np.int64(2), seed=np.int32(1))
    objective = training.NoiseToImage(np.int64(3), np.uint8(2))
    schedule, decay = (
        training.TransformerSchedule(np.int64(8), np.int32(9)),
        training.LinearDecay(np.float32(1), np.int64(0), np.int64(2)),
    )
    for found, expected in (
        (metrics.ClassAgreement(np.int64(2)).k, 2),
        (score.splits, 2),
        (score.seed, 1),
        (objective.noise_dim, 3),
        (objective.num_classes, 2),
        (schedule.model_dim, 8),
        (schedule.warmup_steps, 9),
        (decay.constant_steps, 0),
        (decay.decay_steps, 2),
        (training.LabelSmoothedCrossEntropy(padding_id=np.int64(1)).padding_id, 1),
        (training.TokenAccuracy(np.int64(1)).padding_id, 1),
        (training.StopOnNotFinite(every=np.int64(4)).every, 4),
    ):
        assert type(found) is int and found == expected
