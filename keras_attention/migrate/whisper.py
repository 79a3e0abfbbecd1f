"""Conversion of Whisper's weights, as transformers, OpenAI and CTranslate2 name them, to `models.Whisper`."""

import re
from typing import Any

import numpy as np

from keras_attention.migrate.filling import by_path, fill, find, path_in_model, require_mapping, shape_at
from keras_attention.models import Whisper
from keras_attention.models.whisper import PER_POSITION
from keras_attention.types import Weights

BLOCK = re.compile(r"^(encoder|decoder)\.(?:layers\.|blocks\.|layer_)(\d+)\.(.+)$")
PARTS = ("query", "key", "value")
# Of transformers, OpenAI and CTranslate2.
LAYERS = {
    "encoder.conv1": "conv_1",
    "encoder.conv2": "conv_2",
    **dict.fromkeys(("encoder.layer_norm", "encoder.ln_post"), "encoder_norm"),
    **dict.fromkeys(("decoder.layer_norm", "decoder.ln"), "decoder_norm"),
    **dict.fromkeys(("decoder.embed_tokens", "decoder.token_embedding", "decoder.embeddings"), "embedding"),
    **dict.fromkeys(("proj_out", "decoder.projection"), "logits"),
    **{
        f"{stack}.{name}": f"{stack}_position"
        for stack in ("encoder", "decoder")
        for name in ("embed_positions", "positional_embedding", "position_encodings")
    },
}
OF_BLOCKS = {
    **{f"self_attn.{part[0]}_proj": f"self_attention/{part}" for part in PARTS},
    **{f"attn.{part}": f"self_attention/{part}" for part in PARTS},
    "self_attention.linear_0": "self_attention/query,key,value",
    **dict.fromkeys(("self_attn.out_proj", "attn.out", "self_attention.linear_1"), "self_attention/attention_output"),
    **dict.fromkeys(("self_attn_layer_norm", "attn_ln", "self_attention.layer_norm"), "self_attention_norm"),
    **{f"encoder_attn.{part[0]}_proj": f"memory_attention/{part}" for part in PARTS},
    **{f"cross_attn.{part}": f"memory_attention/{part}" for part in PARTS},
    "attention.linear_0": "memory_attention/query",
    "attention.linear_1": "memory_attention/key,value",
    **dict.fromkeys(
        ("encoder_attn.out_proj", "cross_attn.out", "attention.linear_2"), "memory_attention/attention_output"
    ),
    **dict.fromkeys(("encoder_attn_layer_norm", "cross_attn_ln", "attention.layer_norm"), "memory_attention_norm"),
    **dict.fromkeys(("fc1", "mlp.0", "ffn.linear_0"), "feed_forward/expand"),
    **dict.fromkeys(("fc2", "mlp.2", "ffn.linear_1"), "feed_forward/contract"),
    **dict.fromkeys(("final_layer_norm", "mlp_ln", "ffn.layer_norm"), "feed_forward_norm"),
}
OF_NORMS = {"weight": "gamma", "bias": "beta", "gamma": "gamma", "beta": "beta"}
OF_DENSE = {"weight": "kernel", "bias": "bias"}
OF_TABLES = {
    **{layer: {"weight": "embeddings"} for layer in ("embedding", "logits")},
    **{f"{stack}_position": {"weight": "table", "encodings": "table"} for stack in ("encoder", "decoder")},
}
# What CTranslate2 stores beside the weights; the activation is GELU.
SETTINGS = {"activation": 3, "pre_norm": 1, "alibi": 0, "scale_embeddings": 0, "start_from_zero_embedding": 0}
IGNORED = ("num_heads", "alignment_heads", "alignment_layer")
HEAD = 64  # features of a head of every published model


