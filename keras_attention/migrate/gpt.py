"""Conversion of GPT-2's and Llama's weights, as Hugging Face's transformers names them, to `models.GPT`."""

import re
from typing import Any

import numpy as np

from keras_attention.migrate.filling import (
    by_path,
    count_blocks,
    fill,
    find,
    path_in_model,
    require_mapping,
    shape_at,
)
from keras_attention.models import GPT
from keras_attention.models import gpt as gpt_model
from keras_attention.models import llama as llama_model
from keras_attention.ops.require import require_int
from keras_attention.types import Weights

BLOCK = re.compile(r"^(?:h|layers)\.(\d+)\.(.+)$")
LAYERS = {
    "wte": "embedding",
    "wpe": "position",
    "ln_f": "norm",
    "embed_tokens": "embedding",
    "norm": "norm",
    "lm_head": "logits",
}
OF_BLOCKS = {
    "ln_1": "self_attention_norm",
    "attn.c_attn": "self_attention/query,key,value",
    "attn.c_proj": "self_attention/attention_output",
    "ln_2": "feed_forward_norm",
    "mlp.c_fc": "feed_forward/expand",
    "mlp.c_proj": "feed_forward/contract",
    "input_layernorm": "self_attention_norm",
    **{f"self_attn.{name[0]}_proj": f"self_attention/{name}" for name in ("query", "key", "value")},
    "self_attn.o_proj": "self_attention/attention_output",
    "self_attn.q_norm": "self_attention/query_norm",
    "self_attn.k_norm": "self_attention/key_norm",
    "post_attention_layernorm": "feed_forward_norm",
    "mlp.gate_proj": "feed_forward/gate",
    "mlp.up_proj": "feed_forward/expand",
    "mlp.down_proj": "feed_forward/contract",
}
OF_DENSE = {"weight": "kernel", "bias": "bias"}
OF_TABLES = {"embedding": {"weight": "embeddings"}, "logits": {"weight": "embeddings"}, "position": {"weight": "table"}}
CONVOLUTIONS = re.compile(r"\.c_(attn|proj|fc)\.weight$")
NO_DROPOUT = {"dropout": 0.0, "attention_dropout": 0.0}
# Buffers that files of older versions hold: masks and rotation rates.
BUFFERS = re.compile(r"\.attn\.(bias|masked_bias)$|rotary_emb\.inv_freq$")


def gpt2(weights: Weights, num_heads: int, **kwargs: Any) -> GPT:
    r"""Converts the weights of a GPT-2 of Hugging Face's transformers to a `models.GPT`.

    Sizes are inferred from the weights, of `GPT2LMHeadModel` or `GPT2Model`. Fused projections are split:

        h.0.attn.c_attn.weight [D, 3 D] -> self_attention/query, key, value: kernel [D, N, H]
        h.0.attn.c_proj.weight [D, D]   -> self_attention/attention_output: kernel [N, H, D]
        h.0.mlp.c_fc.weight [D, F]      -> feed_forward/expand: kernel [D, F]; mlp.c_proj -> contract
        wte.weight [V, D], wpe.weight [L, D] -> embedding, position; ln_1, ln_2, ln_f -> norms

    Args:
        weights: `{name: array}`: `{k: v.cpu().numpy() for k, v in network.state_dict().items()}`, or what
            `safetensors.numpy.load_file` returns.
        num_heads: Int, attention heads, which the weights do not tell: 12 in GPT-2 small.
        **kwargs: Further arguments of `models.gpt`, such as `epsilon` and `dtype`; dropout is 0 by default.

    Returns:
        A built `models.GPT` with these weights.

    Raises:
        ValueError: If a weight is missing, unknown or of another shape than the model's.

    Example:

    >>> from keras_attention import migrate
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"wte.weight": (20, 8), "wpe.weight": (10, 8), "h.0.attn.c_attn.weight": (8, 24)}
    >>> sizes |= {"h.0.attn.c_proj.weight": (8, 8), "h.0.mlp.c_fc.weight": (8, 12), "h.0.mlp.c_proj.weight": (12, 8)}
    >>> sizes |= {"h.0.attn.c_attn.bias": (24,), "h.0.attn.c_proj.bias": (8,), "h.0.mlp.c_fc.bias": (12,)}
    >>> sizes |= {"h.0.mlp.c_proj.bias": (8,)}
    >>> norms = ("h.0.ln_1", "h.0.ln_2", "ln_f")
    >>> sizes |= {f"{norm}.{kind}": (8,) for norm in norms for kind in ("weight", "bias")}
    >>> model = migrate.gpt2({name: rng.random(size) for name, size in sizes.items()}, num_heads=2)
    >>> tuple(model(np.array([[5, 7, 11]])).shape)
    (1, 3, 20)
    """
    require_mapping(weights)
    # Conv1D of transformers has kernels [in, out].
    turned = {name: np.asarray(x).T if CONVOLUTIONS.search(name) else x for name, x in weights.items()}
    found, tied = _read(turned, {"weight": "gamma", "bias": "beta"})
    hidden = shape_at(found, "block_0/feed_forward/expand/kernel")[0]
    sizes = {"intermediate_dim": hidden, "max_length": shape_at(found, "position/table")[0]}
    model = gpt_model(
        **{**NO_DROPOUT, **_sizes(found), **sizes, "num_heads": num_heads, "tie_embeddings": tied, **kwargs}
    )
    fill(model, found)
    return model


