"""Ids that a client sends: one outside of the vocabulary is an error for its request.

Without the check, a negative id would read a row from the end of the table, and a GPU zeros for one that is too large.
"""


def require_ids(ids, name, size):
    """`ids`, an integer tensor, once it is sure that all are from 0 to `size` - 1; with `None`, as they are.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs. XLA leaves such checks out.
    """
    import tensorflow as tf

    if size is None:
        return ids
    inside = tf.reduce_all(tf.logical_and(ids >= 0, ids < size))
    message = f"`{name}` must be from 0 to {size - 1}. Received values from, and to:"
    with tf.control_dependencies([tf.debugging.Assert(inside, [message, tf.reduce_min(ids), tf.reduce_max(ids)])]):
        return tf.identity(ids)


def require_known_ids(vocabularies, ids, name):
    """`require_ids` for the input of this name of a model with these `vocabularies`."""
    return require_ids(ids, name, vocabularies.get(name))
