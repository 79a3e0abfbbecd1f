"""Stores logits of small timm ResNets with random weights beside this file.

It needs PyTorch and timm (commands in `README.md`). The weights and images are not stored, only their names and shapes:
`tests.migrate.resnets` makes them again.
"""

import timm
import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from timm.models.senet import SENet, SEResNetBottleneck

from tests import goldens
from tests.migrate import resnets

CLASSES = 7
CASES = {
    "resnet": lambda: ResNet(Bottleneck, (2, 1, 1, 1), CLASSES),
    "seresnet": lambda: ResNet(BasicBlock, (1, 2, 1, 1), CLASSES, block_args={"attn_layer": "se"}),
    "legacy_seresnet": lambda: SENet(SEResNetBottleneck, (1, 2, 1, 1), 1, 16, num_classes=CLASSES),
}


def run(net):
    """The shapes of the weights and, with random weights, the logits."""
    shapes = {name: tuple(weight.shape) for name, weight in net.state_dict().items()}
    net.load_state_dict({name: torch.from_numpy(array) for name, array in resnets.fill(shapes).items()})
    with torch.no_grad():
        logits = net.eval()(torch.from_numpy(resnets.images(33, 46).transpose(0, 3, 1, 2))).numpy()
    return shapes, logits


def main():
    cases = {}
    for case, make in CASES.items():
        shapes, logits = run(make())
        written = [",".join(map(str, shape)) for shape in shapes.values()]
        cases[case] = {"names": list(shapes), "shapes": written, "logits": logits}
    goldens.store("timm_resnets", cases)


if __name__ == "__main__":
    print(f"timm {timm.__version__}")
    main()
