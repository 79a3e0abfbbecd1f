"""Shared parts of the decoders: argument checks, the loop inside the graph, the buffer of generated tokens.

A decoder calls a model only through `step(tokens, cache, index) -> (logits, cache)`:

    tokens: [B] int32, the last token of each sequence
    cache:  any nest of tensors whose first axis is B: the model's whole state
    index:  [] int32, the position of `tokens`, counted from 0
    logits: [B, V], of the token at position `index + 1`

Letters: B batch, L maximum output length, V vocabulary.
"""

import keras
from keras import ops, tree

from keras_attention.ops.require import require_int
from keras_attention.ops.shapes.known import known_values


def require_inputs(step, cache, start_tokens, max_length, end_token, pad_token):
    """Checks the arguments of all decoders. Returns `cache` as tensors and `start_tokens` [B] as int32."""
    if not callable(step):
        raise ValueError(f"`step` must be callable: (tokens, cache, index) -> (logits, cache). Received: step={step!r}")
    if ops.is_tensor(max_length):
        raise ValueError(
            "`max_length` must be a positive int, the length of the output. Pass a limit that is a tensor as `limits`. "
            f"Received: max_length={max_length}"
        )
    require_int(max_length, "max_length")
    require_int(pad_token, "pad_token", least=0)
    require_int(end_token, "end_token", optional=True, least=0)
    start_tokens = ops.convert_to_tensor(start_tokens)
    if len(start_tokens.shape) != 1 or "int" not in keras.backend.standardize_dtype(start_tokens.dtype):
        raise ValueError(
            "`start_tokens` must be integers of shape [B], one a sequence. Received: "
            f"start_tokens.shape={tuple(start_tokens.shape)}, dtype={start_tokens.dtype}"
        )
    known = known_values(start_tokens)
    if known is not None and (known < 0).any():
        raise ValueError(f"`start_tokens` must be at least 0. Received: start_tokens={known.tolist()}")
    cache = tree.map_structure(lambda leaf: _require_batch(leaf, start_tokens), cache)
    return cache, ops.cast(start_tokens, "int32")


def require_limits(limits, start_tokens, max_length):
    """Returns the most tokens of each row, int32 [B] from 0 to `max_length`; `None` for no limits but that."""
    if limits is None:
        return None
    limits, batch = ops.convert_to_tensor(limits), start_tokens.shape[0]
    wrong = len(limits.shape) > 1 or "int" not in keras.backend.standardize_dtype(limits.dtype)
    if wrong or (len(limits.shape) == 1 and None not in (batch, limits.shape[0]) and limits.shape[0] != batch):
        raise ValueError(
            "`limits` must be integers of shape [B], one a sequence, or a scalar. Received: "
            f"limits.shape={tuple(limits.shape)}, dtype={limits.dtype}, start_tokens.shape={tuple(start_tokens.shape)}"
        )
    return ops.zeros_like(start_tokens) + ops.cast(ops.clip(limits, 0, max_length), "int32")


def or_full(ended, limits, count):
    """`ended` [B], and true for the rows whose limit is not above `count` tokens."""
    return ended if limits is None else ops.logical_or(ended, limits <= count)


def _require_batch(leaf, start_tokens):
    if leaf is None:
        raise ValueError("Every leaf of `cache` must be a tensor; for no cache pass `()`. Received: None")
    leaf = ops.convert_to_tensor(leaf)
    batch = start_tokens.shape[0]
    if len(leaf.shape) < 1 or (None not in (batch, leaf.shape[0]) and leaf.shape[0] != batch):
        raise ValueError(
            "The first axis of every leaf of `cache` must be the batch. Received: "
            f"a leaf of shape {tuple(leaf.shape)}, start_tokens.shape={tuple(start_tokens.shape)}"
        )
    return leaf


def call_step(step, tokens, cache, index, end_token):
    """Calls `step` and returns its logits, checked and in float32, and its cache."""
    logits, written = require_answer(step(tokens, cache, index), cache)
    if len(logits.shape) != 2 or logits.shape[-1] is None:
        raise ValueError(
            f"`step` must return logits of shape [B, V] with a known V. Received: logits.shape={tuple(logits.shape)}"
        )
    if end_token is not None and end_token >= logits.shape[-1]:
        raise ValueError(f"`end_token` must be one of the V={logits.shape[-1]} tokens. Received: end_token={end_token}")
    return ops.cast(logits, "float32"), written


def require_answer(answer, cache):
    """Returns the result of a step given `cache` if it is a pair (logits, cache of the same structure)."""
    # A tensor of two rows would also unpack.
    if not isinstance(answer, tuple | list) or len(answer) != 2 or not hasattr(answer[0], "shape"):
        received = type(answer).__name__
        if isinstance(answer, tuple | list):
            received += f" of {len(answer)}: {', '.join(type(x).__name__ for x in answer)}"
        raise ValueError(f"`step` must return a pair (logits, cache). Received: {received}")
    try:
        tree.assert_same_structure(cache, answer[1])
    except (ValueError, TypeError) as error:
        raise ValueError(f"`step` must return a cache of the structure it was given. {error}") from error
    return answer


