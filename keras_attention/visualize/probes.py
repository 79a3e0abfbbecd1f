"""Any image classifier as a functional model that tf-keras-vis can read: logits, and the feature map of one layer."""

import contextlib
import itertools
import math

import keras
import numpy as np
from keras import ops

from keras_attention.visualize.inner_layers import eagerly, inner_layers, replaced, with_distinct_paths
from keras_attention.visualize.reading import scored_layers

MOST_EXTRA_TOKENS = 5  # before those of the image: class, distillation, registers


@contextlib.contextmanager
def classifier(model, images):
    """Context in which `model` runs eagerly and returns logits: its last softmax or sigmoid is left out.

    Afterwards, also after an error, `model` is what it was.

    Yields:
        network: Functional model without weights, images -> logits [B, classes] in float32; it calls `model` in
            inference mode.
        calls: (path, layer, output) of each call of an inner layer for the first image, in the order of their ends.
    """
    with contextlib.ExitStack() as changes:
        changes.enter_context(eagerly())
        output, calls = _calls(model, images[:1])
        for layer, name, value in _last_activation(model, output, calls):
            changes.enter_context(replaced(layer, name, value))
        x = keras.Input(images.shape[1:], dtype="float32")
        [logits] = Running(lambda batch: [_logits(model, batch)], [output.shape[1:]])(x)
        yield Network([x], logits), calls


@contextlib.contextmanager
def opened(model, images, layer):
    """Context like `classifier`, in which the feature map of a layer can be read, too.

    Yields:
        network: Functional model as that of `classifier`.
        end: Layer after `network.inputs` whose output is the features [B, y, x, C] in float32, those of the last call
            of the layer. The logits are computed from these very features, so that they have a gradient.
    """
    with classifier(model, images) as (network, calls):
        path, layer, features = _chosen(model, calls, layer)
        grid = _grid(path, features, images.shape)
        number, taken = sum(other is layer for _, other, _ in calls), []
        shapes = [network.output.shape[1:], (*grid, features.shape[-1])]
        with replaced(layer, "call", _showing(layer.call, number, grid, taken)):
            x = keras.Input(images.shape[1:], dtype="float32")
            logits, features = Running(lambda batch: [_logits(model, batch), taken.pop()], shapes)(x)
            end = keras.layers.Identity(dtype="float32")
            end(features)
            network = Network([x], logits)
            _require_gradient(path, keras.Model([x], [logits, end.output]), images[:1])
            yield network, end


class Running(keras.layers.Layer):
    """A function of images as a layer without weights; it runs eagerly only."""

    def __init__(self, run, shapes):
        super().__init__(dtype="float32")
        self.run, self.shapes = run, shapes

    def call(self, images):
        return self.run(images)

    def compute_output_spec(self, images):
        return [keras.KerasTensor((None, *shape), "float32") for shape in self.shapes]


class Network(keras.Model):
    """Functional model whose `predict` prints nothing and compiles nothing."""

    def predict(self, inputs, batch_size):
        [images] = inputs
        starts = range(0, len(images), batch_size)
        return np.concatenate([self([images[start : start + batch_size]], training=False) for start in starts])


def _logits(model, images):
    return ops.cast(model(images, training=False), "float32")


def _layers(model, path=(), seen=None):
    """Yields (path, layer) of the layers in `model`, each layer once."""
    seen = {id(model)} if seen is None else seen
    for inner in inner_layers(model):
        if id(inner) not in seen:
            seen.add(id(inner))
            yield "/".join((*path, inner.name)), inner
            yield from _layers(inner, (*path, inner.name), seen)


def _calls(model, image):
    """Returns the output of `model`, and (path, layer, output) of the calls in it."""
    if not model.built:
        # A subclassed layer may create its sub-layers in `build`.
        model(image, training=False)
    calls = []
    with contextlib.ExitStack() as watched:
        for path, layer in with_distinct_paths([*_layers(model)]):
            watched.enter_context(replaced(layer, "call", _noting(path, layer, calls)))
        output = model(image, training=False)
    shape = getattr(output, "shape", None)
    if shape is None or len(shape) != 2 or len(output) != 1:
        received = f"shape {tuple(shape)}" if shape is not None else type(output).__name__
        raise ValueError(f"`model` must return one tensor [B, classes]. Received from {model.name}: {received}")
    return output, calls


def _noting(path, layer, calls):
    call = layer.call

    def call_and_note(*args, **kwargs):
        output = call(*args, **kwargs)
        calls.append((path, layer, output))
        return output

    return call_and_note


