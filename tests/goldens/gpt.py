"""Runs small GPT-2, Llama and Qwen3 networks of transformers, and stores weights, tokens, logits and generated tokens.

Needs an environment with transformers and torch; see `README.md`.
"""

import pathlib

import numpy as np
import torch
import transformers

PATH = pathlib.Path(__file__).parent / "gpt.npz"
SIZES = {"vocab_size": 23, "num_hidden_layers": 2, "hidden_size": 24, "num_attention_heads": 6}
ROPE = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_theta": 50.0}
ROPE |= {"original_max_position_embeddings": 16}
GATED = {**SIZES, "intermediate_size": 20, "num_key_value_heads": 2, "attn_implementation": "eager"}


def networks():
    """Yields (name, network)."""
    yield (
        "gpt2",
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=23, n_layer=2, n_embd=24, n_head=6, n_positions=16, n_inner=20, attn_implementation="eager"
            )
        ),
    )
    llama = {"rope_parameters": ROPE, "rms_norm_eps": 1e-5}
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(**GATED, **llama))
    qwen = {"head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 50.0}, "rms_norm_eps": 1e-6}
    tied = {"tie_word_embeddings": True}
    yield "qwen3", transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**GATED, **qwen, **tied))


def noisy(model, seed):
    """Random values for all weights, near 1 for the scales of normalizations, in float32 after rounding to float16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = ("norm" in name or ".ln_" in name) and name.endswith("weight")
            weight.copy_((0.3 * torch.randn(weight.shape, generator=generator) + scale).half().float())
    return model.eval()


def main():
    arrays, generator = {}, torch.Generator().manual_seed(9)
    tokens = torch.randint(0, 23, (2, 7), generator=generator)
    mask = torch.ones((2, 7), dtype=torch.long)
    mask[0, :3] = 0
    with torch.no_grad():
        for seed, (name, network) in enumerate(networks()):
            model = noisy(network, seed)
            found = {f"weights/{key}": x for key, x in model.state_dict().items()}
            whole = model(tokens, output_attentions=True)
            generated = model.generate(tokens, attention_mask=mask, max_new_tokens=5, do_sample=False, pad_token_id=0)
            found |= {"tokens": tokens, "mask": mask, "logits": whole.logits, "scores": torch.stack(whole.attentions)}
            for key, x in (found | {"generated": generated[:, 7:]}).items():
                half = x.is_floating_point() and x.half().float().equal(x)
                array = x.numpy()
                arrays[f"{name}/{key}"] = array.astype("float16") if half else array
    np.savez_compressed(PATH, **arrays)


if __name__ == "__main__":
    main()
