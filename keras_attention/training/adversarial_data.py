"""Checks data before it becomes tensors of a compiled step, which could not raise an error with its name."""

import keras


def checked(objective, x, y):
    """Returns `x`, or a dataset that checks each batch of it.

    Arrays are checked at once, a PyTorch `DataLoader` is not checked.
    """
    if x is None:
        return x
    if hasattr(x, "element_spec") and hasattr(x, "map"):
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
