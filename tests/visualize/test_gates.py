import io

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import layers, models
from keras_attention.visualize import gates, plot_gates

RNG = np.random.default_rng(0)
IMAGES = RNG.random((2, 9, 11, 6)).astype("float32")
SIZES = {"bottleneck": False, "num_classes": 5, "width": 8, "stem": "3x3"}


def noisy(model, inputs):
    model(inputs)
    for weight in model.weights:
        weight.assign(
            np.abs(RNG.standard_normal(weight.shape)) / 2 if "variance" in weight.path else RNG.random(weight.shape)
        )
    return model


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_gates_are_what_the_layers_multiply_by(data_format):
    first = data_format == "channels_first"
    x = np.moveaxis(IMAGES, -1, 1) if first else IMAGES
    layer = noisy(layers.CBAM(ratio=2, kernel_size=3, data_format=data_format, name="cbam"), x)
    found = gates(layer, x)
    assert {path: values.shape for path, values in found.items()} == {"channel": (2, 6), "spatial": (2, 9, 11)}
    channel, spatial = found["channel"].reshape(2, 1, 1, 6), np.expand_dims(found["spatial"], -1)
    output = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(np.moveaxis(output, 1, -1) if first else output, IMAGES * channel * spatial, atol=1e-5)


def test_gates_of_one_channel_and_of_one_position_keep_their_axes():
    x = RNG.random((1, 1, 1)).astype("float32")
    assert gates(layers.SqueezeExcitation(ratio=2, name="gate"), x)["gate"].shape == (1, 1)
    assert gates(layers.SpatialAttention(kernel_size=3, name="gate"), x)["gate"].shape == (1, 1)


@pytest.mark.slow
def test_gates_of_a_network_and_their_picture():
    model = noisy(models.AttentionResNet((1, 1), attention="cbam", **SIZES), IMAGES[..., :3])
    names = [f"stage{stage}_block1_attention/{kind}" for stage in (1, 2) for kind in ("channel", "spatial")]
    found = gates(model, IMAGES[:1, ..., :3])
    assert [found[name].shape for name in names] == [(1, 8), (1, 9, 11), (1, 16), (1, 5, 6)]
    assert list(gates(model, IMAGES[..., :3], layers="stage2_block1_attention")) == names[2:]
    figure = plot_gates(found, IMAGES[0, ..., :3], title="CBAM")
    figure.savefig(io.BytesIO(), format="png", dpi=100)
    assert figure.get_size_inches()[0] == 7 and figure.get_suptitle() == "CBAM"
    assert [panel.get_title() for panel in figure.axes] == names
    bars, over = figure.axes[0].patches[0], figure.axes[3].images
    np.testing.assert_allclose(bars.get_data().values, found[names[0]][0], rtol=1e-6)
    np.testing.assert_allclose(over[1].get_array(), found[names[3]][0], rtol=1e-6)
    assert over[0].get_array().shape == (9, 11) and over[1].get_clim() == (0, 1)
    assert over[1].get_extent() == over[0].get_extent()
    left, right = (panel.title.get_window_extent() for panel in figure.axes[:2])
    assert left.x1 < right.x0 and left.x0 >= 0 and right.x1 <= 700


def test_models_without_gates_and_wrong_arguments_raise_errors():
    plain = keras.Sequential([keras.layers.Dense(2)], name="plain")
    with pytest.raises(ValueError, match="No gate took part in the call of `model`. Received: model=plain"):
        gates(plain, IMAGES)
    for wrong in (np.ones((2, 3, 4)), np.ones((0,)), np.ones((1, 2, 3, 4))):
        with pytest.raises(ValueError, match="`gates` must be those of one sample.*Received: `look` of shape"):
            plot_gates({"look": wrong})
    with pytest.raises(ValueError, match="`image` must be one image"):
        plot_gates({"look": np.ones((3, 4))}, IMAGES[..., :3])
