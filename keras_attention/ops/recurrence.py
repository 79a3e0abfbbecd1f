"""Recurrence over time steps inside the graph, differentiable on every backend.

Letters: B batch, T steps.
"""

import keras
from keras import ops, tree

from keras_attention.ops.shapes.empty import fill_empty
from keras_attention.ops.shapes.sizes import with_rank


def recur(step, state, blank, inputs, mask=None, reverse=False):
    """Scans `step` over the time steps, carrying a state: `ops.scan` with a mask.

    A masked step keeps the state and outputs `blank`.

    Args:
        step: Callable `(state, x) -> (output, state)` on nests of [B, ...]; `x` is one position of `inputs`.
        state: Nest of [B, ...], the initial state. Shapes and dtypes are constant.
        blank: Nest of [B, ...], zeros of the shapes and dtypes of `output`.
        inputs: Nest of [B, T, ...].
        mask: Boolean [B, T], or `None`. True marks positions that take part.
        reverse: Whether to begin at the last step. Outputs stay at the positions of their inputs.

    Returns:
        (outputs, state): the outputs of all steps, a nest of [B, T, ...], and the last state.
    """
    xs = [_swap(ops.convert_to_tensor(x)) for x in tree.flatten(inputs)]
    masks = [] if mask is None else [_swap(mask)]

    def body(carry, x):
        x, seen = (x, None) if mask is None else (x[:-1], x[-1])
        output, new = step(tree.pack_sequence_as(state, carry), tree.pack_sequence_as(inputs, x))
        new = [_choose(seen, a, b) for a, b in zip(tree.flatten(new), carry, strict=True)]
        return new, [_choose(seen, a, b) for a, b in zip(tree.flatten(output), blanks, strict=True)]

    carry, blanks = ([ops.convert_to_tensor(x) for x in tree.flatten(nest)] for nest in (state, blank))
    if 0 in xs[0].shape[:2]:  # not every cell takes an empty batch
        T, B = ops.shape(xs[0])[:2]
        nothing = [ops.zeros((B, T, *ops.shape(x)[1:]), dtype=x.dtype) for x in blanks]
        return tree.pack_sequence_as(blank, nothing), state
    run = _tensorflow if keras.backend.backend() == "tensorflow" else _scan
    carry, written = run(body, carry, blanks, [*xs, *masks], reverse)
    return tree.pack_sequence_as(blank, [_swap(y) for y in written]), tree.pack_sequence_as(state, carry)


def _swap(x):
    """[B, T, ...] <-> [T, B, ...]."""
    return ops.swapaxes(x, 0, 1)


def _choose(seen, new, old):
    """`new` where `seen` [B], else `old`; in the dtype of `old`."""
    new = ops.cast(new, old.dtype)
    if seen is None:
        return new
    return ops.where(with_rank(seen, len(new.shape)), new, old)


def _scan(body, carry, blanks, xs, reverse):
    return ops.scan(body, carry, xs, reverse=reverse)


def _tensorflow(body, carry, blanks, xs, reverse):
    """As `ops.scan`, whose outputs on TensorFlow must have the shapes of the state."""
    import tensorflow as tf

    length, known = tf.shape(xs[0])[0], xs[0].shape[0]
    # If there may be no step, one is run and dropped: an array that nothing was written to has no shape.
    size = tf.maximum(length, 1) if known is None else known
    read = [tf.TensorArray(x.dtype, size, element_shape=x.shape[1:]).unstack(fill_empty(x, 0)) for x in xs]
    write = [tf.TensorArray(b.dtype, size, element_shape=b.shape) for b in blanks]

    def advance(i, old, write):
        t = size - 1 - i if reverse else i
        new, outputs = body(old, [array.read(t) for array in read])
        for x, like in zip([*new, *outputs], [*carry, *blanks]):
            x.set_shape(like.shape)  # a loop in the graph keeps the static shapes
        # In the order of the steps, which converters to ONNX take for granted.
        return i + 1, new, [array.write(i, y) for array, y in zip(write, outputs)]

    # XLA's gradient of a loop allocates memory for all its steps: it needs `maximum_iterations`.
    _, end, write = tf.while_loop(
        lambda i, *_: i < size, advance, (0, carry, write), maximum_iterations=size, parallel_iterations=1
    )
    written = [ops.flip(array.stack(), 0) if reverse else array.stack() for array in write]
    if known is not None:
        return end, [_with_length(x, known) for x in written]
    return [tf.where(length > 0, new, old) for new, old in zip(end, carry)], [x[:length] for x in written]


def _with_length(x, length):
    x.set_shape((length, *x.shape[1:]))
    return x
