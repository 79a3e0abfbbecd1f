import keras
import non_local_learning as learning
import numpy as np
import pytest

from tests.examples.interruptions import CopyAfter

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the example runs on TensorFlow")

RNG = np.random.default_rng(0)
CLIPS, LABELS = RNG.integers(0, 256, (10, 8, 16, 16, 3)).astype("uint8"), np.arange(10, dtype="int32") % 6


def take(number, first=0, seed=1):
    data = iter(learning.batches(CLIPS, LABELS, 4, seed, first))
    return [tuple(x.numpy() for x in next(data)) for _ in range(number)]


def test_a_batch_does_not_depend_on_where_the_run_starts():
    for (clips, labels), (later, of_later) in zip(take(6)[2:], take(4, first=2), strict=True):
        np.testing.assert_array_equal(clips, later)
        np.testing.assert_array_equal(labels, of_later)
    assert not np.array_equal(take(1)[0][0], take(1, seed=2)[0][0])


def test_flipped_clips_have_flipped_labels():
    clips, labels = learning.varied(CLIPS[:4], np.array([0, 2, 3, 4], "int32"), np.array([True, True, False, True]))
    assert labels.tolist() == [0, 3, 3, 5]
    np.testing.assert_array_equal(clips[1], learning.prepared(CLIPS[1][:, :, ::-1]))
    np.testing.assert_array_equal(clips[2], learning.prepared(CLIPS[2]))
    assert clips.min() >= -1 and clips.max() <= 1


def make():
    """In place of a `NonLocalResNet`: a small network with and without weight decay, and with dropout."""
    keras.utils.set_random_seed(0)
    mean, norm = keras.layers.GlobalAveragePooling3D(), keras.layers.BatchNormalization()
    rest = keras.layers.Dropout(0.5), keras.layers.Dense(6)
    return keras.Sequential([keras.Input((8, 16, 16, 3)), mean, norm, *rest])


@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    whole, part = make(), make()
    killed = CopyAfter(1, tmp_path / "whole", tmp_path / "part")
    arguments = (CLIPS, LABELS, 2, 4, 1)
    assert learning.learn(whole, *arguments, tmp_path / "whole", every=1, callbacks=[killed]) == 0
    assert learning.learn(part, *arguments, tmp_path / "part") == 1
    for a, b in zip(whole.get_weights(), part.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert learning.answers(part, CLIPS, batch_size=4).shape == (10,)
