"""What TensorFlow's kernels and XLA do fast in different ways."""

import keras
from keras import ops


def compiled_differently(kernels, xla):
    """A function of tensors: `kernels` where TensorFlow runs its own kernels, `xla` where XLA compiles the graph.

    A graph is traced before it is known who runs it. `DeviceIndex` is known by then: an index into a list of devices,
    and for XLA, which compiles for none of them, the length of the list. Either discards the branch of the other.

    Args:
        kernels, xla: Functions that return a tensor, equal in all but speed.
    """

    def run(*tensors):
        import tensorflow as tf

        if tf.executing_eagerly():
            return kernels(*tensors)
        place = tf.raw_ops.DeviceIndex(device_names=["CPU", "GPU"])
        return tf.switch_case(place, [lambda: kernels(*tensors)] * 2 + [lambda: xla(*tensors)])

    return run


def apart(product):
    """`product`, which XLA then does not merge with the addition after it: of one row, a CPU runs that on one core.

    XLA does not know that a maximum with minus infinity changes nothing, neither infinity nor NaN.
    """
    return product if keras.backend.backend() == "torch" else ops.maximum(product, float("-inf"))
