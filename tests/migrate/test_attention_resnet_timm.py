"""timm's own networks with random weights, at their real sizes: equal logits, or an error."""

import keras
import numpy as np
import pytest

from keras_attention import migrate
from tests.backend import numpy
from tests.migrate import resnets

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

DEPTHS = {"resnet": (18, 26, 34, 50, 101, 152), "seresnet": (18, 34, 50, 101, 152), "legacy_seresnet": (50, 101, 152)}
SAME = [f"{family}{depth}" for family, depths in DEPTHS.items() for depth in depths]
# Other logits with the same names and shapes of all weights; see the docstring of `attention_resnet`.
ANTI_ALIASED = ("resnetaa50", "resnetblur18", "resnetblur50")
OTHERS = {
    "must not have a stem of three convolutions": ("resnet26d", "resnet50t", "resnet101c", "seresnet50t", "resnetrs50"),
    "must not have efficient channel attention": ("ecaresnet26t", "ecaresnetlight"),
    "a ReLU before the gate": ("legacy_seresnet18", "legacy_seresnet34"),
    "must have a `bn1.running_mean`": ("resnet50_gn",),
    "must fit": ("resnext50_32x4d", "wide_resnet50_2", "legacy_seresnext26_32x4d"),
}
REFUSED = [(name, reason) for reason, names in OTHERS.items() for name in names]


def network(name):
    """A network of timm with random weights, and these."""
    net = timm.create_model(name, num_classes=11).eval()
    weights = resnets.fill({name: tuple(weight.shape) for name, weight in net.state_dict().items()}, seed=1)
    net.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return net, weights


@pytest.fixture(autouse=True)
def free_memory():
    yield
    keras.backend.clear_session()


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
def test_equals_timm(name):
    net, weights = network(name)
    x = resnets.images(65, 91)
    with torch.no_grad():
        logits = net(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    largest = np.abs(logits).max()
    assert logits.std() > 0.1 * largest
    np.testing.assert_allclose(numpy(migrate.attention_resnet(weights)(x)), logits, rtol=0, atol=1e-5 * largest)


@pytest.mark.slow
@pytest.mark.parametrize("name, reason", REFUSED)
def test_other_networks_of_timm_raise_errors(name, reason):
    with pytest.raises(ValueError, match=reason):
        migrate.attention_resnet(network(name)[1])


@pytest.mark.slow
def test_all_sizes_of_the_three_families_are_tested():
    found = {name for name in timm.list_models() for family in DEPTHS if name.removeprefix(family).isdigit()}
    assert found - {"resnet200"} == {*SAME, *OTHERS["a ReLU before the gate"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ANTI_ALIASED)
def test_anti_aliased_networks_cannot_be_told_apart(name):
    def shapes(name):
        return {key: tuple(w.shape) for key, w in timm.create_model(name).state_dict().items() if "tracked" not in key}

    assert shapes(name) == shapes(name.replace("aa", "").replace("blur", ""))
