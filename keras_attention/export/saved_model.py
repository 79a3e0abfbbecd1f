"""Export as a SavedModel: versioned, dynamic shapes, each weight stored once, verified, written atomically."""

import functools
import gc
import pathlib
from collections.abc import Collection
from typing import Any

import keras

from keras_attention.export.checks import require_model, require_verify
from keras_attention.export.core_ops import forget_gradients, require_core_ops
from keras_attention.export.ids import require_known_ids
from keras_attention.export.signatures import concrete, extra_signature, own_signature
from keras_attention.export.verify import verify_export
from keras_attention.export.versions import require_version, write_version
from keras_attention.export.warm_up import warm_up_requests, write_warm_up
from keras_attention.export.writing import write_saved_model
from keras_attention.types import Nest, PathLike, Signatures

DEFAULT = "serving_default"


def export_saved_model(
    model: keras.Model,
    directory: PathLike,
    *,
    input_signature: Nest | None = None,
    lengths: dict[str, str] | None = None,
    signatures: Signatures | None = None,
    version: int | None = None,
    verify: bool | dict[str, Any] = True,
    allowed_ops: Collection[str] = (),
    warm_up: dict[str, Any] | None = None,
) -> pathlib.Path:
    """Exports `model` as a SavedModel for TensorFlow Serving, into the next version folder of `directory`.

        directory/1/saved_model.pb, variables/, assets/

    The signature `serving_default` is the model's call with `training=False`: inputs by name -> outputs by name.
    Batch and length stay dynamic: see `input_signature`. Sequences of varying length come with lengths, not a mask:

        tokens: [B, T], tokens_lengths: [B] int32 -> outputs: [B, ...]

    for every input `[B, None]` or `[B, None, D]`. Positions beyond the length are set to zero inside the graph:
    integer inputs then hold the padding id 0, and floating inputs also carry the Keras mask. So the padding that a
    client or a server's batcher adds, of any value, is ignored. Lengths are clipped to [0, T]; in a row of length 0,
    NaN of the model (a mean over nothing) becomes 0. Of a model with `vocabularies` (a dict from input to its number of
    values, as of `models.transformer`), a value outside is an error for the request.

    An input is called by its key in a dict (`{"a": {"b": x}}`: `a_b`; `{"a": [x, y]}`: `a_0`, `a_1`), else by its own
    name, else `inputs`, or `input_0`, `input_1`, ... if there are several. Characters that Python or TensorFlow does
    not allow in names become `_`, and names that it does not allow get the prefix `input_`: `x.y` is served as `x_y`,
    `1st` as `input_1st`, `class` as `input_class`. Several outputs without names are `output_0`, `output_1`, ...

    Only the variables that the signatures read are stored, each once (`model.export` stores them twice). The export is
    atomic: it is written and verified in a hidden folder, which is then renamed. An existing version is never
    overwritten.

    Needs the TensorFlow backend. A model of another backend: `model.save("m.keras")`, and export it in a process with
    `KERAS_BACKEND=tensorflow`.

    Args:
        model: Built `keras.Model` (functional, `Sequential` or subclassed; quantized ones too).
        directory: Folder of the versions; created if missing.
        input_signature: Inputs of the model: a spec or a nest of specs (`keras.InputSpec(shape=(None, None),
            dtype="int32")`, `tf.TensorSpec`), or example arrays, in the structure that `call` takes. `None`: the
            inputs of a functional or `Sequential` model; of a subclassed model only `signatures` are exported.
            Specs are kept as they are. Sizes that come from data (an example, or the batch on which a `Sequential`
            without an `Input` was built by its first call or by `fit`) become `None` where the model does not depend
            on them: the batch size, and each length with another value of which a trial run of the model succeeds. The
            input of a `Sequential` without an `Input` is int32 if fractions have no effect, as for an `Embedding`,
            else float.
        lengths: Dict input name -> name of its lengths, for the inputs that take lengths. `None`: every input `[B,
            None]` or `[B, None, D]`, as `<input>_lengths`. Two inputs may share one name; `{}` turns lengths off.
        signatures: Dict name -> `(function, specs)` of further signatures: those of `export.serving` for the models of
            this library, or a Python function of tensors that returns a
            tensor, a list or a dict of them, and the `tf.TensorSpec` of its arguments (a list, or a dict by argument).
            It may use the model, lookup tables and loops; loops over tensors need `tf.while_loop` or `@tf.function`.
            If one is called `serving_default`, the model's own call is stored as `call`.
        version: Positive int; `None`: the next free number.
        verify: Whether to load the export and compare its output with the model's, on two short random inputs, before
            the folder is renamed. Costs a load (about a second, and the weights once more in memory). A dict input
            name -> array compares on your inputs, for models that cannot run on three random steps.
        allowed_ops: Names of operations outside the core of TensorFlow to accept, because your server has them.
        warm_up: Dict signature name -> inputs of a request, a dict from name to array, or a list of such dicts. Each
            is run, and stored in `assets.extra` for TensorFlow Serving, which repeats them before it serves the
            version: the first client does not wait. Needs the extra `serving`.

    Returns:
        `pathlib.Path` of the version folder.

    Raises:
        RuntimeError: On another backend, or if the outputs of the loaded export differ from the model's.
        ValueError: If the model is not built, an argument is malformed, a signature uses a resource that no object
            holds, or an operation is not in the core of TensorFlow (see `require_core_ops`).
        OSError: `FileExistsError` (the version), `NotADirectoryError` or `PermissionError`, before the model is traced;
            later if the disk is full. No half-written version stays.

    Example:

    >>> import tempfile
    >>> import keras
    >>> import tensorflow as tf
    >>> tokens = keras.Input((None,), dtype="int32", name="tokens")
    >>> x = keras.layers.Embedding(10, 4, mask_zero=True)(tokens)
    >>> model = keras.Model(tokens, keras.layers.GlobalAveragePooling1D()(x))
    >>> path = export_saved_model(model, tempfile.mkdtemp())
    >>> path.name
    '1'
    >>> served = tf.saved_model.load(path).signatures["serving_default"]
    >>> tuple(served(tokens=tf.constant([[5, 3, 9]]), tokens_lengths=tf.constant([2]))["outputs"].shape)
    (1, 4)
    """
    require_model(model, "export_saved_model")
    require_version(directory, version)
    _require_options(signatures, verify, allowed_ops)
    requests = warm_up_requests(warm_up)
    functions, own = _functions(model, input_signature, lengths, signatures)

    def write(folder):
        traced = {name: concrete(function, specs) for name, (function, specs) in functions.items()}
        write_saved_model(_holder(traced), folder, traced)
        forget_gradients(folder)
        require_core_ops(folder, allowed_ops)
        if verify or isinstance(verify, dict):
            own_function = functions[own][0] if own else None
            verify_export(folder, own, own_function, verify if isinstance(verify, dict) else None)
        write_warm_up(folder, requests)

    return write_version(directory, write, version)


