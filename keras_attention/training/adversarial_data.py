"""Checks data before it becomes tensors of a compiled step, which could not raise an error with its name."""

import warnings

import keras


def checked(objective, x, y):
    """Returns `x`, or a dataset that checks each batch of it.

    Arrays are checked at once; of a `tf.data.Dataset` the shapes and dtypes at once, and its values batch by batch. Of
    a PyTorch `DataLoader`, whose first batch would cost random numbers, the training step checks shapes and dtypes.
    """
    if x is None:
        return x
    if hasattr(x, "element_spec") and hasattr(x, "map"):
        objective.check_specs(objective.batch(*keras.utils.unpack_x_y_sample_weight(x.element_spec)[:2]))
        return _checked_dataset(objective, x)
    if hasattr(x, "__next__"):
        return _checked_batches(objective, x)
    if isinstance(x, keras.utils.PyDataset):
        return _CheckedPyDataset(objective, x)
    if type(x).__name__ == "DataLoader":
        return x
    _check(objective, (x, y))
    return x


def checked_validation(objective, data):
    """`checked` for `validation_data`: a tuple of arrays, or a dataset of any kind."""
    if not isinstance(data, (tuple, list)):
        return checked(objective, data, None)
    _check(objective, data)
    return data


def require_float_images(name, image):
    """Raises unless `image`, anything with a shape and a dtype, is of floats."""
    dtype = keras.backend.standardize_dtype(image.dtype)
    if not keras.backend.is_float_dtype(dtype):
        scaled = f": rescale bytes by `{name} / 127.5 - 1`" if dtype == "uint8" else ""
        raise ValueError(
            f"`{name}` must be of floats, of the range of the generator's{scaled}. "
            f"Received: {name}.dtype={dtype}, {name}.shape={known_shape(image)}"
        )


def require_range(name, image, low, high):
    """Raises unless the values of `image`, a NumPy array, are from `low` to `high`, of which 0.1 % may be exceeded.

    Warns if `low` is below 0 and no value is: images from 0 to 1 can be told by that alone.
    """
    if not image.size:
        return
    least, most, margin = float(image.min()), float(image.max()), 1e-3 * (high - low) / 2
    # Written so that NaN raises too.
    if not (least >= low - margin and most <= high + margin):
        of_bytes = (low, high) == (-1, 1) and least >= 0 and most > 2
        raise ValueError(
            f"`{name}` must have values between {low:g} and {high:g}. Received: values from {least} to {most}"
            + of_bytes * " (rescale bytes by `/ 127.5 - 1`)"
        )
    if low < 0 <= least < most:
        warnings.warn(
            f"`{name}` has no value below 0, and generated images are from {low:g} to {high:g}: the discriminator "
            f"tells them apart by that. Rescale images from 0 to 1. Received: values from {least} to {most}",
            stacklevel=2,
        )


def known_shape(x):
    """The static shape of an array, a tensor or a spec as a tuple, with `None` where it is not known."""
    return None if getattr(x.shape, "rank", 0) is None else tuple(x.shape)


class _CheckedPyDataset(keras.utils.PyDataset):
    """Wraps a `PyDataset` and checks each of its batches."""

    def __init__(self, objective, dataset):
        options = {name: getattr(dataset, name) for name in ("workers", "use_multiprocessing", "max_queue_size")}
        super().__init__(**options)
        self.objective = objective
        self.dataset = dataset

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __getitem__(self, index):
        data = self.dataset[index]
        _check(self.objective, data)
        return data

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


def _check(objective, data):
    x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    objective.check(keras.tree.map_structure(keras.ops.convert_to_numpy, objective.batch(x, y)))


def _checked_batches(objective, batches):
    for data in batches:
        _check(objective, data)
        yield data


def _checked_dataset(objective, dataset):
    import tensorflow as tf

    def check(*tensors):
        _check(objective, keras.tree.pack_sequence_as(structure, list(tensors)))
        return True

    def identity(*data):
        data = data[0] if len(data) == 1 else data
        with tf.control_dependencies([tf.numpy_function(check, keras.tree.flatten(data), tf.bool)]):
            return keras.tree.map_structure(tf.identity, data)

    structure = keras.tree.map_structure(lambda spec: None, dataset.element_spec)
    return dataset.map(identity)
