"""Serving signatures: functions from named tensors to named tensors.

A server's batcher pads each tensor with that tensor's first element, which destroys masks and the padding id. A
signature therefore takes the lengths, and the padding is restored inside the graph:

    tokens:  [B, T]    int32    with  tokens_lengths:  [B] int32   ->  tokens, 0 beyond the length
    signal:  [B, T, D] float32  with  signal_lengths:  [B] int32   ->  signal, 0 beyond the length, and its Keras mask
"""

import functools
import inspect
import re
import warnings

import keras
from keras import ops

from keras_attention.export.names import input_names, output_names, served_name
from keras_attention.export.sizes import with_unknown_sizes

LENGTHS = "_lengths"


class ForwardSignature:
    """The model's call as a function of named tensors, with lengths for sequences of varying length.

    Args:
        model: The Keras model.
        structure: Inputs of the model: a spec (anything with `shape` and `dtype`), an array, or a nest of them.
        lengths: As in `export_saved_model`.
        require: Function (tensor, input name) -> tensor, which may raise when the graph runs; `None`: none.
    """

    def __init__(self, model, structure, lengths=None, require=None):
        _require_specs(structure)
        names = input_names(structure)
        self.model, self.require = model, require
        self.structure = with_unknown_sizes(model, structure)
        self.inputs = dict(zip(names, keras.tree.flatten(self.structure)))
        self.lengths = _automatic_lengths(self.inputs) if lengths is None else _named_lengths(lengths)
        _require_lengths(self.lengths, self.inputs)

    def specs(self):
        """Name -> `tf.TensorSpec` of every input, lengths included, in the order of the model's inputs."""
        import tensorflow as tf

        specs = {}
        for name, spec in self.inputs.items():
            specs[name] = tf.TensorSpec(spec.shape, keras.backend.standardize_dtype(spec.dtype), name=name)
            if name in self.lengths:
                lengths = self.lengths[name]
                specs[lengths] = tf.TensorSpec((spec.shape[0],), "int32", name=lengths)
        return specs

    def __call__(self, **tensors):
        inputs = []
        for name in self.inputs:
            x = tensors[name]
            x = _PaddingFromLengths()((x, tensors[self.lengths[name]])) if name in self.lengths else x
            inputs.append(x if self.require is None else self.require(x, name))
        with warnings.catch_warnings():
            # A functional model passes the mask to its layers, but Keras warns that its output has no mask.
            warnings.filterwarnings("ignore", f"Layer '{re.escape(getattr(self.model, 'name', ''))}' .*with a mask")
            outputs = self.model(keras.tree.pack_sequence_as(self.structure, inputs), training=False)
        return _defined(name_outputs(outputs, output_names(self.model)), [tensors[n] for n in self.lengths.values()])


class _PaddingFromLengths(keras.layers.Layer):
    """Zeros positions beyond the lengths; float inputs also get a Keras mask (for ids, 0 is the padding id)."""

    def __init__(self):
        super().__init__(autocast=False, name="padding_from_lengths")

    def call(self, inputs):
        return zero_beyond(*inputs)

    def compute_mask(self, inputs, previous_mask=None):
        x, lengths = inputs
        is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype))
        return _visible(x, lengths) if is_float else None


def zero_beyond(x, lengths):
    """`x` [B, T, ...] with zeros at the positions beyond the lengths [B]."""
    mask = ops.reshape(_visible(x, lengths), (*ops.shape(x)[:2], *[1] * (len(x.shape) - 2)))
    # Not a product: the padding may be NaN.
    return ops.where(mask, x, ops.zeros_like(x))


def _defined(outputs, lengths):
    """The outputs by name, with 0 for NaN in the rows where a length is 0 or less: a mean over nothing."""
    if not lengths:
        return outputs
    empty = functools.reduce(ops.logical_or, [ops.cast(n, "int32") <= 0 for n in lengths])
    return {name: _without_nan(x, empty) for name, x in outputs.items()}


def _without_nan(x, empty):
    if not len(x.shape) or not keras.backend.is_float_dtype(keras.backend.standardize_dtype(x.dtype)):
        return x
    undefined = ops.logical_and(ops.isnan(x), ops.reshape(empty, (-1, *[1] * (len(x.shape) - 1))))
    return ops.where(undefined, ops.zeros_like(x), x)


def _visible(x, lengths):
    """[B, T] = t < lengths."""
    positions = ops.expand_dims(ops.arange(ops.shape(x)[1], dtype="int32"), 0)
    return positions < ops.expand_dims(ops.cast(lengths, "int32"), 1)


