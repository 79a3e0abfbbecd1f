"""One entry of a row."""

from keras import ops


def chosen(x, index):
    """The entry `index` of each row of x: [..., V] and integers [...] -> [...].

    A sum over the row, and not `take_along_axis`, of which older Keras makes operations that XLA does not know where
    the batch is not known.
    """
    places = ops.arange(x.shape[-1], dtype="int32")
    here = places == ops.cast(index, "int32")[..., None]
    return ops.sum(ops.where(here, x, ops.zeros_like(x)), axis=-1)
