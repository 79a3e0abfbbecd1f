"""Noise that any path can draw again."""

import numpy as np
from keras import ops

from keras_attention.ops.noise import normal
from tests.backend import numpy


def noise(seed, index, length):
    return numpy(normal(*(ops.convert_to_tensor(x, "int32") for x in (seed, index)), length))


def test_is_normal_and_independent():
    seed = np.arange(64, dtype="int32") * 7919
    first, second = (noise(seed, np.full(64, t), 512) for t in (0, 1))
    assert abs(first.mean()) < 0.02 and abs(first.std() - 1) < 0.02
    assert abs((np.abs(first) < 1).mean() - 0.6827) < 0.01
    rows = np.concatenate([first, second])
    between = np.corrcoef(rows) - np.eye(128)
    assert np.abs(between).max() < 0.25
    assert np.abs(np.corrcoef(rows.T) - np.eye(512)).max() < 0.6
    np.testing.assert_allclose(first, noise(seed, np.zeros(64), 512), atol=1e-5)


def test_a_longer_memory_has_the_same_noise_where_both_are():
    seed, index = np.array([3, 5], "int32"), np.array([2, 4], "int32")
    np.testing.assert_allclose(noise(seed, index, 9)[:, :7], noise(seed, index, 7), atol=1e-5)
