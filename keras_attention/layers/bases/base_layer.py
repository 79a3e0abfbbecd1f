"""What all layers of this package do beside Keras's `Layer`: at a call, with a config and with a file."""

import functools
import inspect

import keras

from keras_attention.layers.bases.adapters import KeepsAdapters
from keras_attention.layers.bases.arguments import NESTS, refuse_list, standardize
from keras_attention.layers.bases.checks import POSITIONS, check_flags, check_positions

# A sequence that is not given: which one is read in its place.
STANDS_FOR = {"value": "query", "key": "value"}


class BaseLayer(KeepsAdapters, keras.layers.Layer):
    """Base class of the layers.

    - Call arguments may be Python lists and NumPy arrays; see `arguments.standardize`.
    - `layer([query, value])` is refused with how to call; an input of another width than the layer was built for, and
      text for an argument that is `True` or `False`, by name.
    - `from_config` leaves the config that it is given as it is.
    - Files keep what `quantize` and `enable_lora` did to sublayers; see `KeepsAdapters`.
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
        # Keras takes nested configs apart in place.
        return super().from_config(_copy(config), **kwargs)

    def _require_built(self, name):
        """Raises unless the layer has its weights, which the method `name` needs."""
        if not self.built:
            shapes = ", ".join(_parameters(type(self).build))
            raise ValueError(
                f"`{type(self).__name__}` is not yet set up: `build({shapes})` it, or call it once, before `{name}`. "
                "Received: built=False"
            )

    def _call_arguments(self, *args, **kwargs):
        """All arguments of a call by name, with the defaults of those that are not given."""
        bound = _signature(type(self).call).bind(self, *args, **kwargs)
        bound.apply_defaults()
        return {name: value for name, value in bound.arguments.items() if name != "self"}

    @property
    def _features_axis(self):
        """The axis of the inputs whose size `build` fixes; `None`: it fixes none."""
        return 1 if getattr(self, "data_format", None) == "channels_first" else -1

    def _check_widths(self, given):
        """Raises if an input has another width than the one that the weights were made for.

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
                    f"`{name}` must be of size {size} on axis {axis}, as what `{self.name}` was built for. "
                    f"Received: {name}.shape={shape}"
                )

    def _widths(self):
        """((name of a call argument, its features), ...) of what the layer was built for."""
        if "_built_widths" not in vars(self):
            # Past Keras, which would track it.
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
    """Names of the arguments of an unbound method that may be given by position, without `self`."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in _signature(function).parameters.values() if p.kind in kinds][1:]


@functools.cache
def _flags(function):
    """Names of the arguments that switch something: those that are `True` or `False` by default."""
    return [p.name for p in _signature(function).parameters.values() if isinstance(p.default, bool)]


@functools.cache
def _inputs(layer):
    """The call arguments of a class of layers that are its inputs: those whose shapes `build` takes."""
    names = _parameters(layer.call)
    built = [name.removesuffix("_shape") for name in _parameters(layer.build)]
    return [name for name in names if name in built] or names[:1]


def _copy(config):
    """The dicts and lists of a config anew; what they hold stays."""
    if isinstance(config, dict):
        return {key: _copy(value) for key, value in config.items()}
    return [_copy(value) for value in config] if isinstance(config, list) else config
