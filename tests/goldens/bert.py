"""Runs a small BERT of transformers, and stores weights, tokens and outputs; `minilm` does so for the sentence encoder.

    python tests/goldens/bert.py [folder of all-MiniLM-L6-v2]

Needs an environment with transformers and torch; see `README.md`.
"""

import pathlib
import sys

import numpy as np
import torch
import transformers

FOLDER = pathlib.Path(__file__).parent
SENTENCES = [
    "Attention is all you need.",
    "Where does a network look?",
    "Keys, queries and values: a query asks all keys.",
]


def noisy(model, seed):
    """Random values for all weights, near 1 for the scales of normalizations, in float32 after rounding to float16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = "LayerNorm" in name and name.endswith("weight")
            weight.copy_((0.3 * torch.randn(weight.shape, generator=generator) + scale).half().float())
    return model.eval()


def outputs(model, tokens, mask, segments):
    with torch.no_grad():
        found = model(tokens, attention_mask=mask, token_type_ids=segments, output_attentions=True)
    scores = torch.stack(found.attentions)
    return {"states": found.last_hidden_state, "pooled": found.pooler_output, "scores": scores}


def small():
    config = transformers.BertConfig(
        vocab_size=23,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=6,
        intermediate_size=20,
        max_position_embeddings=9,
        attn_implementation="eager",
    )
    model = noisy(transformers.BertModel(config), 0)
    tokens = torch.tensor([[5, 7, 11, 2, 9, 3, 1], [4, 22, 8, 0, 0, 0, 0]])
    segments = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 0, 0, 0, 0]])
    found = {f"weights/{name}": x for name, x in model.state_dict().items()}
    found |= {"tokens": tokens, "segments": segments, **outputs(model, tokens, (tokens != 0).long(), segments)}
    arrays = {}
    for key, x in found.items():
        half = x.is_floating_point() and x.half().float().equal(x)
        arrays[f"bert/{key}"] = x.numpy().astype("float16") if half else x.numpy()
    np.savez_compressed(FOLDER / "bert.npz", **arrays)


def minilm(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    given = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    found = outputs(model, given["input_ids"], given["attention_mask"], given["token_type_ids"])
    mask = given["attention_mask"][..., None]
    mean = (found["states"] * mask).sum(1) / mask.sum(1)
    found |= {"tokens": given["input_ids"], "sentences": torch.nn.functional.normalize(mean)}
    np.savez_compressed(FOLDER / "minilm.npz", **{f"minilm/{name}": x.numpy() for name, x in found.items()})


if __name__ == "__main__":
    small()
    for folder in sys.argv[1:]:
        minilm(folder)
