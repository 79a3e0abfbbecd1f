"""What signatures over tokens share: ids or strings in, tokens or strings out."""

from keras import ops

from keras_attention.export.ids import require_ids
from keras_attention.export.signatures import LENGTHS, zero_beyond


def require_callables(**functions):
    """Raises unless each is a function or `None`."""
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise ValueError(f"`{name}` must be callable, or `None`. Received: {name}={function!r}")


def ids_reader(name, size, tokenize):
    """A function from the inputs of a signature to ids [B, S] and lengths [B], and the specs of these inputs.

    Args:
        name: Of the input, and of its ids in errors. With `tokenize`, the input is `text`.
        size: Number of tokens of the vocabulary, or `None`.
        tokenize: Function from strings [B] to ids, dense with padding 0 or ragged, or `None`.
    """
    import tensorflow as tf

    def read_text(inputs):
        ids = tokenize(inputs["text"])
        if isinstance(ids, tf.RaggedTensor):
            lengths, ids = ids.row_lengths(), ids.to_tensor()
        else:
            lengths = tf.reduce_sum(tf.cast(ids != 0, "int32"), axis=1)
        return require_ids(ops.cast(ids, "int32"), name, size), ops.cast(lengths, "int32")

    def read_ids(inputs):
        ids, lengths = inputs[name], inputs[f"{name}{LENGTHS}"]
        return require_ids(zero_beyond(ids, lengths), name, size), ops.clip(lengths, 0, ops.shape(ids)[1])

    if tokenize is not None:
        return read_text, {"text": tf.TensorSpec([None], tf.string)}
    specs = {name: tf.TensorSpec([None, None], "int32"), f"{name}{LENGTHS}": tf.TensorSpec([None], "int32")}
    return read_ids, specs


def written(tokens, end_token, detokenize):
    """The outputs of a signature: tokens [B, ..., L], or by `detokenize` strings [B, ...]."""
    if detokenize is None:
        return {"tokens": tokens}
    if end_token is not None:
        tokens = ops.where(ops.equal(tokens, end_token), 0, tokens)  # as all after it
    text = detokenize(ops.reshape(tokens, (-1, tokens.shape[-1])))
    return {"text": ops.reshape(text, ops.shape(tokens)[:-1])}
