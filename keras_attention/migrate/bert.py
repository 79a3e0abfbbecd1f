"""Conversion of BERT's weights, as Hugging Face's transformers names them, to `models.BERT`."""

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
from keras_attention.models import BERT
from keras_attention.ops.require import require_bool
from keras_attention.types import Weights

BLOCK = re.compile(r"^encoder\.layer\.(\d+)\.(.+)$")
LAYERS = {
    "embeddings.word_embeddings": "embedding",
    "embeddings.position_embeddings": "position",
    "embeddings.token_type_embeddings": "segment_embedding",
    "embeddings.LayerNorm": "embedding_norm",
    "pooler.dense": "pooler",
}
OF_BLOCKS = {
    **{f"attention.self.{name}": f"self_attention/{name}" for name in ("query", "key", "value")},
    "attention.output.dense": "self_attention/attention_output",
    "attention.output.LayerNorm": "self_attention_norm",
    "intermediate.dense": "feed_forward/expand",
    "output.dense": "feed_forward/contract",
    "output.LayerNorm": "feed_forward_norm",
}
OF_NORMS = {"weight": "gamma", "bias": "beta", "gamma": "gamma", "beta": "beta"}
OF_DENSE = {"weight": "kernel", "bias": "bias"}
OF_TABLES = {"embedding": "embeddings", "segment_embedding": "embeddings", "position": "table"}
IGNORED = re.compile(r"position_ids$|^cls\.")  # a buffer of positions, and the heads of pre-training


def bert(weights: Weights, num_heads: int, segments: bool = True, **kwargs: Any) -> BERT:
    r"""Converts the weights of a BERT of Hugging Face's transformers to a `models.BERT`; of MiniLM and its kin, too.

    Sizes are inferred from the weights, of `BertModel` or a model around it (names with `bert.` before them; heads of
    pre-training, `cls.`, are left out):

        encoder.layer.0.attention.self.query.weight [D, D]   -> self_attention/query: kernel [D, N, H]; key, value
        encoder.layer.0.attention.output.dense.weight [D, D] -> self_attention/attention_output: kernel [N, H, D]
        encoder.layer.0.intermediate.dense, output.dense     -> feed_forward/expand, contract: kernels [in, out]
        LayerNorm.weight, bias (gamma, beta in older files)  -> norms: gamma, beta
        embeddings.word_embeddings, position_embeddings, token_type_embeddings -> embedding, position, segment_embedding

    Args:
        weights: `{name: array}`, such as what `safetensors.numpy.load_file` returns.
        num_heads: Int, `num_attention_heads` of the config, which the weights do not tell.
        segments: Whether the model has the input "segments". `False` adds the row of segment 0 to the positions: the
            same outputs for texts of one segment, from tokens alone.
        **kwargs: Further arguments of `models.bert`, such as `epsilon` and `dtype`; dropout is 0 by default.

    Returns:
        A built `models.BERT` with these weights, with a pooler if they have one.

    Raises:
        ValueError: If a weight is missing, unknown or of another shape than the model's.

    Example:

    >>> from keras_attention import migrate
    >>> rng = np.random.default_rng(0)
    >>> rows = {"word": 20, "position": 9, "token_type": 2}
    >>> sizes = {f"embeddings.{name}_embeddings": (count, 8) for name, count in rows.items()}
    >>> block = {f"attention.{name}": (8, 8) for name in ("self.query", "self.key", "self.value", "output.dense")}
    >>> block |= {"intermediate.dense": (12, 8), "output.dense": (8, 12)}
    >>> block |= {"attention.output.LayerNorm": (8,), "output.LayerNorm": (8,)}
    >>> sizes |= {"embeddings.LayerNorm": (8,), **{f"encoder.layer.0.{name}": size for name, size in block.items()}}
    >>> weights = {f"{name}.weight": rng.random(size) for name, size in sizes.items()}
    >>> weights |= {f"{n}.bias": rng.random(size[0]) for n, size in sizes.items() if "_embeddings" not in n}
    >>> model = migrate.bert(weights, num_heads=2, segments=False)
    >>> tuple(model({"tokens": np.array([[5, 7, 11]])})["states"].shape)
    (1, 3, 8)
    """
    require_mapping(weights)
    named = {re.sub(r"^bert\.", "", name): np.asarray(x) for name, x in weights.items()}
    found = by_path({name: x for name, x in named.items() if not IGNORED.search(name)}, _path)
    if not require_bool(segments, "segments"):
        _, rows = find(found, "segment_embedding/embeddings")
        name, table = find(found, "position/table")
        found["position/table"] = name, table.astype("float32") + rows[:1]
        found.pop("segment_embedding/embeddings")
    sizes = _sizes(found, segments)
    model = BERT(**{"dropout": 0.0, "attention_dropout": 0.0, **sizes, "num_heads": num_heads, **kwargs})
    fill(model, found)
    return model


def _sizes(found, segments):
    tokens, D = shape_at(found, "embedding/embeddings")
    return {
        "vocabulary_size": tokens,
        "model_dim": D,
        "num_layers": count_blocks(found),
        "intermediate_dim": shape_at(found, "block_0/feed_forward/expand/kernel")[0],
        "max_length": shape_at(found, "position/table")[0],
        "num_segments": shape_at(found, "segment_embedding/embeddings")[0] if segments else None,
        "pooler": "pooler/kernel" in found,
    }


def _path(name):
    """`encoder.layer.3.intermediate.dense.weight` -> `block_3/feed_forward/expand/kernel`."""
    block = BLOCK.match(name)
    given = (block[2], block[1], OF_BLOCKS) if block else (name, None, LAYERS)
    return path_in_model(*given, _kinds) or name


def _kinds(layer):
    if layer.endswith("norm"):
        return OF_NORMS
    return {"weight": OF_TABLES[layer]} if layer in OF_TABLES else OF_DENSE
