"""Conformance suite of every public layer: calls, wrappers, shapes."""

import copy
import functools
import inspect

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import POSITIONS
from tests.backend import at_once
from tests.layers.cases import CASES
from tests.layers.conformance import (
    FIRST,
    alone,
    answer,
    arrays,
    block,
    close,
    each,
    make,
    marked,
    mechanism,
    numpy,
    shapes,
    symbols,
)
from tests.layers.paths import traced
from tests.layers.test_conformance_masks import padding

TRAINS_OTHERWISE = ("BatchNormalization", "SpectralNormalization")


@pytest.fixture(scope="module", params=marked(CASES, slow=mechanism))
def built(request):
    """A case, its layer with random weights, its inputs and its output: one build for many tests."""
    layer, x = make(request.param), arrays(request.param)
    return request.param, layer, x, answer(functools.partial(layer, **request.param.call), *x)


def test_computed_and_symbolic_shapes_are_the_eager_shapes(built):
    """With unknown sizes, the axes that differ between two eager calls are `None`, and no others."""
    case, layer, _, output = built
    new = case.layer(**case.init)
    unknown = [tuple(x.shape) for x in symbols(case, unknown=True)]
    longer = traced(lambda: layer(*arrays(case, batch=3, longer=1), **case.call))
    known = case.output
    several = isinstance(known[0], tuple)
    expected = [
        tuple(a if a == b else None for a, b in zip(*both, strict=True))
        for both in zip(shapes(output), shapes(longer), strict=True)
    ]
    expected = tuple(expected) if several else expected[0]
    assert shapes(output) == list(known if several else [known])
    for one in (new, layer):
        assert one.compute_output_shape(*case.inputs) == known
        assert one.compute_output_shape(*unknown) == expected
    assert not new.built
    assert shapes(new(*symbols(case, unknown=True), **case.call)) == list(expected if several else [expected])
    symbolic = layer(*symbols(case), **case.call)
    assert shapes(symbolic) == shapes(output)
    for one, other in zip(keras.tree.flatten(symbolic), keras.tree.flatten(longer), strict=True):
        assert keras.backend.standardize_dtype(one.dtype) == keras.backend.standardize_dtype(other.dtype)


def test_lists_are_accepted_as_arrays(built):
    case, layer, x, output = built
    given, expected = constants(case, layer), output
    if given:
        expected = answer(
            lambda *x: layer(*x, **{name: ops.convert_to_tensor(a) for name, a in given.items()}, **case.call), *x
        )
        assert np.abs(expected - output).max() > 1e-3
        close(answer(lambda *x: layer(*x, **given, **case.call), *x), expected)
    lists = {name: a.tolist() for name, a in given.items()}
    close(answer(lambda: layer(*(a.tolist() for a in x), **lists, **case.call)), expected)


def constants(case, layer):
    """Masks, biases and lengths that the layer takes, by name."""
    if "attention_axes" in case.init:
        return {}
    names = inspect.signature(layer.call).parameters
    given = dict(zip(case.masks, padding(case))) if case.masks else {}
    rng = np.random.default_rng(3)
    if "attention_mask" in names and case.scores:
        given["attention_mask"] = rng.random((1, *scores_of(case)[-2:])) > 0.3
    if "attention_bias" in names and case.scores:
        given["attention_bias"] = rng.standard_normal(scores_of(case)).astype("float32")
    if "memory_lengths" in names:
        given["memory_lengths"] = np.array([4, 6])
    return given


def scores_of(case):
    return case.scores["self"] if isinstance(case.scores, dict) else case.scores


def test_inputs_in_a_list_are_refused_with_how_to_call(built):
    case, layer, x, _ = built
    names = list(inspect.signature(layer.call).parameters)[: len(x)]
    for inputs in (x, [ops.convert_to_tensor(a) for a in x], symbols(case)):
        with pytest.raises(
            ValueError, match=rf"`{names[0]}` must be one tensor.*layer\({names[0]}.*Received: {names[0]}"
        ):
            layer(inputs)


def test_inputs_of_another_width_are_refused_by_name(built):
    case, layer, x, _ = built
    axis = layer._features_axis
    if not case.weights or axis is None:
        return
    names = list(inspect.signature(layer.call).parameters)
    for i, name in enumerate(names[: len(x)]):
        if x[i].ndim < 2 or name == "initial_state":
            continue
        wide = [np.concatenate([a, a], axis) if i == j else a for j, a in enumerate(x)]
        with pytest.raises(
            ValueError, match=f"`{name}` must be of size {x[i].shape[axis]} on axis.*Received: {name}.shape="
        ):
            layer(*wide, **case.call)


