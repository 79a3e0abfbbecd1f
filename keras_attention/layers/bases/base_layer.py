"""Base class of all layers."""

import functools
import inspect

import keras

from keras_attention.layers.bases.adapters import KeepsAdapters
from keras_attention.layers.bases.arguments import NESTS, refuse_list, standardize
from keras_attention.layers.bases.checks import POSITIONS, check_flags, check_positions

# Which argument an omitted sequence defaults to.
STANDS_FOR = {"value": "query", "key": "value"}


class BaseLayer(KeepsAdapters, keras.layers.Layer):
    """Base class of all layers: call arguments, configs and saved files.

    - Call arguments may be Python lists and NumPy arrays; see `arguments.standardize`.
    - Errors name the argument: for `layer([query, value])`, for an input of another width than the layer was built for,
      and for a string in place of `True` or `False`.
    - `from_config` does not modify the config.
    - Saved files keep quantization and LoRA of sublayers; see `KeepsAdapters`.
    """

    def __call__(self, *args, **kwargs):
        names, inputs = _parameters(type(self).call), _inputs(type(self))
        for name, x in (*zip(names, args), *kwargs.items()):
            refuse_list(x, name, inputs, type(self).__name__)
        args = (*map(standardize, args, names), *args[len(names) :])
        kwargs = {name: standardize(x, name) for name, x in kwargs.items()}
        given = {**dict(zip(names, args)), **kwargs}
        check_flags(**{name: given[name] for name in _flags(type(self).call) if name in given})
        check_positions(**{name: given[name] for name in POSITIONS if name in given})
        self._check_widths(given)
        return super().__call__(*args, **kwargs)

    @classmethod
    def from_config(cls, config, **kwargs):
        # Keras modifies nested configs in place.
        return super().from_config(_copy(config), **kwargs)

    def _require_built(self, name):
        """Raises unless the layer is built, which the method `name` needs."""
        if not self.built:
            shapes = ", ".join(_parameters(type(self).build))
            raise ValueError(
                f"`{type(self).__name__}` is not yet set up: call `build({shapes})` or the layer before `{name}`. "
                "Received: built=False"
            )

    def _call_arguments(self, *args, **kwargs):
        """All call arguments by name, including defaults."""
        bound = _signature(type(self).call).bind(self, *args, **kwargs)
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name != "self"}

    @property
    def _features_axis(self):
        """The axis of the inputs whose size `build` fixes, or `None`."""
        return 1 if getattr(self, "data_format", None) == "channels_first" else -1

    def _check_widths(self, given):
        """Raises if an input has another width than the layer was built for.

        Args:
            given: {name of a call argument: tensor or `None`}.
        """
        if not self.built:
            return
        axis = self._features_axis
        for name, size in self._widths():
            x = given.get(name)
            if x is None and given.get("cache") is None and given.get("memory") is None:
                x = given.get(STANDS_FOR.get(name))
            shape = tuple(getattr(x, "shape", ()))
            if len(shape) > 1 and shape[axis] not in (None, size):
                raise ValueError(
                    f"`{name}` must be of size {size} on axis {axis}, which `{self.name}` was built for. "
                    f"Received: {name}.shape={shape}"
                )

    def _widths(self):
        """((name of a call argument, its width), ...) that the layer was built for."""
        if "_built_widths" not in vars(self):
            # Bypasses Keras's tracking of attributes.
            vars(self)["_built_widths"] = tuple(self._find_widths().items())
        return vars(self)["_built_widths"]

    def _find_widths(self):
        axis = self._features_axis
        if axis is None or not self.weights:
            return {}
        names = _parameters(type(self).call)
        config = keras.layers.Layer.get_build_config(self) or {}
        shapes = config.get("shapes_dict") or {f"{names[0]}_shape": config.get("input_shape")}
        widths = {}
        for name, shape in shapes.items():
            plain = isinstance(shape, (list, tuple)) and all(n is None or isinstance(n, int) for n in shape)
            if plain and name.removesuffix("_shape") not in NESTS and len(shape) > 1 and shape[axis] is not None:
                widths[name.removesuffix("_shape")] = shape[axis]
        for name, source in STANDS_FOR.items():
            if name in names and source in widths:
                widths.setdefault(name, widths[source])
        return widths


_signature = functools.cache(inspect.signature)


@functools.cache
def _parameters(function):
    """Names of the positional arguments of an unbound method, without `self`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in _signature(function).parameters.values() if p.kind in kinds][1:]


@functools.cache
def _flags(function):
    """Names of the boolean arguments: those whose default is `True` or `False`."""
    return [p.name for p in _signature(function).parameters.values() if isinstance(p.default, bool)]


@functools.cache
def _inputs(layer):
    """The call arguments of a layer class that are its inputs: those whose shapes `build` takes."""
    names = _parameters(layer.call)
    built = [name.removesuffix("_shape") for name in _parameters(layer.build)]
    return [name for name in names if name in built] or names[:1]


def _copy(config):
    """Copies the dicts and lists of a config, not their values."""
    if isinstance(config, dict):
        return {key: _copy(value) for key, value in config.items()}
    return [_copy(value) for value in config] if isinstance(config, list) else config
