import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)

import gated_digits_data as data
import gated_digits_learning as learning

from keras_attention import models
from tests.examples.interruptions import CopyAfter

RNG = np.random.default_rng(0)
LABELS = np.arange(40, dtype="int32") % 10
DIGITS = RNG.random((40, data.DIGIT, data.DIGIT)).astype("float32")


def taken(count, seed=1, first=0):
    return list(learning.batches(DIGITS, LABELS, 4, seed, first).take(count).as_numpy_iterator())


def network(attention=None):
    """With normalizations that are not the identity."""
    keras.utils.set_random_seed(3)
    small = {"blocks": (1, 1, 1), "bottleneck": False, "width": 4, "stem": "3x3", "num_classes": 10}
    model = models.AttentionResNet(**small, attention=attention, attention_kwargs={"ratio": 1} if attention else None)
    for variable in model.weights:
        if variable.path.endswith(("beta", "moving_mean")):
            variable.assign(0.1 * RNG.standard_normal(variable.shape))
    return model


def test_a_batch_does_not_depend_on_where_the_run_starts():
    for one, other in zip(taken(5)[2:], taken(3, first=2), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(taken(1)[0][0], taken(1, seed=2)[0][0])
    assert not np.array_equal(taken(2)[0][0], taken(2)[1][0])


def test_the_receptive_field_is_that_of_the_convolutions():
    # 1 + 2 per convolution of 3 x 3, times the strides before it.
    assert 1 + 2 * (1 + 2 + 1 + 2 + 2 + 4) == 25
    assert learning.receptive_field(network(), 60) == (25, 25)
    assert data.ZONE - data.CUE + 2 > 25


def effects_of_a_cue(model):
    """Of one cue instead of another, on the logits of eight images with different digits."""
    one, other = (data.draw(DIGITS, LABELS, 8, np.random.default_rng(5), [cue] * 8)[0] for cue in (0, 1))
    one[:, :, : data.CUE], other[:, :, : data.CUE] = one[:1, :, : data.CUE], other[:1, :, : data.CUE]  # one phase
    return model.predict_on_batch(one) - model.predict_on_batch(other)


def test_without_gates_the_effect_of_the_cue_does_not_depend_on_the_digits():
    effects = effects_of_a_cue(network())
    assert np.abs(effects).max() > 1e-3
    np.testing.assert_allclose(effects, np.broadcast_to(effects[:1], effects.shape), atol=1e-5)


@pytest.mark.parametrize("attention", ["se", "cbam"])
def test_with_gates_the_effect_of_the_cue_depends_on_the_digits(attention):
    assert effects_of_a_cue(network(attention)).std(axis=0).max() > 1e-4


def test_answers_are_those_of_all_images():
    def predict_on_batch(images):
        return np.eye(10)[images[:, 0, 0, 0].astype(int)]

    images = np.arange(7.0)[:, None, None, None] * np.ones((1, 2, 2, 3))
    model = type("Model", (), {"predict_on_batch": staticmethod(predict_on_batch)})
    assert learning.answers(model, images, batch_size=3).tolist() == list(range(7))


@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    def build():  # in place of an `AttentionResNet`, whose steps are slow
        keras.utils.set_random_seed(0)
        x = keras.layers.Flatten()(image := keras.Input((data.ROWS, data.COLUMNS, 3)))
        return keras.Model(image, keras.layers.Dense(10)(keras.layers.BatchNormalization()(x)))

    arguments = (DIGITS, LABELS, 3, 4, 1)
    straight, again = build(), build()
    killed = CopyAfter(2, tmp_path / "straight", tmp_path / "broken")
    assert learning.learn(straight, *arguments, tmp_path / "straight", every=2, callbacks=[killed]) == 0
    assert learning.learn(again, *arguments, tmp_path / "broken", every=2) == 2
    assert int(again.optimizer.iterations) == 3
    for a, b in zip(straight.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
