"""The argument `synchronized` of networks with batch normalization; tests/training/test_replicas.py trains with it."""

import keras
import pytest

from keras_attention import models
from tests.backend import BACKEND
from tests.models.helpers import without_memory

NETWORKS = {
    "AttentionResNet": {
        "blocks": (1,),
        "bottleneck": False,
        "attention": "spatial",
        "attention_kwargs": {"variant": "reference"},
        "width": 2,
    },
    "NonLocalResNet": {"blocks": (1,), "non_local": {"res2": 0}, "non_local_kwargs": {"batch_norm": True}, "width": 2},
    "SAGANGenerator": {"image_size": 16, "num_classes": 3, "channels": 2, "attention_at": None},
    "SelectionGANGenerator": {"image_size": 64, "width": 2, "num_downs": 3, "selection_channels": 8},
    "PatchDiscriminator": {"width": 2},
}


def flags(model):
    norms = [x for x in model._flatten_layers() if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) > 2
    return {norm.synchronized for norm in norms}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_normalizations_of_a_network_and_of_its_copy(name):
    network = getattr(models, name)
    with without_memory():
        model = network(**NETWORKS[name], synchronized=True)
        copy = network.from_config(model.get_config())
        alone = network(**NETWORKS[name])
    assert flags(alone) == {False} and not alone.synchronized
    assert flags(model) == flags(copy) == {BACKEND == "tensorflow"}
    assert copy.synchronized is model.synchronized is True


def test_both_networks_of_a_factory():
    with without_memory():
        networks = models.selection_gan(64, "C", width=2, num_downs=3, discriminator_width=2, synchronized=True)
    assert all(flags(network) == {BACKEND == "tensorflow"} for network in networks)
