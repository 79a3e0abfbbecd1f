"""Feature extractors and host computation of the sample metrics."""

import keras
import numpy as np
import pytest

from keras_attention import metrics
from keras_attention.metrics import host
from tests.backend import BACKEND

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (70, 4, 5, 3)).astype("float32")


@keras.saving.register_keras_serializable(package="tests")
def means(images):
    return np.asarray(images).mean(axis=(1, 2))


def network():
    model = keras.Sequential([keras.Input((4, 5, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    model.set_weights([RNG.standard_normal(w.shape) for w in model.weights])
    return model


def test_extractor_may_be_a_model_a_function_or_none():
    model = network()
    expected = IMAGES.mean(axis=(1, 2)) @ model.get_weights()[0] + model.get_weights()[1]
    found = metrics.FrechetDistance(model).extract(IMAGES, "real")
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(metrics.FrechetDistance(means).extract(IMAGES, "real"), means(IMAGES))
    np.testing.assert_array_equal(metrics.FrechetDistance(None).extract(expected, "real"), expected)
    a, b, c = (metrics.FrechetDistance(e) for e in (model, means, None))
    for metric, (x, y) in ((a, (IMAGES, -IMAGES)), (b, (IMAGES, -IMAGES)), (c, (means(IMAGES), -means(IMAGES)))):
        metric.update_state(keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y))
    np.testing.assert_allclose(b.result(), c.result(), rtol=1e-4)
    assert a.result() > 0


def test_default_extractor_is_created_at_the_first_update(monkeypatch):
    created = []

    def stand_in(output):
        created.append(output)
        return means if output == "features" else lambda images: np.full((len(images), 4), 0.25)

    monkeypatch.setattr(host, "inception_v3", stand_in)
    distance, score = metrics.FrechetDistance(), metrics.InceptionScore()
    assert not created
    for images in np.split(IMAGES, 2):
        distance.update_state(images, images)
        score.update_state(images)
    assert created == ["features", "probabilities"]
    assert distance.result() < 1e-6
    np.testing.assert_allclose(score.result(), 1, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_other_dtypes_are_summed_in_float64(dtype):
    features = keras.ops.cast(np.arange(12.0).reshape(6, 2), dtype)
    metric = metrics.FrechetDistance(None)
    metric.update_state(features, features)
    assert metric.extract(features, "real").dtype == "float32"
    assert metric._real.scatter.dtype == "float64"
    np.testing.assert_allclose(metric._real.covariance, np.cov(np.arange(12.0).reshape(6, 2).T))


def test_empty_batch_is_ignored():
    metric = metrics.FrechetDistance(network())
    metric.update_state(IMAGES[:0], IMAGES)
    assert (metric._real.count, metric._generated.count) == (0, 70)


@pytest.mark.parametrize(
    ("features", "match"),
    [
        (np.zeros((4, 2, 2)), r"`real` must be \[B, D\].*\(4, 2, 2\)"),
        (np.array([[0.0, np.nan]]), "`real` must give finite features"),
        (np.array([[np.inf, 1.0]]), "`real` must give finite features"),
    ],
)
def test_invalid_features_raise_errors(features, match):
    for metric in (metrics.FrechetDistance(None), metrics.FrechetDistance(lambda images: images)):
        with pytest.raises(ValueError, match=match):
            metric.update_real(features)


def test_number_of_features_must_not_change():
    metric = metrics.KernelDistance(None)
    metric.update_real(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="`generated` must give 4 features, as before.*5"):
        metric.update_generated(np.zeros((3, 5)))


@pytest.mark.parametrize("eagerly", [False, True])
def test_compiled_steps_raise_an_error(eagerly):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Rescaling(2.0)])
    model.compile(loss="mae", metrics=[metrics.FrechetDistance(None)], run_eagerly=eagerly)
    features = RNG.standard_normal((8, 3)).astype("float32")
    if BACKEND == "torch" or (BACKEND == "tensorflow" and eagerly):
        found = model.evaluate(features, features, batch_size=4, verbose=0, return_dict=True)["frechet_distance"]
        np.testing.assert_allclose(found, metrics.FrechetDistance(None)(features, 2 * features), rtol=1e-5)
    else:
        with pytest.raises(ValueError, match="computed on the host.*compile"):
            model.evaluate(features, features, batch_size=4, verbose=0)


@pytest.mark.parametrize("metric", [metrics.FrechetDistance(None), metrics.ClassAgreement()], ids=lambda m: m.name)
def test_sample_weight_raises_an_error(metric):
    with pytest.raises(ValueError, match="`sample_weight` must be `None`"):
        metric.update_state(np.eye(3), np.eye(3), np.ones(3))


def test_config_of_an_extractor_with_weights_raises_an_error():
    metric = metrics.KernelDistance(means)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert twin.extractor is means
    for extractor in (network(), lambda images: images):
        with pytest.raises(ValueError, match="`extractor`.*weights of a model would be lost"):
            metrics.FrechetDistance(extractor).get_config()
    with pytest.raises(ValueError, match="`extractor` must be a model.*'vgg'"):
        metrics.FrechetDistance("vgg")
