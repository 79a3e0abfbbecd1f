"""Stores weights, outputs and gradients of PyTorch's attention and Transformer modules beside this file.

It needs PyTorch (commands in `README.md`).
"""

import torch

from tests import goldens
from tests.migrate import torch_modules as modules

CASES = ("fused", "separate_no_bias", "encoder_layer", "decoder_layer_no_bias_first", "transformer")


def main():
    cases = {}
    for name in CASES:
        case = modules.run(name)
        kept = {key: case[key] for key in case if key.startswith(("output", "gradient"))}
        cases[name] = kept | {f"weights/{key}": weight for key, weight in case["weights"].items()}
    goldens.store("torch_modules", cases)


if __name__ == "__main__":
    print(f"torch {torch.__version__}")
    main()