def prepared(step):
    """`step`, or for the method `step` of a model with a `prepare_step` what that returns: the same for a loop."""
    model = getattr(step, "__self__", None)
    is_method = getattr(step, "__func__", None) is getattr(type(model), "step", None)
    return model.prepare_step() if is_method and hasattr(model, "prepare_step") else step


def has_nan(x):
    """Boolean [...]: which rows of `x` [..., V] contain a NaN."""
    return ops.any(ops.isnan(x), axis=-1)


def run(active, advance, state):
    """`while active(*state): state = advance(*state)`, inside the graph, for a tuple of nests of tensors."""
    state = tree.map_structure(ops.convert_to_tensor, state)
    before = tree.flatten(state)

    def unflatten(leaves):
        return tree.pack_sequence_as(state, list(leaves))

    def body(*leaves):
        after = tree.flatten(advance(*unflatten(leaves)))
        return tuple(_alike(x, old) for x, old in zip(after, before, strict=True))

    return unflatten(ops.while_loop(lambda *leaves: active(*unflatten(leaves)), body, tuple(before)))


def _alike(x, old):
    """`x` with the static shape of `old`, which must not change in a graph loop."""
    wrong = len(x.shape) != len(old.shape) or any(a != b and None not in (a, b) for a, b in zip(x.shape, old.shape))
    dtypes = [keras.backend.standardize_dtype(t.dtype) for t in (x, old)]
    if wrong or dtypes[0] != dtypes[1]:
        raise ValueError(
            "`step` must return every leaf of the cache with the shape and dtype it was given. Received: "
            f"{tuple(x.shape)} {dtypes[0]} for {tuple(old.shape)} {dtypes[1]}"
        )
    return x if tuple(x.shape) == tuple(old.shape) else ops.reshape(x, ops.shape(old))


def blank(start_tokens, max_length, pad_token):
    """A buffer [B, max_length] of padding; B may be unknown."""
    return ops.expand_dims(ops.zeros_like(start_tokens), 1) + ops.full((1, max_length), pad_token, dtype="int32")


def write(sequences, index, tokens):
    """`sequences` [B, L, ...] with `tokens` [B, ...] in column `index`."""
    # A comparison instead of `slice_update`, whose TensorFlow op needs XLA: this runs on any model server.
    column = ops.arange(sequences.shape[1], dtype="int32") == index
    column = ops.reshape(column, (1, -1, *[1] * (len(sequences.shape) - 2)))
    return ops.where(column, ops.expand_dims(tokens, 1), sequences)


def is_end(tokens, end_token):
    """Boolean: which tokens are the end token; none with `end_token=None`."""
    return ops.zeros_like(tokens, dtype="bool") if end_token is None else ops.equal(tokens, end_token)


def take_rows(x, chosen, M):
    """Gathers the rows `chosen` [B, J] of each batch member from `x` [B * M, ...]: [B * J, ...]."""
    first = ops.expand_dims(ops.arange(ops.shape(chosen)[0], dtype="int32"), 1) * M
    return ops.take(x, ops.reshape(first + chosen, (-1,)), axis=0)


def generate(choose, step, cache, start_tokens, max_length, end_token, pad_token, limits):
    """Generates token by token with `choose(logits [B, V], index) -> [B]` until all sequences have ended.

    A sequence whose logits contain a NaN ends without another token.

    Args:
        choose: Picks the next tokens.
        step, cache, start_tokens, max_length, end_token, pad_token, limits: See `greedy`; already checked.

    Returns:
        Int32 [B, max_length]: the end token included, `pad_token` after it.
    """

    def active(index, tokens, ended, sequences, cache):
        return ops.logical_and(index < max_length, ops.logical_not(ops.all(ended)))

    def advance(index, tokens, ended, sequences, cache):
        logits, cache = call_step(step, tokens, cache, index, end_token)
        ended = ops.logical_or(ended, has_nan(logits))
        tokens = ops.where(ended, pad_token, ops.cast(choose(logits, index), "int32"))
        sequences = write(sequences, index, tokens)
        ended = or_full(ops.logical_or(ended, is_end(tokens, end_token)), limits, index + 1)
        return index + 1, tokens, ended, sequences, cache

    step, index = prepared(step), ops.convert_to_tensor(0, dtype="int32")
    ended = or_full(is_end(start_tokens, None), limits, 0)
    sequences = blank(start_tokens, max_length, pad_token)
    return run(active, advance, (index, start_tokens, ended, sequences, cache))[3]
