import numpy as np
import pytest

from keras_attention.visualize.inputs import require_layers

LAYER = np.ones((2, 3, 4))


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["model/block_0/look", "model/block_1/look"], ["block_0", "block_1"]),
        (["a/x/b", "a/y/c"], ["x/b", "y/c"]),
        (["look", "deep/look"], ["look", "deep/look"]),
        (["model/look"], ["model/look"]),
        (["look", "look:1"], ["look", "look:1"]),
    ],
)
def test_names_are_what_the_paths_do_not_share(paths, names):
    found, layers = require_layers(dict.fromkeys(paths, LAYER))
    assert found == names and [layer.shape for layer in layers] == [(2, 3, 4)] * len(paths)


def test_layers_of_a_list_are_numbered():
    assert require_layers([LAYER, LAYER])[0] == ["layer 0", "layer 1"]
