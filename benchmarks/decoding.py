"""Greedy decoding with the base Transformer beside KerasHub's cached decoder and a PyTorch loop, on a CPU.

    python benchmarks/decoding.py [--repeat 5] [--cores 0,1] [--only "batch 1"]

Vocabulary 8000, source 32, 128 new tokens, random weights (the time does not depend on them), TensorFlow in a graph
and with XLA. `ours, exported` is loaded from a SavedModel. Beside beam search stands greedy decoding of as many rows.
`read` reads the decoder's weights once for each token, by PyTorch's sum: no decoder can be faster. Each candidate runs
in its own process on the same pinned cores. Needs Linux, and keras_hub and torch for their rows.
"""

import tempfile

import pictures
import side_by_side
import tables

VOCABULARY, SOURCE, TOKENS = 8000, 32, 128
LAYERS, WIDTH, HEADS, HIDDEN = 6, 512, 8, 2048
OURS = ("ours", "ours, XLA", "ours, exported")
PEERS = ("KerasHub", "KerasHub, XLA", "PyTorch")
INT8 = ("ours, int8", "ours, int8, XLA")
SEARCH = ("ours", "ours, XLA", "ours, greedy", "ours, greedy, XLA")
ROWS = [
    (("batch 1", "greedy"), {"batch": 1}, (*OURS, *INT8, *PEERS, "read")),
    (("batch 16", "greedy"), {"batch": 16}, (*OURS, *INT8, *PEERS)),
    (("batch 4", "beam 4"), {"batch": 4, "beam": 4}, SEARCH),
]
COLUMNS = (
    *("rows", "search", "candidate", "best ms", "median ms"),
    *("median / ours", "tokens per second", "ms per token", "peak growth MB"),
)
REPEAT = 5
NEEDS = {"KerasHub": "keras_hub", "KerasHub, XLA": "keras_hub", "PyTorch": "torch", "read": "torch"}


def step_of(candidate, batch, tokens=TOKENS, beam=None):
    """A callable that decodes one batch, compiled but not yet run."""
    if candidate == "read":
        return read_weights(tokens)
    if candidate == "PyTorch":
        return torch_step(batch, tokens)
    if "greedy" in candidate:
        batch, beam = batch * beam, None
    if candidate.startswith("KerasHub"):
        return compiled(candidate, None, hub_step(batch, tokens), batch)
    from keras_attention import models

    model = models.transformer_base(VOCABULARY)
    if "int8" in candidate:
        model.quantize("int8")
    return compiled(candidate, model, our_step(model, tokens, beam), batch)


def compiled(candidate, model, decode, batch):
    """A callable that runs `decode(source)` in a graph of TensorFlow, with XLA or from an export if so named."""
    import numpy as np
    import tensorflow as tf

    source = tf.constant(np.random.default_rng(0).integers(1, VOCABULARY, (batch, SOURCE), dtype="int32"))
    if "exported" in candidate:
        loaded = exported(model, decode)
        return lambda: loaded.signatures["serving_default"](source=source)["outputs"].numpy()
    run = tf.function(decode, jit_compile="XLA" in candidate).get_concrete_function(source)
    return lambda: run(source).numpy()


def exported(model, decode):
    """What TensorFlow loads from a SavedModel of `decode`."""
    import tensorflow as tf

    from keras_attention.export import export_saved_model

    signature = decode, [tf.TensorSpec((None, None), "int32", "source")]
    with tempfile.TemporaryDirectory() as folder:
        path = export_saved_model(model, folder, signatures={"serving_default": signature}, verify=False)
        return tf.saved_model.load(str(path))


def our_step(model, tokens, beam):
    """Greedy decoding or beam search with a model of this library."""
    from keras_attention import decoding

    def decode(source):
        cache, start = model.start(source, max_length=tokens), source[:, 0]
        if beam:
            return decoding.beam_search(model.step, cache, start, tokens, None, beam_size=beam)[0]
        return decoding.greedy(model.step, cache, start, tokens, None)

    return decode