def _require_options(signatures, verify, allowed_ops):
    if signatures is not None and not isinstance(signatures, dict):
        raise ValueError(f"`signatures` must be a dict from name to (function, specs). Received: {signatures!r}")
    require_verify(verify)
    if isinstance(allowed_ops, str) or not all(isinstance(name, str) for name in allowed_ops):
        raise ValueError(f"`allowed_ops` must be names of operations. Received: allowed_ops={allowed_ops!r}")


def _functions(model, input_signature, lengths, signatures):
    """Signature name -> (function of named tensors, specs), and the name of the model's own call (or `None`)."""
    functions = {name: extra_signature(name, signature) for name, signature in (signatures or {}).items()}
    require = functools.partial(require_known_ids, getattr(model, "vocabularies", {}))
    call = own_signature(model, input_signature, lengths, require)
    if call is None and not functions:
        raise ValueError(
            f"{model.name} does not know its inputs (it is not a functional model): give `input_signature`, specs or "
            "an example of its inputs, or `signatures`."
        )
    if call is None:
        return functions, None
    own = "call" if DEFAULT in functions else DEFAULT
    if own in functions:
        raise ValueError(f"The signature name {own!r} is taken by the model's own call. Received: {list(functions)}")
    return {**functions, own: (call, call.specs())}, own


def _holder(traced):
    """A `tf.Module` that holds each variable and lookup table of the signatures once.

    Keras models are not used as the holder: TensorFlow would find every weight in them by two paths and store it twice.
    """
    import tensorflow as tf

    holder = tf.Module(name="served")
    holder.variables_used = list({v.ref(): v for function in traced.values() for v in function.variables}.values())
    handles = [x for function in traced.values() for x in function.captured_inputs if x.dtype == tf.resource]
    known = {id(variable.handle) for variable in holder.variables_used}
    handles = {id(handle): handle for handle in handles if id(handle) not in known}
    # A captured handle has no reference to its table, and a table that no object holds cannot be saved.
    resource = tf.saved_model.experimental.TrackableResource
    alive = [x for x in gc.get_objects() if issubclass(type(x), resource)]
    holder.resources_used = [x for x in alive if id(x.resource_handle) in handles]
    found = {id(x.resource_handle) for x in holder.resources_used}
    if len(found) < len(handles):
        raise ValueError(
            "A signature uses a resource that is neither a variable nor a lookup table that is still alive. "
            f"Received: {[handles[key] for key in handles if key not in found]}"
        )
    return holder