def _last_activation(model, output, calls):
    """Yields (layer, attribute, value) with which `model` returns logits."""
    squashing = (keras.activations.softmax, keras.activations.sigmoid)
    found = False
    for _, layer, value in calls:
        if value is output and isinstance(layer, keras.layers.Softmax):
            yield layer, "call", lambda inputs, mask=None: inputs
            found = True
        elif value is output and getattr(layer, "activation", None) in squashing:
            yield layer, "activation", keras.activations.linear
            found = True
    row = ops.convert_to_numpy(ops.cast(output, "float32"))[0]
    if not found and len(row) > 1 and row.min() >= 0 and abs(row.sum() - 1) < 1e-3:
        raise ValueError(
            "`model` must return logits, or end in a layer whose activation is softmax or sigmoid. "
            f"Received: {model.name}, which returns probabilities from elsewhere"
        )


def _chosen(model, calls, layer):
    """The call (path, layer, output) of the layer that is asked for; the last of several."""
    if layer is None:
        attention = [each for each, outer in scored_layers(model).values() if not outer and each is not model]
        inside = {id(inner) for each in attention for _, inner in _layers(each)}
        maps = [call for call in calls if id(call[1]) not in inside and _is_map(call[2])]
        if not maps:
            raise ValueError(
                f"No layer of {model.name} returns a feature map [B, y, x, C]: give `layer`, one that returns tokens "
                f"[B, T, C], say. Its layers: {_listed(calls)}"
            )
        return maps[-1]
    asked = [call for call in calls if layer is call[1] or layer == call[0]]
    asked = asked or [call for call in calls if layer == call[1].name]
    if len({id(call[1]) for call in asked}) != 1:
        raise ValueError(
            "`layer` must be a layer that takes part in the call of `model`, its path, or its name if no other layer "
            f"has it. Received: layer={layer!r}, {len(asked)} calls. Layers of {model.name}: {_listed(asked or calls)}"
        )
    return asked[-1]


def _is_map(output):
    """Whether it is a feature map [1, y, x, C] with more than one position."""
    shape = getattr(output, "shape", ())
    return len(shape) == 4 and shape[0] == 1 and max(shape[1:3]) > 1 and _is_float(output)


def _is_float(tensor):
    return "float" in keras.backend.standardize_dtype(tensor.dtype)


def _listed(calls):
    paths = list(dict.fromkeys(path for path, *_ in calls))
    return ", ".join(paths if len(paths) <= 20 else [*paths[:3], "...", *paths[-16:]])


def _grid(path, features, images):
    """Rows and columns of the output of a layer, a map [B, y, x, C] or tokens [B, T, C]."""
    shape = tuple(getattr(features, "shape", ()))
    if len(shape) == 4 and _is_float(features):
        return shape[1:3]
    if len(shape) == 3 and _is_float(features):
        Y, X = images[1] // math.gcd(*images[1:3]), images[2] // math.gcd(*images[1:3])
        for count in range(shape[1], max(0, shape[1] - MOST_EXTRA_TOKENS - 1), -1):
            times = math.isqrt(count // (Y * X))
            if times and times * times * Y * X == count:
                return times * Y, times * X
    raise ValueError(
        "`layer` must return one floating tensor: a map [B, y, x, C], or tokens [B, T, C] that are a grid of the shape "
        f"of the image, after at most {MOST_EXTRA_TOKENS} others. Received: layer={path}, whose output has the shape "
        f"{shape}, for images of shape {tuple(images)}"
    )


def _showing(call, number, grid, taken):
    """A layer's `call` that appends the features of every last one of `number` calls to `taken`, and goes on from them.

    In float32: other types have no place in NumPy. Tokens become a map, and tokens again.
    """
    counter = itertools.count(1)

    def call_and_show(*args, **kwargs):
        output = call(*args, **kwargs)
        if next(counter) % number:
            return output
        if len(output.shape) == 4:
            taken.append(ops.cast(output, "float32"))
            return ops.cast(taken[-1], output.dtype)
        B, T, C = output.shape
        extra = T - math.prod(grid)
        taken.append(ops.cast(ops.reshape(output[:, extra:], (B, *grid, C)), "float32"))
        tokens = ops.cast(ops.reshape(taken[-1], (B, T - extra, C)), output.dtype)
        return ops.concatenate([output[:, :extra], tokens], axis=1)

    return call_and_show


def _require_gradient(path, network, image):
    import tensorflow as tf

    image = tf.constant(image)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(image)
        logits, features = network([image], training=False)
    if tape.gradient(logits, features) is None:
        raise ValueError(
            f"The output of `layer` must be what the logits are computed from, by operations with a gradient. "
            f"Received: layer={path}"
        )
