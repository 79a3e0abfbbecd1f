"""The operations of a SavedModel, and whether every TensorFlow build has them."""

import os
from collections.abc import Collection

from keras_attention.types import PathLike

# Registered in every build, but they call back into the Python process that created them.
PYTHON_OPS = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def saved_model_ops(path: PathLike) -> list[str]:
    """The names of all operations of a SavedModel, those inside its functions and loops included.

    Args:
        path: Folder of the SavedModel (the one with `saved_model.pb` in it).

    Returns:
        Sorted list of str.

    Raises:
        FileNotFoundError: If there is no SavedModel at `path`.
    """
    saved_model = _read(path)
    names = set()
    for meta_graph in saved_model.meta_graphs:
        graph = meta_graph.graph_def
        names.update(node.op for node in nodes(graph))
        # A node that calls a function may carry the function's own name as its op.
        names -= {function.signature.name for function in graph.library.function}
    return sorted(names)


def nodes(graph):
    """All nodes of a `GraphDef`, those inside its functions and loops included."""
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def forget_gradients(path):
    """Removes from a SavedModel on disk the references to custom gradients that were not saved with it.

    Otherwise TensorFlow warns of each of them at every load; a served model is not trained.
    """
    saved_model = _read(path)
    for meta_graph in saved_model.meta_graphs:
        for node in nodes(meta_graph.graph_def):
            node.attr.pop("_gradient_op_type", None)
    with open(os.path.join(path, "saved_model.pb"), "wb") as file:
        file.write(saved_model.SerializeToString(deterministic=True))


def require_core_ops(path: PathLike, allowed: Collection[str] = ()) -> list[str]:
    """Raises an error if a stock TensorFlow (a model server, the C API) cannot run a SavedModel.

    Not allowed are operations of other libraries (tensorflow-text, for instance), operations that call Python
    (`tf.py_function`), and those of the XLA bridge (`XlaDynamicUpdateSlice`, to which `keras.ops.slice_update`
    compiles): a model server runs the latter only if configured to, and on a GPU not at all.

    Args:
        path: Folder of the SavedModel.
        allowed: Names of further operations to accept, because your server has them.

    Returns:
        Sorted list of str: the operations of the SavedModel.

    Raises:
        ValueError: If an operation is not in the core of TensorFlow; the message lists them all.

    Example:

    >>> import tempfile
    >>> import tensorflow as tf
    >>> module, path = tf.Module(), tempfile.mkdtemp()
    >>> module.double = tf.function(lambda x: x + x, input_signature=[tf.TensorSpec([None])])
    >>> tf.saved_model.save(module, path)
    >>> "AddV2" in require_core_ops(path)
    True
    """
    import tensorflow as tf

    # `tf.raw_ops` was generated when TensorFlow was built: libraries loaded since do not appear in it.
    core = set(dir(tf.raw_ops)) - set(PYTHON_OPS)
    names = saved_model_ops(path)
    foreign = [name for name in names if name not in core and name not in allowed]
    if foreign:
        raise ValueError(
            "A SavedModel must be made of core TensorFlow operations, or a stock model server cannot run it. "
            f"Received: {', '.join(foreign)}.{_hints(foreign)} If your server has them, pass "
            f"`allowed_ops={tuple(foreign)!r}`."
        )
    return names


def _hints(foreign):
    hints = ""
    if "XlaDynamicUpdateSlice" in foreign:
        hints += " Write with `keras.ops.where` or `keras.ops.scatter_update` instead of `keras.ops.slice_update`."
    if any(name in PYTHON_OPS for name in foreign):
        hints += " `tf.py_function` and `tf.numpy_function` need the Python process that created them."
    if any(">" in name for name in foreign):
        hints += " Tokenise with `tf.strings` and `tf.lookup` instead of a library of operations."
    return hints


def _read(path):
    from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        saved_model.ParseFromString(file.read())
    return saved_model
