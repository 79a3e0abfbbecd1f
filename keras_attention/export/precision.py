"""Exports of models that compute in half precision to runtimes that do not."""

from keras_attention.export.core_ops import nodes
from keras_attention.export.signatures import concrete


def dtypes_of(function):
    """The set of TensorFlow dtypes in a traced function, those inside its functions and loops included."""
    import tensorflow as tf

    attributes = [value for node in nodes(function.graph.as_graph_def()) for value in node.attr.values()]
    numbers = {number for value in attributes for number in (value.type, *value.list.type)}
    return {tf.as_dtype(number) for number in numbers - {0}}


def captured_constants(function):
    """Tensors that a traced model holds, by the name of the placeholder that stands for each in the graph."""
    import tensorflow as tf

    held = function.captured_inputs
    inner = function.inputs[len(function.inputs) - len(held) :]
    return {x.name: tf.constant(value.numpy()) for x, value in zip(inner, held) if value.dtype != tf.resource}


def in_float32(function, specs, dtypes):
    """A traced function, with its variables as constants, and with float32 in place of `dtypes`.

    The outputs differ from those of `function` by its rounding; outputs of these dtypes are float32. A function without
    these dtypes is returned as it is.

    Args:
        function: The traced function.
        specs: Name -> `tf.TensorSpec` of its inputs.
        dtypes: TensorFlow dtypes, or their names.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    dtypes = {tf.as_dtype(dtype) for dtype in dtypes}
    if not dtypes & dtypes_of(function):
        return function
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    graph = _replaced(frozen.graph.as_graph_def(), {dtype.as_datatype_enum for dtype in dtypes})
    names, tensors = sorted(function.structured_outputs), [x.name for x in frozen.outputs]

    def computed(**inputs):
        given = {f"{name}:0": tf.cast(x, tf.float32) if x.dtype in dtypes else x for name, x in inputs.items()}
        given |= captured_constants(function)
        return dict(zip(names, tf.graph_util.import_graph_def(graph, given, tensors, name="")))

    return concrete(computed, specs)


def _replaced(graph, numbers):
    """The `GraphDef` with float32 in place of the dtypes of these numbers, and with other names of its functions."""
    import tensorflow as tf

    single = tf.float32.as_datatype_enum
    # TensorFlow keeps every function that a process has seen by its name.
    renamed = {function.signature.name: f"{function.signature.name}_in_float32" for function in graph.library.function}
    for node in nodes(graph):
        node.op = renamed.get(node.op, node.op)
        for value in node.attr.values():
            for called in [value.func] if value.HasField("func") else value.list.func:
                called.name = renamed.get(called.name, called.name)
            for i, number in enumerate(value.list.type):
                value.list.type[i] = single if number in numbers else number
            if value.type in numbers:
                value.type = single
            if value.tensor.dtype in numbers:
                value.tensor.CopyFrom(tf.make_tensor_proto(tf.make_ndarray(value.tensor).astype("float32")))
    for function in graph.library.function:
        function.signature.name = renamed[function.signature.name]
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = single if argument.type in numbers else argument.type
    return graph
