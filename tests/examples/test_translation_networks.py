import types

import keras
import numpy as np
import pytest
from translation_networks import LEAST, NETWORKS

OPTIONS = types.SimpleNamespace(units=16, dropout=0.0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the example runs on TensorFlow")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_reads_and_writes_tokens_and_shows_where_it_looks(name):
    network = NETWORKS[name]
    model = network.build((20, 30), OPTIONS, 3)
    inputs = {"source": np.array([[5, 7, 19, 2]]), "target": np.array([[1, 29, 4, 6, 8]])}
    assert model(inputs).shape[:2] == (1, 5) and model(inputs).shape[2] >= 30
    if network.scores is None:
        assert name == "RNNencdec" and not model.attention
        return
    scores = network.scores(model, inputs)
    assert scores.shape == (5, 4)
    if name != "Luong, local-p":  # whose window weighs them
        np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smallest_network_is_built(name):
    units = max(LEAST, NETWORKS[name].multiple)
    model = NETWORKS[name].build((20, 30), types.SimpleNamespace(units=units, dropout=0.3), 2**31 - 1)
    assert model.count_params() > 0


def test_networks_of_the_default_size_differ_by_at_most_8_percent_in_parameters():
    options = types.SimpleNamespace(units=128, dropout=0.0)
    sizes = {name: network.build((3000, 3000), options, 0).count_params() for name, network in NETWORKS.items()}
    assert min(sizes.values()) > 0.92 * max(sizes.values()), sizes
