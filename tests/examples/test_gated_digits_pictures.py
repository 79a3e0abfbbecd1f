import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)

import gated_digits_data as data
import gated_digits_pictures as pictures

from keras_attention import layers

RNG = np.random.default_rng(0)
LABELS = np.arange(20, dtype="int32") % 10
IMAGES, _, CUES, SHOWN = data.draw(RNG.random((20, data.DIGIT, data.DIGIT)).astype("float32"), LABELS, 12, RNG)


def network():
    """A gate after a convolution whose channels are blue, red, red and green."""
    keras.utils.set_random_seed(0)
    image = keras.Input((data.ROWS, data.COLUMNS, 3))
    colors = keras.layers.Conv2D(4, 1, use_bias=False, name="colors")
    model = keras.Model(image, layers.CBAM(ratio=1, name="gate")(colors(image)))
    colors.set_weights([np.eye(3)[[2, 0, 0, 1]].T[None, None]])
    return model


def test_a_channel_responds_to_its_color_by_what_its_digit_adds():
    changes = pictures.responses(network(), "gate", IMAGES)
    sums = IMAGES[:, :, data.ZONE :].sum(axis=(0, 1, 2)) / IMAGES[..., 0].size
    np.testing.assert_allclose(changes, sums[:, None] * np.eye(3)[[2, 0, 0, 1]].T, rtol=1e-4)


GATES = np.array([[0.1, 0.9, 0.8, 0.2], [0.1, 0.1, 0.1, 0.3], [0.6, 0.2, 0.1, 0.4]])
CHANGES = np.eye(3)[[2, 0, 0, 1]].T


def test_channels_are_sorted_by_color_and_then_by_their_gate():
    gates = {"stage1_block1_attention": GATES, "b": GATES[:, [0, 2, 1, 3]]}
    figure = pictures.plot_gates_by_cue(gates, dict.fromkeys(gates, CHANGES))
    above, below, other = figure.axes[:3]
    np.testing.assert_allclose(above.images[0].get_array(), GATES[:, [1, 2, 3, 0]])
    np.testing.assert_array_equal(below.images[0].get_array().argmax(axis=-1), [[0, 0, 1, 2]])
    np.testing.assert_allclose(other.images[0].get_array(), GATES[:, [1, 2, 3, 0]])
    assert [axes.get_title() for axes in (above, other)] == ["stage1, block1", "b"]


def test_answers_are_below_their_images():
    answers = {"none": np.array([[1, 2, 3], [4, 5, 6]]), "SE": np.array([[7, 8, 9], [1, 2, 3]])}
    images = np.zeros((2, 3, data.ROWS, data.COLUMNS, 3))
    figure = pictures.plot_answers(images, np.array([[7, 8, 9], [4, 2, 0]]), answers)
    assert [axes.get_xlabel() for axes in figure.axes[2:4]] == ["class 9: none 3, SE 9", "class 4: none 4, SE 1"]
    assert [axes.get_title().split("\n")[1] for axes in figure.axes[:3]] == list(data.CHANNELS)


def test_spatial_gates_have_a_map_beside_each_image():
    figure = pictures.plot_spatial_gates(network(), IMAGES[:2])
    assert [axes.get_title() for axes in figure.axes] == ["", "stage 1", "", ""]