def llama(weights: Weights, num_heads: int, rotary: dict[str, Any] | None = None, **kwargs: Any) -> GPT:
    r"""Converts the weights of a Llama of Hugging Face's transformers to a `models.GPT`; of Qwen 3, too.

    All sizes but those of the arguments are inferred from the weights, so is whether queries and keys are normalized
    and whether the logits have a table of their own:

        layers.0.self_attn.q_proj.weight [N H, D]          -> self_attention/query: kernel [D, N, H]; k_proj, v_proj
        layers.0.self_attn.o_proj.weight [D, N H]          -> self_attention/attention_output: kernel [N, H, D]
        layers.0.mlp.gate_proj, up_proj, down_proj         -> feed_forward/gate, expand, contract: kernels [in, out]
        input_layernorm, post_attention_layernorm, norm    -> norms; q_norm, k_norm -> those of the heads
        embed_tokens.weight [V, D], lm_head.weight [V, D]  -> embedding, logits

    Args:
        weights: `{name: array}`, as of `gpt2`.
        num_heads: Int, `num_attention_heads` of the config, which the weights do not tell. Nor do they the next ones.
        rotary: Dict of arguments of `RotaryEmbedding`, over `{"layout": "halves"}`: `{"max_wavelength": rope_theta}`,
            and `scaling` of Llama 3.1 and later.
        **kwargs: Further arguments of `models.llama`: `epsilon` (`rms_norm_eps`, 1e-5 by default), `dtype`, and
            `attention`, such as `{"sliding_window": 4096}`.

    Returns:
        A built `models.GPT` with these weights.

    Raises:
        ValueError: If a weight is missing, unknown (such as the biases of Qwen 2) or of another shape than the
            model's, or `num_heads` does not fit.

    Example:

    >>> from keras_attention import migrate
    >>> rng = np.random.default_rng(0)
    >>> sizes = {"embed_tokens.weight": (20, 8), "norm.weight": (8,)}
    >>> block = {"self_attn.q_proj": (8, 8), "self_attn.k_proj": (4, 8), "self_attn.v_proj": (4, 8)}
    >>> block |= {"self_attn.o_proj": (8, 8), "mlp.gate_proj": (12, 8), "mlp.up_proj": (12, 8)}
    >>> block |= {"mlp.down_proj": (8, 12)}
    >>> block |= {"input_layernorm": (8,), "post_attention_layernorm": (8,)}
    >>> sizes |= {f"layers.0.{name}.weight": size for name, size in block.items()}
    >>> model = migrate.llama({name: rng.random(size) for name, size in sizes.items()}, num_heads=2)
    >>> model.attention["num_key_value_heads"], tuple(model(np.array([[5, 7, 11]])).shape)
    (1, (1, 3, 20))
    """
    require_mapping(weights)
    require_int(num_heads, "num_heads")
    found, tied = _read(weights, {"weight": "scale"})
    rows = {part: shape_at(found, f"block_0/self_attention/{part}/kernel")[0] for part in ("query", "key")}
    size = rows["query"] // num_heads
    if not size or rows["query"] % num_heads or rows["key"] % size:
        raise ValueError(f"`num_heads` must fit queries and keys with {rows} features. Received: num_heads={num_heads}")
    attention = {"key_dim": size, "value_dim": size, "num_key_value_heads": rows["key"] // size}
    attention |= {"query_key_norm": "block_0/self_attention/query_norm/scale" in found, **kwargs.pop("attention", {})}
    sizes = {"intermediate_dim": shape_at(found, "block_0/feed_forward/gate/kernel")[0], **_sizes(found)}
    sizes |= {"num_heads": num_heads, "attention": attention, "rotary": {"layout": "halves", **(rotary or {})}}
    model = llama_model(**{**sizes, "tie_embeddings": tied, **kwargs})
    fill(model, found)
    return model


def _read(weights, norm):
    """`by_path`, and whether the logits have the table of the embedding."""
    found = by_path({name: x for name, x in weights.items() if not BUFFERS.search(name)}, _path(norm))
    logits = "logits/embeddings"
    tied = logits not in found or np.array_equal(found[logits][1], find(found, "embedding/embeddings")[1])
    if tied:
        found.pop(logits, None)
    return found, tied


def _path(norm):
    """A function from `model.layers.3.mlp.up_proj.weight` to `block_3/feed_forward/expand/kernel`."""

    def kinds(layer):
        return norm if layer.endswith("norm") else OF_TABLES.get(layer, OF_DENSE)

    def path(name):
        rest = re.sub(r"^(transformer|model)\.", "", name)
        block = BLOCK.match(rest)
        given = (block[2], block[1], OF_BLOCKS) if block else (rest, None, LAYERS)
        return path_in_model(*given, kinds) or name

    return path


def _sizes(found):
    tokens, D = shape_at(found, "embedding/embeddings")
    return {"vocabulary_size": tokens, "model_dim": D, "num_layers": count_blocks(found)}
