"""Weights are found by the ends of their names."""

import numpy as np
import pytest

from keras_attention.migrate.names import by_path, find

WEIGHTS = {
    "wrapper/BahdanauAttention/kernel:0": np.ones((2, 3)),
    "BahdanauAttention/memory_layer/kernel:0": np.ones((4, 3)),
    "model/attention_v/.ATTRIBUTES/VARIABLE_VALUE": np.ones(3),
}


def test_paths_omit_the_suffixes_of_tensorflow():
    assert list(by_path(WEIGHTS)) == [
        ("wrapper", "BahdanauAttention", "kernel"),
        ("BahdanauAttention", "memory_layer", "kernel"),
        ("model", "attention_v"),
    ]


def test_finds_by_whole_path_components():
    weights = by_path(WEIGHTS)
    assert find(weights, "memory_layer/kernel").shape == (4, 3)
    assert find(weights, "nowhere", "attention_v").shape == (3,)
    assert find(weights, "layer/kernel", optional=True) is None


def test_ambiguous_and_missing_names_raise_errors():
    with pytest.raises(ValueError, match="must have one `kernel`. Received: wrapper/BahdanauAttention/kernel .2, 3."):
        find(by_path(WEIGHTS), "kernel")
    with pytest.raises(ValueError, match="must have a `attention_g`"):
        find(by_path(WEIGHTS), "attention_g")
