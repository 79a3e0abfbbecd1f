"""Costs of the layers of docs/which.md, from formulas.

    python benchmarks/which.py

Writes the tables between the markers of the page. Nothing is measured.
"""

import pathlib

import tables

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "which.md"
D, N = 512, 4096  # features of a position, and positions of a long sequence
SEQUENCE, LONG, PAIR = ((1, 128, D),), ((1, N, D),), ((1, 50, D), (1, 50, D))
MAPS, CLIP, BAG = ((1, 32, 32, 256),), ((1, 8, 16, 16, 256),), ((1, 100, D),)
HEAD = ["task", "layer", "multiply-adds, M", "steps", "activations, MiB"]


def sequences():
    """Yields (task, layer as text, page, layer, inputs, arguments of the call) of each row."""
    from keras_attention import layers

    def attention(**kwargs):
        return layers.MultiHeadAttention(8, D // 8, **kwargs)

    cached = attention()
    cached.build((1, 1, D))
    step = {"cache": cached.make_cache(1, N), "cache_index": N - 1}
    local = layers.LocalAttention1D(8, D // 8, query_block=256, memory_block=128)
    encoder, decoder = layers.TransformerEncoderBlock(8, 4 * D), layers.TransformerDecoderBlock(8, 4 * D)
    name, costs, keras = "`MultiHeadAttention`", "costs.md", "migrating.md#from-keraslayersmultiheadattention"
    causal, cache = "masks.md#causal-masks-with-more-keys-than-queries", "migrating.md#additional-features"
    window = f"{name}, `sliding_window=128`"
    yield "short sequence, 128 positions", name, keras, attention(), SEQUENCE, {}
    yield "the same, a whole block", "`TransformerEncoderBlock`", "index.md#quick-start", encoder, SEQUENCE, {}
    yield "the same, generation", "`TransformerDecoderBlock`", "examples/transformer_dates.md", decoder, SEQUENCE, {}
    yield f"long sequence, {N} positions, every pair", name, "performance.md", attention(), LONG, {}
    yield "the same, neighbors only", window, costs, attention(sliding_window=128), LONG, {}
    yield "the same, neighbors in blocks", "`LocalAttention1D`", costs, local, LONG, {}
    yield (
        f"causal (training), {N} positions",
        f"{name}, `use_causal_mask`",
        causal,
        attention(),
        LONG,
        {"use_causal_mask": True},
    )
    yield f"causal (streaming), one token after {N - 1}", f"{name}, `cache`", cache, cached, ((1, 1, D),), step


def alignment():
    from keras import layers as plain

    from keras_attention import layers

    moving = "migrating_from_tensorflow_addons.md#a-decoder-with-attention"
    rnn = layers.AttentionRNN(plain.GRUCell(D), layers.BahdanauAttention(D))
    recipe = "recipes.md#translate-with-a-recurrent-decoder-and-beam-search"
    yield "align two sequences, additive", "`BahdanauAttention`", moving, layers.BahdanauAttention(D), PAIR, {}
    yield "align, by products", "`LuongAttention`", moving, layers.LuongAttention("general"), PAIR, {}
    monotonic = layers.LuongMonotonicAttention("general")
    yield "align in order (speech)", "`LuongMonotonicAttention`", moving, monotonic, PAIR, {}
    yield "decoder with state and alignment", "`AttentionRNN` of a `GRUCell`", recipe, rnn, PAIR, {}


def images():
    from keras_attention import layers

    resnet, recipe = "examples/attention_resnet_images.md", "recipes.md#add-cbam-or-a-non-local-block-to-a-network"
    local = layers.LocalAttention2D(4, 64, (8, 8), (4, 4))
    yield "weigh channels", "`SqueezeExcitation`", resnet, layers.SqueezeExcitation(), MAPS, {}
    yield "weigh channels and positions", "`CBAM`", recipe, layers.CBAM(), MAPS, {}
    yield "relate all positions", "`NonLocalBlock`", recipe, layers.NonLocalBlock(), MAPS, {}
    yield (
        "relate all positions of a GAN",
        "`SelfAttention2D`",
        "recipes.md#train-a-sagan-and-resume-it",
        layers.SelfAttention2D(),
        MAPS,
        {},
    )
    yield (
        "relate nearby positions, or generate",
        "`LocalAttention2D`",
        "examples/image_transformer_pixels.md",
        local,
        MAPS,
        {},
    )
    yield (
        "relate all positions of a clip",
        "`NonLocalBlock`",
        "examples/non_local_video.md",
        layers.NonLocalBlock(),
        CLIP,
        {},
    )


def summaries():
    from keras_attention import layers, models

    glimpses = models.recurrent_attention(size=12, scales=3)
    page, first = "examples/recurrent_attention_digits.md", "first_model.md"
    gated = layers.AttentionPooling(128, gated=True)
    yield "one vector of a sequence", "`AttentionPooling`", first, layers.AttentionPooling(128), BAG, {}
    yield "one vector of a bag of instances", "`AttentionPooling`, `gated`", first, gated, BAG, {}
    yield (
        "class of an image of 60 × 60, by glimpses",
        "`models.recurrent_attention`",
        page,
        glimpses,
        ((1, 60, 60, 1),),
        {},
    )
    yield (
        "class of an image of 600 × 600, by glimpses",
        "`models.recurrent_attention`",
        page,
        glimpses,
        ((1, 600, 600, 1),),
        {},
    )


TABLES = {f"which_{rows.__name__}": rows for rows in (sequences, alignment, images, summaries)}


def number(value):
    """1234.5 -> 1,234; 1.234 -> 1.23."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def table(rows):
    """The rows as a Markdown table."""
    from keras_attention import analyze

    lines = [tables.head(HEAD)]
    for task, text, page, layer, inputs, call in rows:
        cost = analyze.complexity(layer, *inputs, **call)
        counts = number(cost.multiply_adds / 1e6), f"{cost.sequential_steps:,}", number(cost.activation_bytes / 2**20)
        lines.append(tables.row_of([f"[{task}]({page})", text, *counts]))
    return "\n".join(lines)


def main():
    text = PAGE.read_text()
    for name, rows in TABLES.items():
        text = tables.between(text, name, table(rows()))
    tables.write(PAGE, text)


if __name__ == "__main__":
    main()
