"""Runs small Vision Transformers of transformers, timm and torchvision, and stores weights, images and outputs.

Needs an environment with these libraries; see `README.md`.
"""

import pathlib
import tempfile

import numpy as np
import timm
import torch
import torchvision
import transformers
from safetensors.torch import load_file

PATH = pathlib.Path(__file__).parent / "vision_transformer.npz"
WIDE = {"image_size": (6, 12), "patch_size": (2, 3)}  # 3 rows and 4 columns of patches
HEADS = 3


def noisy(model, seed):
    """Random values for all weights, near 1 for the scales of normalizations, in float32 after rounding to float16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = "norm" in name or ".ln" in name
            noise = 0.3 * torch.randn(weight.shape, generator=generator)
            weight.copy_((noise + (scale and name.endswith("weight"))).half().float())
    return model.eval()


def of_file(model):
    """The weights by the names of the file that transformers writes."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(f"{folder}/model.safetensors")


def images(rows, columns):
    generator = torch.Generator().manual_seed(rows)
    return torch.randn((2, 3, rows, columns), generator=generator).half().float()


def of_transformers():
    config = transformers.ViTConfig(
        **WIDE,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=20,
        num_labels=5,
        attn_implementation="eager",
    )
    x = images(*WIDE["image_size"])
    classifier = noisy(transformers.ViTForImageClassification(config), 0)
    found = classifier(x, output_attentions=True)
    hidden = classifier.vit(x).last_hidden_state
    outputs = {"image": x, "output": found.logits, "hidden": hidden, "scores": torch.stack(found.attentions)}
    yield "transformers-classifier", {"weights": of_file(classifier), **outputs}
    yield "transformers-state-dict", {"weights": classifier.state_dict(), **outputs}
    model = noisy(transformers.ViTModel(config), 1)
    found = model(x)
    outputs = {"output": found.pooler_output, "hidden": found.last_hidden_state}
    yield "transformers-model", {"weights": of_file(model), "image": x, **outputs}


def of_timm():
    sizes = {"img_size": WIDE["image_size"], "patch_size": WIDE["patch_size"], "embed_dim": 12, "depth": 2}
    sizes |= {"num_heads": HEADS, "mlp_ratio": 2, "num_classes": 5}
    x = images(*WIDE["image_size"])
    means = {"class_token": False, "global_pool": "avg", "fc_norm": False}
    for name, options in {"timm": {}, "timm-mean": means}.items():
        model = noisy(timm.models.VisionTransformer(**sizes, **options), 2)
        outputs = {"output": model(x), "hidden": model.forward_features(x)}
        yield name, {"weights": model.state_dict(), "image": x, **outputs}


def of_torchvision():
    sizes = {"image_size": 6, "patch_size": 2, "num_layers": 2, "num_heads": HEADS, "hidden_dim": 12, "mlp_dim": 20}
    model = noisy(torchvision.models.VisionTransformer(**sizes, num_classes=5, representation_size=7), 3)
    x = images(6, 6)
    yield "torchvision", {"weights": model.state_dict(), "image": x, "output": model(x)}


def main():
    arrays = {}
    with torch.no_grad():
        for generate in (of_transformers, of_timm, of_torchvision):
            for case, found in generate():
                weights = {f"{case}/weights/{name}": x for name, x in found.pop("weights").items()}
                for key, x in (weights | {f"{case}/{name}": x for name, x in found.items()}).items():
                    half = x.half().float().equal(x)  # weights and images, exactly
                    arrays[key] = x.numpy().astype("float16" if half else "float32")
    np.savez_compressed(PATH, **arrays)


if __name__ == "__main__":
    main()