def hub_step(batch, tokens):
    """The same network of KerasHub's layers, with its caches for the target and for the source."""
    import keras
    import keras_hub

    ops = keras.ops
    options = {"intermediate_dim": HIDDEN, "num_heads": HEADS}
    embed = keras_hub.layers.TokenAndPositionEmbedding(VOCABULARY, max(tokens, SOURCE), WIDTH, tie_weights=True)
    encoders = [keras_hub.layers.TransformerEncoder(**options) for _ in range(LAYERS)]
    decoders = [keras_hub.layers.TransformerDecoder(**options) for _ in range(LAYERS)]

    def encode(source):
        x = embed(source)
        for layer in encoders:
            x = layer(x)
        return x

    def step(token, memory, index, caches):
        x = embed(token[:, None], start_index=index)
        written = []
        for layer, (own, crossed) in zip(decoders, caches):
            x, own, crossed = layer(
                x,
                memory,
                self_attention_cache=own,
                self_attention_cache_update_index=index,
                cross_attention_cache=crossed,
            )
            written.append((own, crossed))
        return embed.token_embedding(x[:, 0], reverse=True), written

    def start(memory):
        """Empty caches of the target; those of the source, written by one call."""
        size = WIDTH // HEADS
        own = ops.zeros((batch, 2, tokens, HEADS, size))
        empty = ops.zeros((batch, 2, SOURCE, HEADS, size))
        x = ops.zeros((batch, 1, WIDTH))
        caches = []
        for layer in decoders:
            options = {"self_attention_cache": own, "self_attention_cache_update_index": 0}
            options |= {"cross_attention_cache": empty, "cross_attention_cache_update_index": 0}
            caches.append((own, layer(x, memory, **options)[2]))
        return caches

    def decode(source):
        memory = encode(source)

        def body(index, token, written, caches):
            logits, caches = step(token, memory, index, caches)
            token = ops.cast(ops.argmax(logits, axis=-1), "int32")
            written = ops.slice_update(written, (0, index), token[:, None])
            return index + 1, token, written, caches

        state = (0, source[:, 0], ops.zeros((batch, tokens), "int32"), start(memory))
        return ops.while_loop(lambda index, *_: index < tokens, body, state, maximum_iterations=tokens)[2]

    embed.build((None, None))
    for layer in encoders:
        layer.build((batch, SOURCE, WIDTH))
    for layer in decoders:
        layer.build((batch, tokens, WIDTH), (batch, SOURCE, WIDTH))
    return decode


def torch_step(batch, tokens):
    """Greedy decoding written by hand: fused projections, caches [B, N, L, H] that are written in place."""
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    size = WIDTH // HEADS

    def weight(*shape):
        return torch.randn(shape) * 0.03

    table, positions = weight(VOCABULARY, WIDTH), weight(max(tokens, SOURCE), WIDTH)
    names = {
        "project": (3 * WIDTH, WIDTH),
        "leave": (WIDTH, WIDTH),
        "ask": (WIDTH, WIDTH),
        "leave_memory": (WIDTH, WIDTH),
    }
    names |= {"expand": (HIDDEN, WIDTH), "contract": (WIDTH, HIDDEN)}
    layers = [{name: weight(*shape) for name, shape in names.items()} for _ in range(LAYERS)]

    def norm(x):
        return functional.layer_norm(x, (WIDTH,))

    def heads(x):
        return x.unflatten(-1, (HEADS, size)).transpose(1, 2)

    def attend(q, k, v):
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    @torch.no_grad()
    def decode():
        shape = (batch, HEADS, tokens, size)
        caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in layers]
        memories = [tuple(torch.randn(batch, HEADS, SOURCE, size) for _ in range(2)) for _ in layers]
        token, written = torch.ones(batch, dtype=torch.long), torch.zeros(batch, tokens, dtype=torch.long)
        for index in range(tokens):
            x = (table[token] * WIDTH**0.5 + positions[index])[:, None]
            for layer, (keys, values), memory in zip(layers, caches, memories):
                q, k, v = (heads(y) for y in functional.linear(x, layer["project"]).chunk(3, -1))
                keys[:, :, index], values[:, :, index] = k[:, :, 0], v[:, :, 0]
                y = attend(q, keys[:, :, : index + 1], values[:, :, : index + 1])
                x = norm(x + functional.linear(y, layer["leave"]))
                y = attend(heads(functional.linear(x, layer["ask"])), *memory)
                x = norm(x + functional.linear(y, layer["leave_memory"]))
                y = functional.linear(functional.relu(functional.linear(x, layer["expand"])), layer["contract"])
                x = norm(x + y)
            token = written[:, index] = functional.linear(x[:, 0], table).argmax(-1)
        return written

    return decode


def read_weights(tokens):
    """Reads as many bytes as the decoder's weights have, once for each token."""
    import torch

    block = 3 * WIDTH * WIDTH + 3 * WIDTH * WIDTH + 2 * WIDTH * HIDDEN
    weights = torch.ones(LAYERS * block + VOCABULARY * WIDTH)

    def read():
        for _ in range(tokens):
            weights.sum()

    return read


def show(results, batch, tokens=TOKENS, beam=1):
    for name, (times, growth) in results.items():
        middle, rows = tables.median(times), batch * beam
        beside = tables.ratio(results, name, "ours") or "1.00" * (name == "ours")
        speed = f"{rows * tokens / middle:.0f}", f"{1e3 * middle / tokens:.2f}"
        yield f"{1e3 * min(times):.0f}", f"{1e3 * middle:.0f}", beside, *speed, f"{growth:.0f}"


def draw(found):
    return pictures.bars(speeds(found), "tokens per second")


def speeds(found):
    """{title of a row: {candidate: tokens per second}}."""
    return {
        ", ".join(labels): {
            name: options["batch"] * options.get("beam", 1) * TOKENS / tables.median(times)
            for name, (times, _) in tables.measured(results).items()
        }
        for (labels, options, _), results in found
    }


if __name__ == "__main__":
    side_by_side.main(__file__)
