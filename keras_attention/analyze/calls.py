"""Records the calls of all layers inside of a layer, from shapes alone."""

import contextlib
import contextvars
import dataclasses
import functools
import inspect
import math
import re

import keras
from keras import tree

_AROUND = contextvars.ContextVar("around", default=None)


@dataclasses.dataclass
class Call:
    """One call of a layer, as a formula of its cost sees it.

    Args:
        layer: The layer.
        arguments: Dict from the names of the arguments of its `call` to their values; a `keras.KerasTensor` for each
            tensor.
        output: What it returned, with a `keras.KerasTensor` for each tensor.
        inner: List of the `Call`s of layers inside of it, in their order.
    """

    layer: object
    arguments: dict
    output: object = None
    inner: list = dataclasses.field(default_factory=list)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of the argument of this name, its first tensor if it is nested; `None` if it was not given.

        Args:
            name: Name of an argument of the layer's `call`.

        Returns:
            Tuple of ints, or `None`.

        Raises:
            ValueError: If a size is not known.
        """
        found = _tensors(self.arguments.get(name))
        return _known(self.layer, found[0].shape) if found else None

    @property
    def first(self) -> tuple[int, ...] | None:
        """The shape of the first argument."""
        return self.shape(next(iter(self.arguments)))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of the first output."""
        return _known(self.layer, _tensors(self.output)[0].shape)

    @property
    def output_bytes(self) -> int:
        """The bytes of all outputs."""
        return sum(math.prod(_known(self.layer, x.shape)) * itemsize(x.dtype) for x in _tensors(self.output))

    def of(self, layer: keras.Layer) -> "Call | None":
        """The first call of the inner layer `layer`; `None` if it was not called.

        Args:
            layer: A layer inside of this one.

        Returns:
            `Call`, or `None`.
        """
        return next((call for call in self.inner if call.layer is layer), None)


def itemsize(dtype):
    """Bytes of a number of this dtype."""
    bits = re.findall(r"\d+", keras.backend.standardize_dtype(dtype))
    return int(bits[0]) // 8 if bits else 1


def trace(layer, *args, **kwargs):
    """The `Call` of `layer` on `keras.KerasTensor`s: traced by the backend, with nothing computed."""
    found = []

    def run(*given):
        found.clear()  # Keras may trace more than once
        with _recording(found):
            return layer(*tree.pack_sequence_as(args, list(given)), **kwargs)

    _Traced(run)(*tree.flatten(args))
    return found[0]


class _Traced(keras.Layer):
    """Runs a function of symbolic tensors on the placeholders of the backend."""

    def __init__(self, function):
        super().__init__(dtype="float32", autocast=False)
        vars(self)["function"] = function
        self.built = True

    def call(self, *tensors):
        self.function(*tensors)
        return tensors[0]


@contextlib.contextmanager
def _recording(found):
    """Context in which each call of a layer is added to the calls inside of the layer around it."""
    original = keras.Layer.__call__

    @functools.wraps(original)
    def call_and_record(layer, *args, **kwargs):
        around = _AROUND.get()
        if around is None or isinstance(layer, keras.layers.InputLayer):
            return original(layer, *args, **kwargs)
        if not layer.built:
            _unrecorded(original, layer, args, kwargs)
        call = Call(layer, _arguments(layer, args, kwargs))
        around.append(call)
        token = _AROUND.set(call.inner)
        try:
            output = original(layer, *args, **kwargs)
        finally:
            _AROUND.reset(token)
        call.output = _symbols(output)
        return output

    keras.Layer.__call__ = call_and_record
    token = _AROUND.set(found)
    try:
        yield
    finally:
        _AROUND.reset(token)
        keras.Layer.__call__ = original


def _unrecorded(call, layer, args, kwargs):
    """Builds the layer, for which Keras may call the layers inside of it once more."""
    token = _AROUND.set(None)
    try:
        call(layer, *args, **kwargs)
    finally:
        _AROUND.reset(token)


def _arguments(layer, args, kwargs):
    """The arguments of `call` by name, without those that only `Layer.__call__` reads."""
    signature = inspect.signature(layer.call)
    try:
        bound = signature.bind_partial(*args, **kwargs)
    except TypeError:
        bound = signature.bind_partial(*args)
    return _symbols(dict(bound.arguments))


def _symbols(nest):
    """The nest with a `keras.KerasTensor` for each tensor and variable."""
    return tree.map_structure(_symbol, nest)


def _symbol(x):
    if not (keras.ops.is_tensor(x) or hasattr(x, "shape")) or isinstance(x, keras.KerasTensor):
        return x
    return keras.KerasTensor(tuple(x.shape), dtype=keras.backend.standardize_dtype(x.dtype))


def _tensors(nest):
    return [x for x in tree.flatten(nest) if isinstance(x, keras.KerasTensor)]


def _known(layer, shape):
    if None in shape:
        raise ValueError(f"The shapes inside of `{layer.name}` must be known. Received: {tuple(shape)}")
    return tuple(shape)