def test_booleans_as_positions_are_refused_by_name(built):
    case, layer, x, _ = built
    for name in set(POSITIONS) & set(inspect.signature(layer.call).parameters):
        with pytest.raises(ValueError, match=f"`{name}` must be an int or an integer tensor. Received: {name}=True"):
            layer(*x, **{**case.call, name: True})


def test_strings_as_flags_are_refused_by_name(built):
    case, layer, x, _ = built
    for name, parameter in inspect.signature(layer.call).parameters.items():
        if isinstance(parameter.default, bool):
            with pytest.raises(ValueError, match=f"`{name}` must be `True` or `False`. Received: {name}='no'"):
                layer(*x, **{**case.call, name: "no"})


def test_from_config_does_not_change_the_config(built):
    case, layer, *_ = built
    config = layer.get_config()
    before = copy.deepcopy(config)
    case.layer.from_config(config)
    assert config == before
    assert issubclass(case.layer, BaseLayer)


def test_time_distributed(built):
    case, layer, x, output = built
    if len(x) > 1 or case.call or isinstance(output, tuple):  # Keras's wrapper is for one tensor
        return
    every = keras.layers.TimeDistributed(layer)
    close(answer(every, np.stack([*x, *x], axis=1)), np.stack([output, output], axis=1))
    symbolic = every(keras.Input((None, *case.inputs[0][1:]), dtype=x[0].dtype))
    assert tuple(symbolic.shape)[1:] == (None, *output.shape[1:])


def test_stateless_call_equals_a_call_in_training(built):
    case, layer, x, output = built
    if case.dropout:
        layer = make(case, seed=7, **case.dropout)
    elif not any(name in str(type(sub)) for sub in layer._flatten_layers() for name in TRAINS_OTHERWISE):
        return
    before = [numpy(w) for w in layer.non_trainable_variables]
    state = [w.value for w in layer.trainable_variables], [w.value for w in layer.non_trainable_variables]
    tensors = map(ops.convert_to_tensor, x)
    stateless, moved = at_once(functools.partial(layer.stateless_call, training=True, **case.call), *state, *tensors)

    def train(*x):
        return layer(*x, training=True, **case.call), [w.value for w in layer.non_trainable_variables]

    trained, after = answer(train, *x)
    close(numpy(stateless), trained)
    for new, value in zip(moved, after, strict=True):
        close(numpy(new), value)
    otherwise = np.abs(trained - output).max() > 1e-3
    assert otherwise or any(np.abs(a - numpy(b)).max() > 1e-3 for a, b in zip(before, moved, strict=True))
    assert otherwise or not case.dropout


@keras.saving.register_keras_serializable(package="tests")
class Own(keras.layers.Layer):
    """A user's layer that creates a layer of this package from its arguments."""

    def __init__(self, case, **kwargs):
        super().__init__(**kwargs)
        self.case = case
        self.inner = CASES[case].layer(**CASES[case].init)

    def build(self, input_shape):
        self.inner.build(*input_shape)

    def call(self, inputs, training=None):
        return self.inner(*inputs, training=training, **CASES[self.case].call)

    def get_config(self):
        return {**super().get_config(), "case": self.case}


def own(case):
    """A model of a user's layer that has not been called on arrays."""
    inputs = symbols(case)
    model = keras.Model(alone(inputs), Own(CASES.index(case))(inputs))
    rng = np.random.default_rng(5)
    for w in model.weights:
        w.assign(ops.convert_to_numpy(w) + 0.3 * rng.standard_normal(w.shape))
    return model


@each((case for case in FIRST if case.int8), slow=block)
@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_int8_inside_a_custom_layer_survives_the_file(case, tmp_path):
    """Functional models, and blocks in them, are quantized in the tests of models."""
    model, x = own(case), alone(arrays(case))
    exact = answer(model, x)
    model.quantize("int8")
    rounded = answer(model, x)
    assert 0 < np.abs(rounded - exact).max() < 0.3 * np.abs(exact).max()
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    close(answer(twin, x), rounded)
    assert [w.dtype for w in twin.weights] == [w.dtype for w in model.weights]
    assert any(keras.backend.standardize_dtype(w.dtype) == "int8" for w in twin.weights)
