"""Names of the inputs and outputs of a served model: reproducible, and valid in TensorFlow and Python.

| input | served as |
|---|---|
| in a dict | its key; the keys joined, `{"a": {"b": x}}` -> `a_b`; with positions if several share it, `a_0`, `a_1` |
| with a name of its own, `keras.Input(name="text")` | that name |
| the only one, without a name | `inputs` |
| another without a name | `input_0`, `input_1`, ... by its position among all inputs |

Every character other than an ASCII letter, a digit or an underscore becomes an underscore. A name that does not begin
with a letter, or that Python or TensorFlow reserves, gets the prefix `input_`: `x.y` -> `x_y`, `1st` ->
`input_1st`, `class` -> `input_class`, `self` -> `input_self`.
"""

import collections
import keyword
import re

import keras

# Keras's automatic names of inputs, which count over the whole process.
AUTOMATIC = r"(keras_tensor|input_layer)(_\d+)?"


def served_name(name):
    """`name`, changed where TensorFlow or Python would not accept it."""
    name = re.sub(r"[^0-9A-Za-z_]", "_", name)
    if not name[:1].isalpha() or keyword.iskeyword(name) or name == "self":
        name = f"input_{name}"
    return name


def input_names(structure):
    """The served name of every leaf of `structure`, in the order of `keras.tree.flatten`."""
    leaves = keras.tree.flatten_with_path(structure)
    keys = [tuple(key for key in path if isinstance(key, str)) for path, _ in leaves]
    shared = {key for key, count in collections.Counter(keys).items() if count > 1}
    names = []
    for i, (path, spec) in enumerate(leaves):
        own = getattr(spec, "name", None)
        if not isinstance(own, str) or re.fullmatch(AUTOMATIC, own):
            own = None
        joined = "_".join(map(str, path if keys[i] in shared else keys[i])) if keys[i] else None
        names.append(served_name(joined or own or (f"input_{i}" if path else "inputs")))
    for name, count in collections.Counter(names).items():
        if count > 1:
            raise ValueError(f"Two inputs of the signature are called {name!r}; name them apart.")
    return names


def output_names(model):
    """The names of the outputs of a functional model; `output_0`, `output_1`, ... for those without a name."""
    names = getattr(model, "output_names", None)
    if names is None:
        return None
    layers = {layer.name: layer for layer in model.layers}
    return [f"output_{i}" if _is_automatic(layers.get(name), name) else name for i, name in enumerate(names)]


def _is_automatic(layer, name):
    """Whether the layer has an automatic name of Keras: its class, with a counter over the whole process."""
    plain = re.sub(r"_\d+$", "", name).replace("_", "")
    return layer is None or plain == re.sub(r"\W|_", "", type(layer).__name__).lower()
