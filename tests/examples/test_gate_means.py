import gate_means
import keras
import numpy as np
import pytest

from keras_attention import layers

RNG = np.random.default_rng(0)
IMAGES, GROUPS = RNG.random((7, 5, 6, 4)).astype("float32"), np.array([2, 0, 1, 1, 2, 0, 1])
GATES = np.array([[0.1, 0.9, 0.8, 0.2], [0.1, 0.1, 0.1, 0.3], [0.6, 0.2, 0.1, 0.4]])


def test_gates_are_means_over_the_images_of_a_group():
    gate = layers.CBAM(ratio=1, name="gate")
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), gate])
    for weight in gate.trainable_weights:
        weight.assign(RNG.normal(size=weight.shape))
    [found] = gate_means.mean_gates(model, IMAGES, GROUPS, 3).values()
    _, gates = gate(IMAGES, return_attention_scores=True)
    channel = keras.ops.convert_to_numpy(gates["channel"])
    for group in range(3):
        expected = np.mean([gate[0, 0] for gate, own in zip(channel, GROUPS) if own == group], axis=0)
        np.testing.assert_allclose(found[group], expected, atol=1e-5)
    assert np.ptp(found, axis=0).min() > 1e-3


def test_the_spread_is_that_between_groups():
    assert gate_means.spread(GATES) == pytest.approx((0.5 + 0.8 + 0.7 + 0.2) / 4)
    assert gate_means.spread(np.repeat(GATES[:1], 3, axis=0)) == 0


def test_channels_are_in_the_order_of_their_mean_gate():
    gates = {f"stage{number}_block1_attention": GATES * factor for number, factor in enumerate((1, 0.5, 0.25, 1), 1)}
    figure = gate_means.plot_mean_gates(gates, ("coat", "bag", "boot"))
    *panels, bar = figure.axes
    assert [axes.get_title() for axes in panels] == [f"stage{number}, block1: 4 channels" for number in range(1, 5)]
    # The means are 0.27, 0.4, 0.33 and 0.3.
    np.testing.assert_allclose(panels[1].images[0].get_array(), 0.5 * GATES[:, [0, 3, 2, 1]])
    names = [[label.get_text() for label in axes.get_yticklabels()] for axes in panels]
    assert names[0] == names[3] == ["coat", "bag", "boot"] and names[1] == [""] * 3
    assert {axes.images[0].get_clim() for axes in panels} == {(0, 1)} and bar.get_ylabel() == "mean gate"
