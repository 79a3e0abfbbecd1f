"""Conformance suite of every public layer: what Keras expects of a layer, on every path.

Runs on every backend (`KERAS_BACKEND=tensorflow|jax|torch`).
"""

import functools
import inspect
import json

import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.backend import plainly
from tests.layers.cases import CASES
from tests.layers.conformance import (
    BACKEND,
    FIRST,
    IDS,
    alone,
    answer,
    arrays,
    block,
    built,
    cases_with,
    check_that_all_train,
    close,
    each,
    each_case,
    each_half,
    each_kind,
    expected,
    functional,
    keyed,
    numpy,
    shapes,
    symbols,
)
from tests.layers.paths import CHEAP, HOWS, passes, stepping, traced
from tests.layers.recurrent_cases import CELLS
from tests.layers.visibility import everything, padding, takes


def test_every_public_layer_has_a_case():
    named = {case.layer for case in CASES}
    assert set(CELLS.values()) <= named
    public = {name for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    assert {layer.__name__ for layer in (*named, *CELLS)} == public
    assert len(set(IDS)) == len(IDS)


def called(case, layer, x, **arguments):
    """What the layer returns, or on JAX only its shapes and dtypes."""
    return traced(functools.partial(layer, *x, **arguments, **case.call))


@cases_with("scores")
def test_scores_have_the_same_symbolic_and_eager_shapes(case):
    layer = built(case)
    symbolic = layer(*symbols(case), return_attention_scores=True, **case.call)
    eager = called(case, layer, arrays(case), return_attention_scores=True)
    keras.tree.assert_same_structure(symbolic, eager)
    assert shapes(symbolic) == shapes(eager)
    expected = case.scores if isinstance(case.scores, dict) else {"scores": case.scores}
    assert sorted(shapes(eager[1])) == sorted(expected.values())
    if isinstance(case.scores, dict):
        assert {name: tuple(x.shape) for name, x in eager[1].items()} == case.scores


@cases_with("scores")
def test_return_attention_scores_does_not_change_the_output(case):
    both = functools.partial(built(case), return_attention_scores=True, **case.call)
    output, scores = answer(both, *arrays(case))
    close(output, expected(case))
    for s in keras.tree.flatten(scores):
        if case.sums_to_one is None:
            assert np.all((s >= 0) & (s <= 1)) and np.ptp(s) > 0.1  # float32 rounds a wide-open gate to 1
            continue
        total = s.sum(tuple(range(-case.key_axes, 0)))
        whole = np.abs(total - 1) < 1e-4 if case.sums_to_one else (total > 0) & (total < 1 + 1e-4)
        assert np.all(whole | (total == 0))


QUERIES = [1, -1]


@each([case for case in CASES if takes(case, "score_queries")], slow=lambda case: case not in FIRST)
def test_scores_of_chosen_queries_are_rows_of_all_scores(case):
    layer, given = built(case), {**case.call, **(case.causal or {}), "return_attention_scores": True}
    masks, rng = {**everything(case), **dict(zip(case.masks, padding(case)))}, np.random.default_rng(2)
    if "attention_mask" in masks:
        masks["attention_mask"] = rng.random(case.scores) < 0.8
    if "attention_bias" in masks:
        masks["attention_bias"] = rng.standard_normal(case.scores).astype("float32")
    whole, scores = answer(functools.partial(layer, **given, **masks), *arrays(case))
    output, rows = answer(functools.partial(layer, **given, **masks, score_queries=QUERIES), *arrays(case))
    close(output, whole)
    lead, keys = rows.shape[: -1 - case.key_axes], scores.shape[scores.ndim - case.key_axes :]
    close(rows, np.take(scores.reshape(*lead, -1, *keys), QUERIES, axis=len(lead)))
    assert shapes(layer(*symbols(case), **given, score_queries=QUERIES)) == [output.shape, rows.shape]


@each_case
def test_number_of_trainable_variables(case):
    assert len(built(case).trainable_variables) == case.weights


@each_case
def test_config_is_complete(case):
    layer = case.layer(**case.init)
    assert keras.saving.get_registered_name(case.layer).startswith("keras_attention>")
    config = layer.get_config()
    names = set(inspect.signature(case.layer).parameters) - {"self", "kwargs", "args"}
    assert names <= set(config), f"not in get_config(): {names - set(config)}"
    assert all(hasattr(layer, name) for name in names - set(case.hidden))
    for name in set(case.init) - set(case.hidden):
        value = case.init[name]
        assert getattr(layer, name) in (value, (value,)), name
    json.dumps(keras.saving.serialize_keras_object(layer))


@each_case
def test_config_round_trip(case):
    layer = case.layer(**case.init)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert twin.get_config() == layer.get_config()
    twin = type(layer).from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()


@each_kind
def test_saved_model_file_round_trip(case, tmp_path):
    """A model of unknown batch and lengths equals the layer on other sizes."""
    model, x = functional(case), arrays(case, batch=3, longer=2)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    expected = answer(functools.partial(built(case), **case.call), *x)
    close(answer(lambda *x: model(alone(list(x))), *x), expected)
    close(answer(lambda *x: twin(alone(list(x))), *x), expected)


@each_case
def test_cases_of_attention_set_values_and_causal(case):
    """Without them the tests of keys and of causality would skip the layer."""
    arguments = inspect.signature(case.layer.call).parameters
    gates = case.sums_to_one is None
    assert case.values is not None or not ("attention_mask" in arguments or (case.scores and case.masks and not gates))
    assert case.causal is not None or not ("use_causal_mask" in arguments or case.init.get("causal"))


def squares(outputs):
    """A loss: the mean squared errors of all outputs against 1."""
    return sum(keras.ops.mean(keras.ops.square(x - 1)) for x in keras.tree.flatten(outputs))


# Attention with masks is compiled in test_conformance_visibility.py.
@each(case for case in FIRST if not keyed(case))
def test_compiled_forward_and_every_weight_trains(case):
    """Output, loss and gradients of a training step, compiled by XLA as one function."""
    layer, x = built(case), arrays(case)
    model = functional(case, layer, unknown=False)
    step = stepping(
        layer,
        lambda *x: layer(*x, **case.call),
        lambda *x: squares(model(alone(list(x)), training=True)),
        HOWS[-1],
    )
    output, loss, gradients = step(*x)
    close(output, expected(case))
    assert np.isfinite(loss)
    check_that_all_train(case, layer, gradients)


# JAX compiles for each dtype: there, the one that the test of large logits does not use.
@each_half(CASES, only="bfloat16" if BACKEND == "jax" else None)
def test_mixed_precision(case, dtype):
    policy = f"mixed_{dtype}"
    layer, run = built(case, dtype=policy), passes(case, CHEAP, dtype=policy)
    outputs = keras.tree.flatten(run.forward(arrays(case)))
    assert run.dtype == ("float32" if case.full_precision else dtype)
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in layer.trainable_variables)
    for output, exact in zip(outputs, keras.tree.flatten(expected(case)), strict=True):
        np.testing.assert_allclose(output, exact, atol=0.04 * max(1, np.abs(exact).max()))
    if case.scores:
        symbolic = layer(*symbols(case), return_attention_scores=True, **case.call)
        eager = called(case, layer, arrays(case), return_attention_scores=True)
        for a, b in zip(keras.tree.flatten(symbolic), keras.tree.flatten(eager), strict=True):
            assert keras.backend.standardize_dtype(a.dtype) == keras.backend.standardize_dtype(b.dtype)


