"""Export to LiteRT (formerly TensorFlow Lite), for phones and small devices."""

import pathlib
import tempfile
from typing import Any

import keras

from keras_attention.export.checks import require_extra, require_model, require_verify
from keras_attention.export.one_file import compare, require_file, signature_of, written_whole
from keras_attention.export.precision import in_float32
from keras_attention.export.signatures import concrete
from keras_attention.export.writing import write_saved_model
from keras_attention.types import Nest, PathLike


def export_litert(
    model: keras.Model,
    path: PathLike,
    *,
    input_signature: Nest | None = None,
    lengths: dict[str, str] | None = None,
    verify: bool | dict[str, Any] = True,
) -> pathlib.Path:
    """Exports `model` to a LiteRT file: its call with `training=False`, inputs by name -> outputs by name.

    Batch and length stay dynamic, and names are those of `export_saved_model`; the file has one signature,
    `serving_default`. Only built-in operations are used, so that the plain interpreter runs it. Variables are frozen
    (the converter reads those of a loaded model wrongly).

    Half precision is computed in float32, as LiteRT has few operations in it: the file is as exact as a float32 model,
    and differs from the model by the model's rounding. A model quantized by Keras is refused.

    Loops that collect their outputs, those of recurrent layers and of local attention, need known sizes, the batch's
    too: give them as specs, `input_signature=tf.TensorSpec((1, 64, 512), name="inputs")`. Attention, the blocks of a
    Transformer, squeeze-and-excitation, CBAM and non-local blocks run at any size.

    The file is compared with the model, in `ai_edge_litert`, before it takes the place of an older one.

    Needs the TensorFlow backend (see `export_saved_model`) and the packages of the extra `export`.

    Args:
        model: Built `keras.Model` (functional, `Sequential` or subclassed).
        path: The file, ending in `.tflite`; its folder is created if missing.
        input_signature: Inputs of the model: see `export_saved_model`. Specs with known sizes give a file for them.
        lengths: Dict input name -> name of its lengths: see `export_onnx`.
        verify: See `export_onnx`.

    Returns:
        `pathlib.Path` of the file.

    Raises:
        ImportError: If ai_edge_litert is missing.
        RuntimeError: On another backend, or if the outputs of the file differ from the model's.
        ValueError: If the model is not built or is quantized, an argument is malformed, or an operation is not built
            in.
        OSError: If the file cannot be written.
    """
    require_model(model, "export_litert")
    require_verify(verify)
    path = require_file(path, ".tflite")
    require_extra("ai_edge_litert")
    signature = signature_of(model, input_signature, lengths)
    _require_no_int8(model)
    function = concrete(signature, signature.specs())
    # LiteRT has few operations in half precision.
    content = _converted(in_float32(function, signature.specs(), ("float16", "bfloat16")))
    with written_whole(path) as beside:
        beside.write_bytes(content)
        compare(_runner(beside), signature, function, verify)
    return path


def _require_no_int8(model):
    quantized = [weight.path for weight in model.weights if keras.backend.standardize_dtype(weight.dtype) == "int8"]
    if quantized:
        raise ValueError(
            "`model` must not be quantized: LiteRT has no products of int8 as Keras computes them. Export it before "
            f"`quantize`. Received weights in int8: {', '.join(quantized[:3])}"
        )


def _converted(function):
    import tensorflow as tf

    holder = tf.Module()
    holder.variables_used = list(function.variables)
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(holder, folder, function)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.experimental_enable_resource_variables = False
        try:
            return converter.convert()
        except Exception as error:  # of several classes, which are not public
            raise ValueError(
                f"The model must be made of operations that LiteRT has built in. {str(error)[:1000]}"
            ) from error


def _runner(path):
    """The file in LiteRT's interpreter: a function of arrays by name that returns arrays by name."""
    from ai_edge_litert.interpreter import Interpreter

    return lambda inputs: Interpreter(model_path=str(path)).get_signature_runner()(
        **{name: x.numpy() for name, x in inputs.items()}
    )
