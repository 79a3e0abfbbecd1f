import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)
pytest.importorskip("tf_keras_vis")

import class_map_pictures as pictures

from keras_attention import models
from keras_attention.visualize import grad_cam

B, Y, X = 3, 9, 12
INPUTS = np.random.default_rng(0).standard_normal((B, Y, X, 1)).astype("float32")
IMAGES = np.random.default_rng(1).integers(0, 256, (B, Y, X, 1)).astype("uint8")


def network(attention):
    sizes = {"blocks": (1, 1), "bottleneck": False, "width": 6, "stem": "3x3", "num_classes": 4, "input_channels": 1}
    model = models.AttentionResNet(**sizes, attention=attention)
    rng = np.random.default_rng(2)
    for weight in model.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.2, weight.shape))
    return model


def test_the_first_image_of_each_kind_is_taken():
    assert pictures.samples(np.array([2, 3, 2, 9, 3]), (1, 3, 9)) == [1, 3]


def test_the_gate_is_that_of_the_last_cbam():
    model = network("cbam")
    block = keras.Model(model.input, model.get_layer("stage2_block1_attention").input)(INPUTS)
    _, gates = model.get_layer("stage2_block1_attention")(block, return_attention_scores=True)
    spatial = np.asarray(gates["spatial"])[..., 0]
    found = pictures.spatial_gate(model, INPUTS)
    np.testing.assert_allclose(found, spatial, atol=1e-6)
    assert np.ptp(found) > 0.01
    assert pictures.spatial_gate(network(None), INPUTS) is None
    assert pictures.spatial_gate(network("se"), INPUTS) is None


def test_the_part_on_black_is_a_median_over_maps_that_are_not_empty():
    images = np.array([[[0, 9], [9, 9]], [[0, 0], [9, 9]], [[0, 0], [0, 0]], [[9, 0], [9, 9]]])[..., None]
    maps = np.array([[[1, 1], [1, 1]], [[3, 0], [0, 1]], [[0, 0], [0, 0]], [[5, 0], [0, 0]]], "float32")
    assert pictures.part_on_black(maps, images) == 0.25  # of 1/4, 3/4 and 0


@pytest.mark.slow
def test_a_row_has_the_image_a_map_of_each_network_and_the_gate():
    networks = {"none": network(None), "CBAM": network("cbam")}
    figure = pictures.plot_class_maps(networks, IMAGES, INPUTS, [3, 0, 2])
    gate = pictures.spatial_gate(networks["CBAM"], INPUTS)
    label = f"gate: {gate.min():.2f}–{gate.max():.2f}"
    assert [axes.get_title() for axes in figure.axes[:4]] == ["", "none", "CBAM", label]
    over = pictures.stretched(gate - gate.min(axis=(1, 2), keepdims=True), IMAGES.shape[1:3])
    np.testing.assert_allclose(figure.axes[7].images[1].get_array(), over[1], rtol=1e-5)
    assert len(figure.axes) == 4 * B
    drawn = figure.axes[6].images[1].get_array()  # second row, second network
    np.testing.assert_allclose(drawn, grad_cam(networks["CBAM"], INPUTS, [3, 0, 2])[1], rtol=1e-6)
