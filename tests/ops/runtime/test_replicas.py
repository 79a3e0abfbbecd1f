"""`replicas`, `share`: see tests/training/test_replicas.py for steps of several."""

from keras_attention.ops.runtime.replicas import replicas, share


def test_one_replica_outside_of_strategies():
    assert replicas() == 1 and share(3) == 1
