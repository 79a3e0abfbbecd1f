"""PyTorch's state dicts, full of noise: the converted network against a NumPy forward pass on their names."""

import keras
import numpy as np
import pytest

from keras_attention import migrate, models
from tests.migrate import resnets
from tests.reference import resnet as reference

SMALL = {"blocks": (1, 2), "width": 8}
NETWORKS = {
    "resnet": {"attention": resnets.plain},
    "resnet-basic": {"attention": resnets.plain, "bottleneck": False},
    "se-pretrainedmodels": {"attention": resnets.se_module, "caffe": True},
    "se-timm": {"attention": resnets.se_timm},
    "se-linear": {"attention": resnets.se_linear, "bottleneck": False},
    "cbam": {"attention": resnets.cbam},
    "cbam-basic": {"attention": resnets.cbam, "bottleneck": False},
}
each_network = pytest.mark.parametrize("sizes", NETWORKS.values(), ids=NETWORKS)


def images(rows=9, columns=12):
    return np.random.default_rng(5).standard_normal((2, rows, columns, 3)).astype("float32")


def check(model, weights, x, blocks, caffe=False):
    expected = reference.network(x.transpose(0, 3, 1, 2).astype("float64"), weights, blocks, caffe)
    assert expected.std() > 0.1
    logits = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@each_network
def test_answers_as_the_published_network(sizes):
    weights = resnets.weights(**SMALL, **sizes)
    model = migrate.attention_resnet(weights)
    check(model, weights, images(), SMALL["blocks"], sizes.get("caffe", False))
    if not sizes.get("bottleneck", True):  # sides that are even and odd the other way round
        check(model, weights, images(8, 13), SMALL["blocks"])


def test_four_stages_of_several_depths():
    sizes = {"blocks": (2, 1, 3, 1), "width": 4, "attention": resnets.cbam, "ratio": 16, "classes": 7}
    weights = resnets.weights(**sizes)
    model = migrate.attention_resnet(weights)
    assert model.blocks == [2, 1, 3, 1]
    assert model.attention_kwargs == {"ratio": 16, "variant": "reference"}
    check(model, weights, images(17, 22), sizes["blocks"])


def test_timm_s_hidden_sizes_that_are_rounded_to_eights_survive_the_file(tmp_path):
    """seresnet18 in small: at 64, 128, 256 and 512 channels it has 8, 8, 16 and 32 hidden ones."""
    sizes = {"blocks": (1, 1, 1), "width": 32, "attention": resnets.se_timm_rounded, "ratio": 8, "bottleneck": False}
    weights = resnets.weights(**sizes)
    assert [weights[f"layer{s}.0.se.fc1.weight"].shape[0] for s in (1, 2, 3)] == [8, 8, 16]
    model = migrate.attention_resnet(weights, name="converted")
    assert model.attention_kwargs == {"ratio": [4, 8, 8], "variant": "reference"}
    x = images()
    check(model, weights, x, sizes["blocks"])
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.name == "converted"
    np.testing.assert_allclose(*(keras.ops.convert_to_numpy(m(x)) for m in (model, twin)), atol=1e-5)
    with pytest.raises(ValueError, match="one for each of 3 stages. Received: ratio=.4, 8."):
        models.AttentionResNet((1, 1, 1), False, "se", {"ratio": [4, 8]}, width=32)


def test_timm_s_networks_with_a_second_relu_are_refused():
    """Two convolutions and `se_module`: legacy_seresnet18 and 34, which give other logits without that ReLU."""
    sizes = {**SMALL, "attention": resnets.se_module, "bottleneck": False, "caffe": True}
    weights = resnets.weights(**sizes)
    x = images(9, 12).transpose(0, 3, 1, 2).astype("float64")
    theirs = reference.network(x, weights, SMALL["blocks"], True, second_relu=True)
    assert np.abs(theirs - reference.network(x, weights, SMALL["blocks"], True)).max() > 0.01 * np.abs(theirs).max()
    for given in (weights, {f"module.{name}": array for name, array in weights.items()}):
        for layout in (None, "torch"):
            with pytest.raises(ValueError, match="legacy_seresnet18.*a ReLU before the gate.*se_module"):
                migrate.attention_resnet(given, layout)


def test_the_oracle_reads_every_weight():
    """A weight that it leaves out could stand anywhere in the converted network."""
    sizes = {"blocks": (1, 1), "width": 4, "attention": resnets.cbam, "ratio": 2}
    weights, x = resnets.weights(**sizes), images(9, 12).transpose(0, 3, 1, 2)
    before = reference.network(x, weights, sizes["blocks"])
    for name in weights:
        if not name.endswith("tracked"):
            moved = reference.network(x, {**weights, name: weights[name] + 0.5}, sizes["blocks"])
            assert np.abs(moved - before).max() > 1e-6, name


def test_prefixes_of_data_parallel():
    weights = resnets.weights(**SMALL, attention=resnets.cbam)
    model = migrate.attention_resnet({f"module.{name}": array for name, array in weights.items()})
    check(model, weights, images(), SMALL["blocks"])


def test_the_layout_can_be_told():
    weights = resnets.weights(**SMALL, attention=resnets.se_timm)
    expected = {f"layer0.{k}" if k.startswith(("conv1", "bn1")) else k: v for k, v in weights.items()}
    expected = {k.replace("fc.", "last_linear.") if k.startswith("fc.") else k: v for k, v in expected.items()}
    model = migrate.attention_resnet(weights, layout="caffe")
    assert model.layout == "caffe"
    check(model, expected, images(), SMALL["blocks"], caffe=True)


def test_refuses_what_does_not_fit():
    weights = resnets.weights(**SMALL, attention=resnets.se_timm)
    missing = {k: v for k, v in weights.items() if k != "layer2.1.bn2.running_var"}
    with pytest.raises(ValueError, match="`weights` must have a `layer2.1.bn2.running_var`"):
        migrate.attention_resnet(missing)
    with pytest.raises(ValueError, match="must only contain weights of the model. Received: layer1.0.other"):
        migrate.attention_resnet({**weights, "layer1.0.other": np.ones(3)})
    with pytest.raises(ValueError, match=r"`layer1.0.conv2.weight` must fit \(3, 3, 8, 8\). Received: \(8, 4, 3, 3\)"):
        migrate.attention_resnet({**weights, "layer1.0.conv2.weight": np.ones((8, 4, 3, 3))})
    with pytest.raises(ValueError, match="`weights` must be a mapping"):
        migrate.attention_resnet(list(weights))
