"""Replicas of a model that each compute a part of the batch, as in strategies of `tf.distribute`.

They add their gradients up. A mean over the batch is the mean over a replica's part, divided by their number; what does
not depend on the data, a regularizer, is divided by it, too. The state of a seed generator is the same on all: numbers
that belong to samples have to differ by the replica.
"""

import keras
from keras import ops

SEEDS_APART = 1_000_003  # far more than layers of one model add to its seed


def replicas():
    """How many replicas train together, an int: 1 except inside of a strategy of TensorFlow."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def share(count):
    """A replica's share of what is counted, times the number of replicas: 1 if there is one, or all count the same.

    A mean over what a replica counts, times this, divided by their number, adds up to the mean over all of it.

    Args:
        count: Scalar tensor, at least 0: of the tokens in a replica's part of the batch, say.
    """
    if replicas() == 1:
        return 1.0
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:  # outside of the replicas, where Keras looks for shapes
        return 1.0
    return tf.math.divide_no_nan(count, context.all_reduce(tf.distribute.ReduceOp.MEAN, count))


def next_seed(generator):
    """The next state of a `keras.random.SeedGenerator`, another one on each replica; the first has the generator's own.

    All replicas have the same generator, so that its state can be saved as one.
    """
    seed = generator.next()
    if replicas() == 1:
        return seed
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None:
        return seed
    replica = ops.cast(context.replica_id_in_sync_group, seed.dtype)
    return seed + ops.stack([SEEDS_APART * replica, ops.zeros_like(replica)])
