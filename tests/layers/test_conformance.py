"""One suite over every public layer: what Keras expects of a layer, on every path.

Runs on every backend (`KERAS_BACKEND=tensorflow|jax|torch`).
"""

import inspect
import json
import warnings

import keras
import numpy as np
import pytest

from keras_attention import layers
from tests.layers.cases import CASES, CELLS
from tests.layers.conformance import (
    BACKEND,
    IDS,
    alone,
    arrays,
    cases_with,
    close,
    each_case,
    functional,
    make,
    numpy,
    shapes,
    symbols,
)


def test_every_public_layer_has_a_case():
    named = {case.layer for case in CASES}
    assert set(CELLS.values()) <= named
    public = {name for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    assert {layer.__name__ for layer in (*named, *CELLS)} == public
    assert len(set(IDS)) == len(IDS)


@each_case
def test_symbolic_shapes_are_the_eager_shapes(case):
    layer = case.layer(**case.init)
    symbolic = layer(*symbols(case), **case.call)
    eager = layer(*arrays(case), **case.call)
    assert tuple(symbolic.shape) == tuple(eager.shape) == case.output
    assert keras.backend.standardize_dtype(symbolic.dtype) == keras.backend.standardize_dtype(eager.dtype)


@each_case
def test_unknown_dimensions_are_none_and_the_others_known(case):
    layer = case.layer(**case.init)
    symbolic = layer(*symbols(case, unknown=True), **case.call).shape
    small, large = (layer(*arrays(case, batch=b, longer=n), **case.call).shape for b, n in ((2, 0), (3, 1)))
    assert tuple(symbolic) == tuple(a if a == b else None for a, b in zip(small, large))


@cases_with("scores")
def test_scores_have_the_same_symbolic_and_eager_shapes(case):
    layer = case.layer(**case.init)
    symbolic = layer(*symbols(case), return_attention_scores=True, **case.call)
    eager = layer(*arrays(case), return_attention_scores=True, **case.call)
    keras.tree.assert_same_structure(symbolic, eager)
    assert shapes(symbolic) == shapes(eager)
    expected = case.scores if isinstance(case.scores, dict) else {"scores": case.scores}
    assert sorted(shapes(eager[1])) == sorted(expected.values())
    if isinstance(case.scores, dict):
        assert {name: tuple(x.shape) for name, x in eager[1].items()} == case.scores


@cases_with("scores")
def test_scores_asked_for_never_change_the_output(case):
    layer = make(case)
    output, scores = numpy(layer(*arrays(case), return_attention_scores=True, **case.call))
    close(output, numpy(layer(*arrays(case), **case.call)))
    for s in keras.tree.flatten(scores):
        if case.sums_to_one is None:
            assert np.all((s >= 0) & (s <= 1)) and np.ptp(s) > 0.1  # float32 rounds a wide-open gate to 1
            continue
        total = s.sum(tuple(range(-case.key_axes, 0)))
        whole = np.abs(total - 1) < 1e-4 if case.sums_to_one else (total > 0) & (total < 1 + 1e-4)
        assert np.all(whole | (total == 0))


@each_case
def test_unknown_batch_size_and_length(case):
    layer = make(case)
    model = functional(case, layer)
    for batch, longer in ((2, 0), (3, 2)):
        x = arrays(case, batch=batch, longer=longer)
        close(numpy(model(alone(x))), numpy(layer(*x, **case.call)))


@each_case
def test_weights(case):
    layer = case.layer(**case.init)
    layer(*arrays(case), **case.call)
    assert len(layer.trainable_variables) == case.weights


@each_case
def test_config_is_complete(case):
    layer = case.layer(**case.init)
    assert keras.saving.get_registered_name(case.layer).startswith("keras_attention>")
    config = layer.get_config()
    names = {
        name
        for c in case.layer.__mro__
        if c is not keras.layers.Layer and issubclass(c, keras.layers.Layer) and "__init__" in vars(c)
        for name in inspect.signature(case.layer).parameters
    } - {"self", "kwargs", "args"}
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


@each_case
def test_saved_model_file_round_trip(case, tmp_path):
    model = functional(case)
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    close(numpy(model(alone(arrays(case)))), numpy(twin(alone(arrays(case)))))


JIT = {"tensorflow": (False, True), "jax": (True,), "torch": (False,)}[BACKEND]


@pytest.mark.parametrize("jit", JIT, ids=lambda jit: "jit" if jit else "graph")
@cases_with("weights")
def test_every_weight_trains(case, jit):
    layer = make(case)
    model = functional(case, layer, unknown=False)
    model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=jit)
    before = [numpy(w) for w in layer.trainable_variables]
    loss = model.train_on_batch(alone(arrays(case)), np.ones(case.output, "float32"))
    assert np.isfinite(loss)
    for w, old in zip(layer.trainable_variables, before, strict=True):
        assert np.isfinite(numpy(w)).all()
        assert w.path.endswith(case.no_gradient or ("?",)) or np.abs(numpy(w) - old).max() > 1e-3, w.path


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@each_case
def test_mixed_precision(case, policy):
    layer = make(case, dtype=policy)
    output = layer(*arrays(case), **case.call)
    assert keras.backend.standardize_dtype(output.dtype) == policy.removeprefix("mixed_")
    assert all(keras.backend.standardize_dtype(w.dtype) == "float32" for w in layer.trainable_variables)
    exact = numpy(make(case)(*arrays(case), **case.call))
    np.testing.assert_allclose(numpy(output), exact, atol=0.04 * max(1, np.abs(exact).max()))
    if case.scores:
        symbolic = layer(*symbols(case), return_attention_scores=True, **case.call)
        eager = layer(*arrays(case), return_attention_scores=True, **case.call)
        for a, b in zip(keras.tree.flatten(symbolic), keras.tree.flatten(eager), strict=True):
            assert keras.backend.standardize_dtype(a.dtype) == keras.backend.standardize_dtype(b.dtype)


