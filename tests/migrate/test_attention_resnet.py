"""Random PyTorch state dicts: the converted network against a NumPy forward pass on the original names."""

import keras
import numpy as np
import pytest

from keras_attention import migrate, models
from tests import goldens
from tests.backend import numpy
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
TIMM = goldens.cases("timm_resnets")
each_network = pytest.mark.parametrize("sizes", NETWORKS.values(), ids=NETWORKS)


def check(model, weights, x, blocks, caffe=False):
    expected = reference.network(x.transpose(0, 3, 1, 2).astype("float64"), weights, blocks, caffe)
    assert expected.std() > 0.1
    np.testing.assert_allclose(numpy(model(x)), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@each_network
def test_matches_the_published_network(sizes):
    weights = resnets.weights(**SMALL, **sizes)
    model = migrate.attention_resnet(weights)
    check(model, weights, resnets.images(), SMALL["blocks"], sizes.get("caffe", False))
    if not sizes.get("bottleneck", True):  # with even and odd sides swapped
        check(model, weights, resnets.images(8, 13), SMALL["blocks"])


@pytest.mark.parametrize("case", TIMM)
def test_matches_stored_logits_of_timm(case):
    names, shapes, logits = (TIMM[case][key] for key in ("names", "shapes", "logits"))
    sizes = [tuple(int(n) for n in shape.split(",") if n) for shape in shapes]
    model = migrate.attention_resnet(resnets.fill(dict(zip(names.tolist(), sizes, strict=True))))
    assert logits.std() > 0.1
    atol = 1e-5 * np.abs(logits).max()
    np.testing.assert_allclose(numpy(model(resnets.images(33, 46))), logits, rtol=0, atol=atol)


@pytest.mark.slow
def test_four_stages_of_different_depths():
    sizes = {"blocks": (2, 1, 3, 1), "width": 4, "attention": resnets.cbam, "ratio": 16, "classes": 7}
    weights = resnets.weights(**sizes)
    model = migrate.attention_resnet(weights)
    assert model.blocks == [2, 1, 3, 1]
    assert model.attention_kwargs == {"ratio": 16, "variant": "reference"}
    check(model, weights, resnets.images(17, 22), sizes["blocks"])


def test_rounded_hidden_sizes_of_timm_save_and_load(tmp_path):
    """A small seresnet18, which at 64, 128, 256 and 512 channels has 8, 8, 16 and 32 hidden units."""
    sizes = {"blocks": (1, 1, 1), "width": 32, "attention": resnets.se_timm_rounded, "ratio": 8, "bottleneck": False}
    weights = resnets.weights(**sizes)
    assert [weights[f"layer{s}.0.se.fc1.weight"].shape[0] for s in (1, 2, 3)] == [8, 8, 16]
    model = migrate.attention_resnet(weights, name="converted")
    assert model.attention_kwargs == {"ratio": [4, 8, 8], "variant": "reference"}
    x = resnets.images()
    check(model, weights, x, sizes["blocks"])
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.name == "converted"
    np.testing.assert_allclose(*(keras.ops.convert_to_numpy(m(x)) for m in (model, twin)), atol=1e-5)
    with pytest.raises(ValueError, match="an int, or 3 ints, one per stage. Received: ratio=.4, 8."):
        models.AttentionResNet((1, 1, 1), False, "se", {"ratio": [4, 8]}, width=32)


def test_timm_networks_with_a_second_relu_raise_an_error():
    """legacy_seresnet18 and 34, which give other logits without that ReLU."""
    sizes = {**SMALL, "attention": resnets.se_module, "bottleneck": False, "caffe": True}
    weights = resnets.weights(**sizes)
    x = resnets.images(9, 12).transpose(0, 3, 1, 2).astype("float64")
    theirs = reference.network(x, weights, SMALL["blocks"], True, second_relu=True)
    assert np.abs(theirs - reference.network(x, weights, SMALL["blocks"], True)).max() > 0.01 * np.abs(theirs).max()
    for given in (weights, {f"module.{name}": array for name, array in weights.items()}):
        for layout in (None, "torch"):
            with pytest.raises(ValueError, match="legacy_seresnet18.*a ReLU before the gate.*se_module"):
                migrate.attention_resnet(given, layout)


@pytest.mark.parametrize(
    "name, reason", [("layer1.0.se.conv.weight", "efficient channel"), ("conv1.0.weight", "a stem")]
)
def test_parts_that_the_model_lacks_raise_errors(name, reason):
    weights = resnets.weights(**SMALL, attention=resnets.plain)
    with pytest.raises(ValueError, match=f"`weights` must not have {reason}.*Received: {name}"):
        migrate.attention_resnet({**weights, name: np.ones((1, 1, 3))})


def test_reference_depends_on_every_weight():
    """Otherwise the comparison would not test all weights."""
    sizes = {"blocks": (1, 1), "width": 4, "attention": resnets.cbam, "ratio": 2}
    weights, x = resnets.weights(**sizes), resnets.images(9, 12).transpose(0, 3, 1, 2)
    before = reference.network(x, weights, sizes["blocks"])
    for name in weights:
        if not name.endswith("tracked"):
            moved = reference.network(x, {**weights, name: weights[name] + 0.5}, sizes["blocks"])
            assert np.abs(moved - before).max() > 1e-6, name


def test_data_parallel_prefixes_are_removed():
    weights = resnets.weights(**SMALL, attention=resnets.cbam)
    model = migrate.attention_resnet({f"module.{name}": array for name, array in weights.items()})
    check(model, weights, resnets.images(), SMALL["blocks"])


def test_layout_can_be_given():
    weights = resnets.weights(**SMALL, attention=resnets.se_timm)
    expected = {f"layer0.{k}" if k.startswith(("conv1", "bn1")) else k: v for k, v in weights.items()}
    expected = {k.replace("fc.", "last_linear.") if k.startswith("fc.") else k: v for k, v in expected.items()}
    model = migrate.attention_resnet(weights, layout="caffe")
    assert model.layout == "caffe"
    check(model, expected, resnets.images(), SMALL["blocks"], caffe=True)


def test_missing_unknown_and_misshapen_weights_raise_errors():
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
