import keras
import numpy as np
import pytest

from keras_attention import metrics, ops
from tests.backend import BACKEND, numpy

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(-1, 1, (5, 12, 13, 3)).astype("float32")
OTHERS = np.clip(IMAGES + 0.3 * RNG.standard_normal(IMAGES.shape), -1, 1).astype("float32")
PAIRS = {
    metrics.PeakSignalToNoiseRatio: ops.peak_signal_to_noise_ratio,
    metrics.StructuralSimilarity: ops.structural_similarity,
    metrics.SharpnessDifference: ops.sharpness_difference,
}


@pytest.mark.parametrize("metric", PAIRS, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("variant", ["standard", "published"])
def test_averages_over_the_images_of_all_batches(metric, variant):
    each = numpy(PAIRS[metric](IMAGES, OTHERS, variant=variant))
    found = metric(variant=variant)
    found.update_state(IMAGES[:2], OTHERS[:2])
    found.update_state(IMAGES[2:], OTHERS[2:])
    np.testing.assert_allclose(float(found.result()), each.mean(), rtol=1e-5)
    found.reset_state()
    weights = np.array([0.0, 1.0, 2.0, 0.5, 3.0])
    np.testing.assert_allclose(float(found(IMAGES, OTHERS, weights)), np.average(each, weights=weights), rtol=1e-5)


@pytest.mark.parametrize(("jit", "policy"), [(False, "mixed_float16"), (True, "float32")])
def test_in_a_compiled_step(jit, policy):
    """As metrics of a model, in the compiled steps of each backend."""
    if jit and BACKEND == "torch":
        pytest.skip("PyTorch steps are not compiled")
    keras.config.set_dtype_policy(policy)
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Rescaling(1.0)])
    model.compile(loss="mae", metrics=[metric() for metric in PAIRS], jit_compile=jit)
    found = model.evaluate(OTHERS, IMAGES, batch_size=2, verbose=0, return_dict=True)
    rounded = OTHERS.astype("float16" if "16" in policy else "float32").astype("float32")
    expected = {metric().name: numpy(PAIRS[metric](IMAGES, rounded)).mean() for metric in PAIRS}
    # The last batch has one image less: the mean is over images, not batches.
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4 if policy == "float32" else 2e-3)


@pytest.mark.parametrize("metric", PAIRS, ids=lambda cls: cls.__name__)
def test_config_round_trip(metric):
    one = metric(value_range=(0, 255), variant="published", name="score")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(one))
    assert (twin.value_range, twin.variant, twin.name) == ((0.0, 255.0), "published", "score")
    with pytest.raises(ValueError, match="`variant`.*'paper'"):
        metric(variant="paper")
    with pytest.raises(ValueError, match="`value_range`"):
        metric(value_range=(1, 0))


def test_sum_over_a_million_images_is_precise():
    """At 2e7, the total of a million images, float32 has a resolution of 2."""
    image = np.full((1, 4, 5, 3), 0.25, "float32")
    metric = metrics.PeakSignalToNoiseRatio()
    metric.update_state(image, image + 0.19)
    one = float(metric.result())
    assert 0.2 < one % 2 < 0.8 or 1.2 < one % 2 < 1.8, "rounding would show"
    metric.total.assign(2e7)
    metric.count.assign(1e6)
    for _ in range(20):  # of which plain float32 sums would lose at least 0.2 each
        metric.update_state(image, image + 0.19)
    np.testing.assert_allclose(float(metric.total) - 2e7, 20 * one, atol=2)
    metric.reset_state()
    metric.update_state(image, image + 0.19)
    np.testing.assert_allclose(float(metric.result()), one, rtol=1e-6)


def test_reset_after_an_infinite_psnr():
    image = np.full((1, 4, 5, 3), 0.25, "float32")
    metric = metrics.PeakSignalToNoiseRatio()
    for _ in range(2):
        metric.update_state(image, image)
        assert float(metric.result()) == np.inf
