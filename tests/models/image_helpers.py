"""Shared helpers of the Image Transformer tests: small models with random weights, and their inputs."""

import numpy as np
from keras import ops

from keras_attention.models import image_transformer
from keras_attention.ops.pixel_order import to_sequence
from tests.models.helpers import attention_weights, noisy, norm_weights, numpy

SIZES = {"num_layers": 2, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20, "key_dim": 5, "dropout": 0.0}
SIZE, SOURCE_SIZE = (3, 4), (2, 5)
VARIANTS = {
    "1d": {"query_block": 5, "memory_block": 7},
    "2d": {"query_block": (2, 5), "memory_block": (1, 2)},
    "2d-learned": {
        "query_block": (2, 3),
        "memory_block": (1, 2),
        "position_encoding": "learned",
        "max_size": (9, 8),
    },
    "2d-reference-classes-pre-norm": {
        "query_block": (2, 5),
        "memory_block": (1, 2),
        "variant": "reference",
        "num_classes": 4,
        "norm_first": True,
    },
    "mixture-2d-grey": {
        "query_block": (2, 3),
        "memory_block": (1, 1),
        "likelihood": "logistic_mixture",
        "num_mixtures": 2,
        "channels": 1,
    },
    "mixture-1d-classes": {
        "query_block": 3,
        "memory_block": 2,
        "likelihood": "logistic_mixture",
        "num_mixtures": 2,
        "num_classes": 4,
    },
    "super-resolution": {"query_block": 5, "memory_block": 4, "num_encoder_layers": 1},
    "mixture-super-resolution-pre-norm": {
        "query_block": (2, 3),
        "memory_block": (1, 2),
        "num_encoder_layers": 2,
        "likelihood": "logistic_mixture",
        "num_mixtures": 2,
        "norm_first": True,
        "variant": "reference",
    },
}


def small(**arguments):
    return noisy(image_transformer(**{**SIZES, **arguments}))


def inputs_of(model, batch=2, size=SIZE, seed=0):
    """Random inputs of the model."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (batch, *size, model.channels)).astype("int32")
    given = {"image": image}
    if model.num_classes:
        given["label"] = np.arange(1, batch + 1, dtype="int32") % model.num_classes
    if model.num_encoder_layers:
        given["source"] = rng.integers(0, 256, (batch, *SOURCE_SIZE, model.channels)).astype("int32")
    return given if len(given) > 1 else image


def image_of(inputs):
    return inputs["image"] if isinstance(inputs, dict) else inputs


def condition(inputs):
    """Arguments of `start` except the size."""
    if not isinstance(inputs, dict):
        return {"batch_size": len(inputs)}
    return {name: x for name, x in inputs.items() if name != "image"}


def in_order(model, outputs):
    """Outputs of the model [B, Y, X, ..., V] -> [B, L, V] in generation order."""
    B, Y, V = outputs.shape[0], outputs.shape[1], outputs.shape[-1]
    block = None if isinstance(model.query_block, int) else model.query_block
    return numpy(to_sequence(ops.reshape(outputs, (B, Y, -1, V)), block))


def block_weights(block):
    weights = {"self": attention_weights(block.self_attention), "self_norm": norm_weights(block.self_attention_norm)}
    if getattr(block, "memory_attention", None) is not None:
        weights["memory"] = attention_weights(block.memory_attention)
        weights["memory_norm"] = norm_weights(block.memory_attention_norm)
    ffn = [numpy(w).astype("float64") for w in block.feed_forward.weights]
    return {
        **weights,
        "ffn": dict(zip(("W1", "b1", "W2", "b2"), ffn, strict=True)),
        "ffn_norm": norm_weights(block.feed_forward_norm),
    }


def weights_of(model):
    """All weights in the format of tests/reference/image_transformer.py."""
    layers = {layer.name: layer for layer in model.layers}

    def matrices(name, *keys):
        return dict(zip(keys, (numpy(w).astype("float64") for w in layers[name].weights)))

    categorical = model.likelihood == "categorical"
    names = ("table",) if categorical else ("W", "b")
    weights = {"head": matrices("logits" if categorical else "parameters", "W", "b")}
    if model.num_classes:
        weights["classes"] = numpy(layers["class_embedding"].embeddings).astype("float64")
    counts = {"decoder": model.num_layers, "encoder": model.num_encoder_layers}
    for side, count in counts.items():
        if count and f"{side}_position" in layers:
            weights[f"{side}_position"] = [numpy(w).astype("float64") for w in layers[f"{side}_position"].weights]
        if count:
            weights[f"{side}_embedding"] = matrices(f"{side}_embedding", *names)
            weights[side] = [block_weights(layers[f"{side}_block_{i}"]) for i in range(count)]
            weights[f"{side}_norm"] = norm_weights(layers.get(f"{side}_norm"))
    return weights