@each(case for case in CASES if case in FIRST or not keyed(case))
def test_one_graph_takes_any_batch_and_lengths(case, tmp_path):
    """First cases from a SavedModel. SavedModels of blocks, and `keras.Model.export`, are tested with models."""
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    layer, module = built(case), tf.Module()
    signature = [tf.TensorSpec(x.shape, x.dtype) for x in symbols(case, unknown=True)]
    module.serve = tf.function(plainly(lambda *x: layer(*x, **case.call)), input_signature=signature)
    if case in FIRST and not block(case):
        module.variables_of_layer = layer.variables
        tf.saved_model.save(module, tmp_path, options=tf.saved_model.SaveOptions(experimental_custom_gradients=False))
        module = tf.saved_model.load(tmp_path)
    for batch, longer in ((2, 0), (3, 2)):
        x = arrays(case, batch=batch, longer=longer)
        close(numpy(module.serve(*x)), numpy(layer(*x, **case.call)))


@each_case
def test_lowers_for_cpu_cuda_and_tpu(case):
    if BACKEND != "jax":
        pytest.skip("`jax.export` needs the JAX backend")
    import jax
    from jax import export

    layer, given = built(case), arrays(case)
    # Symbols for the sizes that change. Layers that pool or slice ask how large or small they are.
    sizes = {n for shape in case.inputs for axis, n in enumerate(shape) if axis in (0, *case.dynamic)}
    scope = export.SymbolicScope(
        [f"s{n} {bound}" for n in sizes for bound in (f">= {n}", f"<= {n + 2 * case.multiple}")]
    )
    specs = []
    for x in given:
        dims = ", ".join(f"s{n}" if axis in (0, *case.dynamic) else str(n) for axis, n in enumerate(x.shape))
        specs.append(jax.ShapeDtypeStruct(export.symbolic_shape(f"({dims},)", scope=scope), x.dtype))
    call = jax.jit(lambda *x: layer(*x, **case.call))
    lowered = export.export(call, platforms=("cpu", "cuda", "tpu"))(*specs)
    assert set(lowered.platforms) == {"cpu", "cuda", "tpu"}
    if case in FIRST:
        longer = arrays(case, batch=3, longer=2)
        close(numpy(lowered.call(*longer)), numpy(layer(*longer, **case.call)))