def whisper(weights: Weights, num_heads: int | None = None, **kwargs: Any) -> Whisper:
    r"""Converts the weights of a Whisper to a `models.Whisper`.

    Sizes are inferred from the weights, of `WhisperForConditionalGeneration` of Hugging Face's transformers, of
    OpenAI's package, or of CTranslate2 (`read_ctranslate2`, the files of faster-whisper; not those in int8):

        encoder.layers.0.self_attn.q_proj.weight [D, D]    -> self_attention/query: kernel [D, N, H]; k_proj, v_proj
        decoder.layers.0.encoder_attn.out_proj.weight [D, D] -> memory_attention/attention_output: kernel [N, H, D]
        encoder.layers.0.fc1.weight [F, D], fc2.weight [D, F] -> feed_forward/expand, contract: kernels [in, out]
        encoder.conv1.weight [D, M, 3], conv2.weight [D, D, 3] -> conv_1, conv_2: kernels [3, in, out]
        decoder.embed_tokens.weight [V, D], embed_positions.weight [T, D] -> embedding, decoder_position
        encoder.embed_positions.weight [S, D]              -> encoder_position

    Keys have no bias: that of the model is 0.

    Args:
        weights: `{name: array}`: `{k: v.cpu().numpy() for k, v in network.state_dict().items()}`, or what
            `safetensors.numpy.load_file` or `read_ctranslate2` return.
        num_heads: Int; `None`: heads of 64 features, as in all published models.
        **kwargs: Further arguments of `models.whisper`, such as `dtype`.

    Returns:
        A built `models.Whisper` with these weights.

    Raises:
        ValueError: If a weight is missing, unknown or of another shape than the model's, or the network is not a
            Whisper: with another activation, or with a table of its own for the logits.

    Example:

    >>> from keras_attention import migrate, models
    >>> sizes = {"num_encoder_layers": 1, "num_decoder_layers": 1, "model_dim": 12, "intermediate_dim": 16}
    >>> with_another_name = {"conv1.weight": np.ones((12, 80, 3))}
    >>> migrate.whisper(with_another_name)
    Traceback (most recent call last):
        ...
    ValueError: `weights` must have an array for `embedding/embeddings` of the model. Received: conv1.weight
    """
    require_mapping(weights)
    found = by_path({name: x for name, x in _named(weights).items() if not _is_setting(name, x)}, _path)
    sizes = _sizes(found)
    sizes["num_heads"] = max(1, sizes["model_dim"] // HEAD) if num_heads is None else num_heads
    _take_logits(found)
    for path, (name, kernel) in list(found.items()):
        if path.endswith("/key/kernel"):
            found.setdefault(path.replace("kernel", "bias"), (name, np.zeros(len(kernel))))
    model = Whisper(**{**sizes, **kwargs})
    fill(model, found)
    return model


def _named(weights):
    """The weights with dots in their names, without a prefix."""
    named = {}
    for name, x in weights.items():
        name = re.sub(r"^model\.", "", name.replace("/", "."))
        named[f"{name}.weight" if name.endswith("positional_embedding") else name] = x
    return named


def _is_setting(name, x):
    """Whether CTranslate2 stores a setting by this name; raises if the model has it otherwise."""
    stack, _, kind = name.partition(".")
    if stack not in ("encoder", "decoder") or kind not in (*SETTINGS, *IGNORED):
        return False
    if kind in SETTINGS and int(np.asarray(x)) != SETTINGS[kind]:
        raise ValueError(
            f"`weights` must be of a Whisper: `{name}` is {SETTINGS[kind]}. Received: {int(np.asarray(x))}"
        )
    return True


def _path(name):
    """`encoder.layers.3.fc1.weight` -> `encoder_block_3/feed_forward/expand/kernel`."""
    block = BLOCK.match(name)
    if block is None:
        return path_in_model(name, None, LAYERS, _kinds) or name
    path = path_in_model(block[3], None, OF_BLOCKS, _kinds)
    return name if path is None else f"{block[1]}_block_{block[2]}/{path}"


def _kinds(layer):
    return OF_NORMS if layer.endswith("norm") else OF_TABLES.get(layer, OF_DENSE)


def _sizes(found):
    tokens, D = shape_at(found, "embedding/embeddings")
    blocks = re.findall(r"^(encoder|decoder)_block_(\d+)/", "\n".join(found), re.MULTILINE)
    return {
        "vocabulary_size": tokens,
        "model_dim": D,
        **{
            f"num_{s}_layers": 1 + max((int(n) for of, n in blocks if of == s), default=0)
            for s in ("encoder", "decoder")
        },
        "intermediate_dim": shape_at(found, "encoder_block_0/feed_forward/expand/kernel")[0],
        "max_length": shape_at(found, "decoder_position/table")[0],
        "audio_length": PER_POSITION * shape_at(found, "encoder_position/table")[0],
        "num_bins": shape_at(found, "conv_1/kernel", 3)[1],
    }


def _take_logits(found):
    """Removes the table of the logits, which must be that of the embedding."""
    name, table = found.pop("logits/embeddings", (None, None))
    if name and not np.array_equal(table, find(found, "embedding/embeddings")[1]):
        raise ValueError(f"`{name}` must be the table of the embedding. Received: another one")
