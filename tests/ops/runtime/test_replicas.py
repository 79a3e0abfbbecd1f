"""One replica; see tests/training/test_replicas.py for several."""

import keras
import numpy as np

from keras_attention.ops.runtime.replicas import next_seed, replicas, share
from tests.backend import numpy


def test_one_replica_outside_of_strategies():
    assert replicas() == 1 and share(3) == 1


def test_one_replica_has_the_states_of_the_generator():
    ours, expected = (keras.random.SeedGenerator(7) for _ in range(2))
    for _ in range(2):
        np.testing.assert_array_equal(numpy(next_seed(ours)), numpy(expected.next()))