@each_case
def test_compiled_forward(case):
    layer, x = make(case), arrays(case)
    expected = numpy(layer(*x, **case.call))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        output = tf.function(lambda *x: layer(*x, **case.call), jit_compile=True)(*x)
    elif BACKEND == "jax":
        import jax

        output = jax.jit(lambda *x: layer(*x, **case.call))(*x)
    else:
        pytest.skip("Keras does not promise that its layers go through `torch.compile`")
    close(numpy(output), expected)


@each_case
def test_graph_with_unknown_batch_and_length(case):
    if BACKEND != "tensorflow":
        pytest.skip("only TensorFlow has graphs with unknown dimensions")
    import tensorflow as tf

    layer = make(case)
    signature = [tf.TensorSpec(x.shape, x.dtype) for x in symbols(case, unknown=True)]
    graph = tf.function(lambda *x: layer(*x, **case.call), input_signature=signature)
    for batch, longer in ((2, 0), (3, 2)):
        x = arrays(case, batch=batch, longer=longer)
        close(numpy(graph(*x)), numpy(layer(*x, **case.call)))


@each_case
def test_saved_model_export_keeps_dimensions_unknown(case, tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    model = functional(case)
    model.export(str(tmp_path / "export"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "export"))
    for batch, longer in ((2, 0), (3, 2)):
        x = arrays(case, batch=batch, longer=longer)
        close(numpy(served.serve(alone(x))), numpy(model(alone(x))))


@each_case
def test_lowers_for_cpu_cuda_and_tpu(case):
    if BACKEND != "jax":
        pytest.skip("`jax.export` needs the JAX backend")
    import jax
    from jax import export

    layer = make(case)
    lowered = export.export(jax.jit(lambda *x: layer(*x, **case.call)), platforms=("cpu", "cuda", "tpu"))(*arrays(case))
    assert set(lowered.platforms) == {"cpu", "cuda", "tpu"}


@cases_with("int8")
@pytest.mark.usefixtures("few_objects")
def test_int8_survives_the_file(case, tmp_path):
    model = functional(case)
    exact = numpy(model(alone(arrays(case))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Keras's own layers that have nothing to quantise
        model.quantize("int8")
    assert any(keras.backend.standardize_dtype(w.dtype) == "int8" for w in model.weights)
    rounded = numpy(model(alone(arrays(case))))
    np.testing.assert_allclose(rounded, exact, atol=0.3 * np.abs(exact).max())
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert [w.dtype for w in twin.weights] == [w.dtype for w in model.weights]
    close(numpy(twin(alone(arrays(case)))), rounded)