def own_signature(model, input_signature=None, lengths=None, require=None):
    """`ForwardSignature` of the model, or `None` if its inputs are not known.

    Raises:
        ValueError: If `lengths` is given although the model's inputs are not known.
    """
    structure = input_signature if input_signature is not None else _model_inputs(model)
    if structure is not None:
        return ForwardSignature(model, structure, lengths, require)
    if lengths is not None:
        raise ValueError(f"`lengths` needs an `input_signature`: {model.name} does not know its inputs.")
    return None


def extra_signature(name, signature):
    """The user's (function, specs) as a function of named tensors and a dict of specs by served name."""
    try:
        function, specs = signature
    except (TypeError, ValueError):
        specs = function = None
    if not callable(function) or not isinstance(specs, (dict, list, tuple)):
        raise ValueError(
            f"`signatures[{name!r}]` must be a tuple (function, specs), where specs is a list of tf.TensorSpec or a "
            f"dict from argument to tf.TensorSpec. Received: {signature!r}"
        )
    if isinstance(specs, dict):
        arguments = {served_name(argument): argument for argument in specs}
        named = {name: specs[argument] for name, argument in arguments.items()}
        return (lambda **tensors: name_outputs(function(**{a: tensors[n] for n, a in arguments.items()}))), named
    parameters = list(inspect.signature(function).parameters)
    names = [served_name(getattr(spec, "name", None) or parameters[i]) for i, spec in enumerate(specs)]
    return (lambda **tensors: name_outputs(function(*[tensors[n] for n in names]))), dict(zip(names, specs))


def concrete(function, specs):
    """Traces `function(**tensors)` for inputs named and shaped by `specs`."""
    import tensorflow as tf

    specs = {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in specs.items()}
    return tf.function(function, autograph=False).get_concrete_function(**specs)


def name_outputs(outputs, names=None):
    """A dict of tensors: a dict stays, one tensor is `outputs`, several are `names` or `output_0`, `output_1`, ..."""
    if isinstance(outputs, dict):
        named = outputs
    elif isinstance(outputs, (list, tuple)):
        if names is None or len(set(names)) != len(outputs):
            names = [f"output_{i}" for i in range(len(outputs))]
        named = dict(zip(names, outputs))
    else:
        named = {"outputs": outputs}
    for name, value in named.items():
        if keras.tree.is_nested(value):
            raise ValueError(f"A signature must return tensors, not nests of them. Received: {name}={value!r}")
    return {name: ops.convert_to_tensor(value) for name, value in named.items()}


def _model_inputs(model):
    inputs = getattr(model, "inputs", None)
    if not inputs:
        return None
    if isinstance(model, keras.Sequential):
        return inputs[0]
    return model.input


def _require_specs(structure):
    for spec in keras.tree.flatten(structure):
        if not hasattr(spec, "shape") or not hasattr(spec, "dtype"):
            raise ValueError(
                "`input_signature` must hold arrays, or specs with a shape and a dtype (keras.InputSpec, "
                f"keras.KerasTensor or tf.TensorSpec). Received: {spec!r}"
            )
        if spec.shape is None or spec.dtype is None:
            raise ValueError(f"Every spec must have a shape and a dtype. Received: {spec!r}")


def _automatic_lengths(inputs):
    """Inputs [B, None] and [B, None, D] take lengths; images and videos only if `lengths` names them."""
    return {
        name: name + LENGTHS for name, spec in inputs.items() if len(spec.shape) in (2, 3) and spec.shape[1] is None
    }


def _named_lengths(lengths):
    """`lengths` by served names."""
    if not isinstance(lengths, dict):
        raise ValueError(f"`lengths` must be a dict from input to the name of its lengths. Received: {lengths!r}")
    return {served_name(name): served_name(lengths_name) for name, lengths_name in lengths.items()}


def _require_lengths(lengths, inputs):
    for name, lengths_name in lengths.items():
        if name not in inputs:
            raise ValueError(f"`lengths` names an unknown input: {name!r}. The inputs are {list(inputs)}.")
        if len(inputs[name].shape) < 2:
            raise ValueError(f"{name!r} has no axis of length: shape={tuple(inputs[name].shape)}")
        if lengths_name in inputs:
            raise ValueError(f"The lengths of {name!r} cannot be called {lengths_name!r}: an input has that name.")
