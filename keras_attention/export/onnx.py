"""Export to ONNX, for onnxruntime, OpenVINO and other runtimes."""

import pathlib
from typing import Any

import keras
import numpy as np

from keras_attention.export.checks import require_extra, require_model, require_verify
from keras_attention.export.one_file import compare, require_file, signature_of, written_whole
from keras_attention.export.precision import captured_constants, in_float32
from keras_attention.export.signatures import concrete
from keras_attention.ops.require import require_int
from keras_attention.types import Nest, PathLike


def export_onnx(
    model: keras.Model,
    path: PathLike,
    *,
    input_signature: Nest | None = None,
    lengths: dict[str, str] | None = None,
    opset: int | None = None,
    verify: bool | dict[str, Any] = True,
) -> pathlib.Path:
    """Exports `model` to an ONNX file: its call with `training=False`, inputs by name -> outputs by name.

    Batch and length stay dynamic, and names are those of `export_saved_model`. The conversion is that of tf2onnx, with
    these differences: tf2onnx turns `where(c, x, y)` into c x + (1 - c) y, which is NaN if what is not selected is NaN
    or infinite; here it becomes ONNX's `Where`. It joins two reshapes into the second, which is wrong if that one
    copies a size of the first one's result; here both stay. It does not know TensorFlow's exact GELU, which is
    converted here. An output with the name of an input is called `<name>_output`.

    float16 and int8 stay; bfloat16, of which onnxruntime has few operations, is computed in float32.

    The file is compared with the model, in onnxruntime, before it takes the place of an older one.

    Needs the TensorFlow backend (see `export_saved_model`) and the packages of the extra `export`.

    Args:
        model: Built `keras.Model` (functional, `Sequential` or subclassed).
        path: The file, ending in `.onnx`; its folder is created if missing.
        input_signature: Inputs of the model: see `export_saved_model`.
        lengths: Dict input name -> name of its lengths, for sequences of varying length: see `export_saved_model`.
            `None`: no input takes lengths, as there is no server that pads.
        opset: Int, the version of ONNX's operations; `None`: that of tf2onnx.
        verify: Whether to compare the outputs with the model's, on two short random inputs; or a dict input name ->
            array, as for `export_saved_model`.

    Returns:
        `pathlib.Path` of the file.

    Raises:
        ImportError: If tf2onnx or onnxruntime is missing.
        RuntimeError: On another backend, or if the outputs of the file differ from the model's.
        ValueError: If the model is not built, an argument is malformed, or an operation has no equivalent in ONNX.
        OSError: If the file cannot be written.
    """
    require_model(model, "export_onnx")
    require_verify(verify)
    path = require_file(path, ".onnx")
    require_int(opset, "opset", optional=True)
    require_extra("tf2onnx", "onnx", "onnxruntime")
    signature = signature_of(model, input_signature, lengths)
    function = concrete(signature, signature.specs())
    # Neither tf2onnx nor onnxruntime multiply in bfloat16.
    converted = _converted(in_float32(function, signature.specs(), ("bfloat16",)), signature, opset)
    _require_standard(converted)
    with written_whole(path) as beside:
        beside.write_bytes(converted.SerializeToString())
        compare(_runner(beside, signature), signature, function, verify)
    return path


def _converted(function, signature, opset):
    """The model in ONNX. As `tf2onnx.convert.from_function`, which leaves no choice of its optimizers."""
    import tensorflow as tf
    from tf2onnx import optimizer, tf_loader, tfonnx

    specs = signature.specs()
    inputs = [x.name for x in function.inputs if x.dtype != tf.resource]
    outputs = {x.name: _output_name(name, specs) for name, x in function.structured_outputs.items()}
    names = {f"{name}:0": name for name in specs} | outputs
    frozen = tf_loader.from_function(function, inputs, list(outputs))
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="", input_map=captured_constants(function))
        result = tfonnx.process_tf_graph(
            graph,
            opset=opset,
            custom_op_handlers={"SelectV2": (_where, []), "Erfc": (_erfc, [])},
            input_names=[x for x in inputs if x in names],
            output_names=list(outputs),
            tensors_to_rename=names,
        )
    # One of the others joins two reshapes, of which the second may say "as many as the input of the first has".
    steps = {
        "transpositions": optimizer.TransposeOptimizer,
        "constants": optimizer.ConstFoldOptimizer,
        "loops": optimizer.LoopOptimizer,
        "duplicates": optimizer.MergeDuplicatedNodesOptimizer,
        "identities": optimizer.IdentityOptimizer,
    }
    return optimizer.optimize_graph(result, optimizers=steps).make_model(signature.model.name)


def _output_name(name, inputs):
    """In ONNX an output with the name of an input would be that input."""
    return f"{name}_output" if name in inputs else name


def _where(ctx, node, name, args):
    """tf2onnx's handler of a broadcast selection: ONNX has the same."""
    node.type = "Where"


def _erfc(ctx, node, name, args):
    """The complementary error function, of which TensorFlow's exact GELU is made: 1 - erf(x)."""
    from tf2onnx import utils

    [dtype], [shape] = node.output_dtypes, node.output_shapes
    erf = ctx.make_node("Erf", node.input, name=utils.make_name(name), shapes=[shape], dtypes=[dtype])
    one = ctx.make_const(utils.make_name(name), np.ones((), utils.map_onnx_to_numpy_type(dtype)))
    node.type = "Sub"
    ctx.replace_inputs(node, [one.output[0], erf.output[0]])


def _require_standard(converted):
    """Raises for operations that tf2onnx left as TensorFlow's own, which no runtime knows."""
    import onnx

    foreign = sorted({node.op_type for node in _nodes(converted.graph) if not onnx.defs.has(node.op_type, node.domain)})
    if foreign:
        raise ValueError(
            f"The model must be made of operations that ONNX has. Received: {', '.join(foreign)}, of TensorFlow."
        )


def _nodes(graph):
    """All nodes, those inside of loops and branches included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _nodes(inner)


def _runner(path, signature):
    """The file in onnxruntime: a function of tensors by name that returns arrays by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = [output.name for output in session.get_outputs()]
    taken = {given.name for given in session.get_inputs()}  # an input that changes nothing is not there
    renamed = {_output_name(name, signature.inputs): name for name in signature.inputs}

    def run(inputs):
        outputs = session.run(found, {key: x.numpy() for key, x in inputs.items() if key in taken})
        return {renamed.get(name, name): x for name, x in zip(found, outputs)}

    return run
