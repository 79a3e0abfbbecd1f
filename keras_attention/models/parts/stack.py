"""Encoder or decoder of a Transformer: embedding, position encoding and blocks in sequence."""

import keras
from keras import ops

from keras_attention.layers import LearnedPositionEncoding, SinusoidalPositionEncoding
from keras_attention.ops.require import require_choice

POSITIONS = ("sinusoidal", "sinusoidal_reference", "learned", None)


class Stack:
    """Embedding, position encoding, dropout, blocks and an optional final normalization. A plain class, not a layer.

        x:      [B, T, D] = dropout(embedding(tokens) + positions)
        output: [B, T, D] = norm(blocks(x))

    Args:
        embedding: Layer from token ids [B, T] to vectors [B, T, D].
        position: Position encoding layer or `None`.
        dropout: A `Dropout` layer.
        blocks: List of layers, called as `block(x, *memory, return_attention_scores=..., **masks)`.
        norm: Final normalization layer or `None`.
    """

    def __init__(self, embedding, position, dropout, blocks, norm=None):
        self.embedding = embedding
        self.position = position
        self.dropout = dropout
        self.blocks = blocks
        self.norm = norm

    def __call__(self, tokens, *memory, training=None, return_attention_scores=False, **masks):
        """Returns the output and the list of the blocks' scores (empty unless `return_attention_scores`)."""
        x, seen = self.embed(tokens, training), []
        for block in self.blocks:
            x = block(x, *memory, **masks, training=training, return_attention_scores=return_attention_scores)
            if return_attention_scores:
                x, scores = x
                seen.append(scores)
        return self.leave(x), seen

    def embed(self, tokens, training=None, start_index=0):
        """Tokens [B, T] at positions from `start_index` on, a scalar or [B] -> [B, T, D]."""
        x = self.embedding(tokens)
        if self.position is not None:
            x = self.position(x, start_index=start_index)
        return self.dropout(x, training=training)

    def make_cache(self, memory, max_length, memory_mask=None):
        """The caches of decoder blocks with a memory, of which no position is padding: what is written may be seen."""
        caches = [block.make_cache(memory, max_length, memory_mask) for block in self.blocks]
        return tuple({**cache, "self": {n: cache["self"][n] for n in ("key", "value")}} for cache in caches)

    def step(self, tokens, cache, index, **masks):
        """One decoding step: tokens [B] at position `index` -> [B, D] and the updated caches of the blocks."""
        x, written = self.read(ops.expand_dims(tokens, 1), cache, index, **masks, training=False)
        return x[:, 0], written

    def read(self, tokens, cache, cache_index=0, start_index=None, training=None, **masks):
        """Tokens [B, T] -> [B, T, D] and the caches of the blocks with them written at `cache_index`.

        Args:
            tokens: [B, T] ids.
            cache: The caches of the blocks.
            cache_index: Int or int32 scalar tensor.
            start_index: Position of the first token for the position encoding, a scalar or [B]; `None`: `cache_index`.
            training: Whether to apply dropout.
            **masks: Masks of the blocks.
        """
        x = self.embed(tokens, training, cache_index if start_index is None else start_index)
        written = []
        for block, block_cache in zip(self.blocks, cache):
            x, block_cache = block(x, **masks, cache=block_cache, cache_index=cache_index, training=training)
            written.append(block_cache)
        return self.leave(x), tuple(written)

    def prepare_step(self):
        """`step` with what the weights alone determine computed here, once; `None` if a block has no such step.

        A fourth argument is the position of the tokens for the position encoding, [B], if it is not `index`.
        """
        steps = [block.prepare_step() for block in self.blocks]
        if None in steps:
            return None

        def step(tokens, cache, index, position=None):
            position, written = index if position is None else position, []
            x = self.embed(ops.expand_dims(tokens, 1), training=False, start_index=position)[:, 0]
            for advance, block_cache in zip(steps, cache):
                x, block_cache = advance(x, block_cache, index)
                written.append(block_cache)
            return self.leave(x), tuple(written)

        return step

    def leave(self, x):
        return x if self.norm is None else self.norm(x)


def after_prompt(cache, index):
    """Where step `index` after a prompt writes into the cache, a scalar, and the position of its token.

    Args:
        cache: "offset", the position of the prompt's last token in each row, [B], all equal; and "padding", the
            positions before the first token of each row, [B], if there are any.
        index: Int or int32 scalar tensor.

    Returns:
        The place, and the position [B]; `None` if that is the place.
    """
    at = index + ops.max(cache["offset"], initial=0)
    return at, at - cache["padding"] if "padding" in cache else None


def prepare_step_after_prompt(decoder, scorer):
    """`step` of a model that continues a prompt, with what the weights alone determine computed here.

    `None` if a block has no such step. The caches of the blocks are `cache["blocks"]`; for the rest see `after_prompt`.
    """
    step = decoder.prepare_step()
    if step is None:
        return None
    score = scorer.prepare_reverse()

    def advance(tokens, cache, index):
        x, caches = step(tokens, cache["blocks"], *after_prompt(cache, index))
        return score(x), {**cache, "blocks": caches}

    return advance


def encoder_decoder_scores(encoder, decoder, source, target, mask=None):
    """Attention probabilities of two stacks in inference mode, by the kind of attention: one tensor per block."""
    flags = {"training": False, "return_attention_scores": True}
    memory, own = encoder(source, mask=mask, **flags)
    _, both = decoder(target, memory, memory_mask=mask, **flags)
    of_decoder = {f"decoder_{kind}": [scores[kind] for scores in both] for kind in ("self", "memory")}
    return {"encoder_self": own, **of_decoder}


def make_seeds(first, num_layers):
    """Seeds of the dropout behind the embedding and of each block: every layer has a dropout mask of its own."""
    return [None if first is None else first + 10 * i for i in range(num_layers + 1)]


def make_position(kind, max_length=None, **kwargs):
    """Creates the position encoding `kind`, one of `POSITIONS`; `max_length` is for `"learned"`."""
    require_choice(kind, "position_encoding", POSITIONS)
    if kind is None:
        return None
    if kind != "learned":
        return SinusoidalPositionEncoding("paper" if kind == "sinusoidal" else "reference", **kwargs)
    if max_length is None:
        raise ValueError('`position_encoding="learned"` needs `max_length`. Received: max_length=None')
    return LearnedPositionEncoding(max_length, **kwargs)


def make_norm(**kwargs):
    """Layer normalization with the epsilon of the blocks."""
    return keras.layers.LayerNormalization(epsilon=1e-6, **kwargs)
