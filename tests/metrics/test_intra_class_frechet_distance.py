import keras
import numpy as np
import pytest

from keras_attention import metrics

RNG = np.random.default_rng(0)
LABELS = np.tile([0, 1, 2, 2], 12)
REAL = RNG.standard_normal((48, 3)) + 4 * np.eye(3)[LABELS]
GENERATED = 1.2 * RNG.standard_normal((48, 3)) + 4 * np.eye(3)[LABELS]


def distance(K, real, generated, real_labels=LABELS, generated_labels=LABELS):
    metric = metrics.IntraClassFrechetDistance(K, extractor=None)
    metric.update_real(real, real_labels)
    metric.update_generated(generated, generated_labels)
    return metric


def test_is_the_mean_of_the_distances_per_class():
    metric, each = distance(3, REAL, GENERATED), []
    for c in range(3):
        one = metrics.FrechetDistance(extractor=None)
        each.append(one(REAL[c == LABELS], GENERATED[c == LABELS]))
    np.testing.assert_allclose(metric.per_class(), each, rtol=1e-12)
    np.testing.assert_allclose(metric.result(), np.mean(each), rtol=1e-12)


def test_one_class_equals_the_frechet_distance():
    nothing = np.zeros(48, "int64")
    found = distance(1, REAL, GENERATED, nothing, nothing).result()
    np.testing.assert_allclose(found, metrics.FrechetDistance(extractor=None)(REAL, GENERATED), rtol=1e-12)


def test_wrong_labels_increase_the_distance():
    right, wrong = distance(3, REAL, GENERATED), distance(3, REAL, GENERATED, generated_labels=(LABELS + 1) % 3)
    assert wrong.result() > 5 * right.result()
    # The distance of all images together does not detect them.
    assert metrics.FrechetDistance(extractor=None)(REAL, GENERATED) < right.result() + 1


def test_independent_of_the_batches_and_of_the_order_of_updates():
    metric = metrics.IntraClassFrechetDistance(3, extractor=None)
    for part in np.split(np.arange(48), [5, 5, 30]):
        metric.update_state(REAL[part], GENERATED[part], LABELS[part].astype("uint8"))
    np.testing.assert_allclose(metric.result(), distance(3, REAL, GENERATED).result(), rtol=1e-9)
    metric.reset_generated()
    metric.update_generated(REAL, LABELS)
    assert metric.result() < 1e-9
    metric.reset_state()
    with pytest.raises(ValueError, match="class 0: 0 real, 0 generated"):
        metric.result()


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        (np.full(48, 3), "from 3 to 3"),
        (LABELS - 1, "from -1 to 1"),
        (LABELS + 0.0, "float64"),
        (LABELS[:40], r"\(40,\), 48 samples"),
        (np.eye(3, dtype="int64")[LABELS], r"\(48, 3\)"),
    ],
)
def test_invalid_labels_raise_errors(labels, received):
    with pytest.raises(ValueError, match=rf"`label` must be integers \[B\] in \[0, 3\).*{received}"):
        metrics.IntraClassFrechetDistance(3, extractor=None).update_real(REAL, labels)


def test_too_few_samples_raise_an_error_with_the_classes():
    metric = distance(9, REAL, GENERATED, generated_labels=np.where(LABELS == 1, 0, LABELS))
    with pytest.raises(ValueError, match="at least 2.*class 1: 12 real, 0 generated; class 3: .* and 2 classes more"):
        metric.result()


def test_config_round_trip():
    metric = metrics.IntraClassFrechetDistance(7, extractor=None, name="intra")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (twin.num_classes, twin.extractor, twin.name) == (7, None, "intra")
    for wrong in (0, 2.0, True):
        with pytest.raises(ValueError, match="`num_classes`"):
            metrics.IntraClassFrechetDistance(wrong)
