"""One suite over every public layer: the attention contract and what Keras expects of a layer.

Runs on every backend (`KERAS_BACKEND=tensorflow|jax|torch`).
"""

import inspect
import json
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import layers
from tests.layers.cases import CASES

BACKEND = keras.backend.backend()
IDS = [str(case) for case in CASES]
each_case = pytest.mark.parametrize("case", CASES, ids=IDS)


def cases_with(attribute):
    chosen = [case for case in CASES if getattr(case, attribute)]
    return pytest.mark.parametrize("case", chosen, ids=[str(case) for case in chosen])


def arrays(case, seed=0, batch=None, longer=0):
    """Inputs of the case; `batch` and `longer` change the batch size and the lengths."""
    rng = np.random.default_rng(seed)
    shapes = [
        tuple(n + longer * (i in case.dynamic) for i, n in enumerate((batch or s[0], *s[1:]))) for s in case.inputs
    ]
    if case.below:
        return [rng.integers(0, case.below, shape).astype("int32") for shape in shapes]
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def symbols(case, unknown=False):
    """`keras.Input`s of the case, with unknown batch and lengths if `unknown`."""
    dtype = "int32" if case.below else "float32"
    if unknown:
        shapes = [tuple(None if i in (0, *case.dynamic) else n for i, n in enumerate(s)) for s in case.inputs]
    else:
        shapes = case.inputs
    return [keras.Input(batch_shape=shape, dtype=dtype) for shape in shapes]


def make(case, **init):
    """A built layer, the same each time, with noise in all weights: what starts at zero would hide a whole branch."""
    keras.utils.set_random_seed(1)
    layer = case.layer(**{**case.init, **init})
    layer(*arrays(case), **case.call)
    rng = np.random.default_rng(1)
    for w in layer.weights:
        w.assign(ops.convert_to_numpy(w) + 0.5 * rng.standard_normal(w.shape))
    return layer


def functional(case, layer=None, unknown=True):
    inputs = symbols(case, unknown)
    output = (make(case) if layer is None else layer)(*inputs, **case.call)
    return keras.Model(alone(inputs), output)


def alone(inputs):
    """A single input without its list: older Keras tells them apart."""
    return inputs[0] if len(inputs) == 1 else inputs


def numpy(x):
    return keras.tree.map_structure(lambda t: np.asarray(ops.convert_to_numpy(ops.cast(t, "float32"))), x)


def shapes(x):
    return [tuple(t.shape) for t in keras.tree.flatten(x)]


def close(a, b, atol=1e-5):
    for x, y in zip(keras.tree.flatten(a), keras.tree.flatten(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=atol, rtol=1e-4)


def test_every_public_layer_has_a_case():
    assert {case.layer.__name__ for case in CASES} == set(layers.__all__)
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
        total = s.sum(-1)
        assert np.all((np.abs(total - 1) < 1e-4) | (total == 0))


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


def padding(case):
    """Masks in which the last positions of each sequence are padding, differently for each of the batch."""
    masks = []
    for shape in case.inputs:
        dims = shape[: 1 + len(case.dynamic)]
        mask = np.ones(dims, bool)
        mask[0, ..., -1] = False
        mask[1, ..., -2:] = False
        masks.append(mask)
    return masks


def masked_model(case, layer):
    """(inputs, masks) -> the outputs at real positions."""
    inputs = symbols(case)
    masks = [keras.Input(batch_shape=m.shape, dtype="bool") for m in padding(case)]
    output = layer(*inputs, **dict(zip(case.masks, masks)), **case.call)
    real = ops.reshape(masks[0], (*masks[0].shape, *[1] * (len(output.shape) - len(masks[0].shape))))
    return keras.Model([*inputs, *masks], ops.where(real, output, ops.zeros_like(output)))


@pytest.mark.parametrize("garbage", [np.nan, 1e4], ids=["nan", "garbage"])
@cases_with("masks")
def test_padding_never_leaks(case, garbage):
    trained = {}
    for fill in (0.5, garbage):
        layer = make(case)
        model = masked_model(case, layer)
        x = [
            np.where(np.expand_dims(m, tuple(range(m.ndim, a.ndim))), a, fill).astype("float32")
            for a, m in zip(arrays(case), padding(case))
        ]
        output = numpy(model([*x, *padding(case)]))
        assert np.isfinite(output).all()
        if case.weights:
            model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
            model.train_on_batch([*x, *padding(case)], np.ones(case.output, "float32"))
        trained[fill] = (output, [numpy(w) for w in layer.trainable_variables])
    close(trained[garbage], trained[0.5], atol=1e-5)


@cases_with("masks")
def test_padding_is_not_attended_to(case):
    """Cutting the padding off gives the same as masking it."""
    layer = make(case)
    x = [a[:1] for a in arrays(case)]
    masks = {name: m[:1] for name, m in zip(case.masks, padding(case))}
    last = max(case.dynamic)
    cut = [np.take(a, range(a.shape[last] - 1), last) for a in x]
    masked = numpy(layer(*x, **masks, **case.call))
    close(np.take(masked, range(masked.shape[last] - 1), last), numpy(layer(*cut, **case.call)))


@cases_with("masks")
def test_float_masks_are_refused(case):
    shapes = {name: mask.shape for name, mask in zip(case.masks, padding(case))}
    if "attention_mask" in inspect.signature(case.layer.call).parameters:
        shapes["attention_mask"] = (1, 1)
    for name, shape in shapes.items():
        with pytest.raises(ValueError, match="attention_bias"):
            case.layer(**case.init)(*arrays(case), **{name: np.zeros(shape, "float32")}, **case.call)


@cases_with("dropout")
def test_dropout_configured_changes_nothing_at_inference(case):
    x = arrays(case)
    plain, dropping = make(case), make(case, **case.dropout)
    dropping.set_weights(plain.get_weights())  # dropout draws seeds while a layer is built, and shifts all others
    close(numpy(plain(*x, **case.call)), numpy(dropping(*x, **case.call)))
    close(numpy(plain(*x, **case.call)), numpy(dropping(*x, training=False, **case.call)))
    assert np.abs(numpy(plain(*x, **case.call)) - numpy(dropping(*x, training=True, **case.call))).max() > 1e-3


@cases_with("dropout")
def test_scores_asked_for_never_change_the_output_of_training(case):
    x = arrays(case)
    one, two = (make(case, seed=7, **case.dropout) for _ in range(2))
    output = numpy(one(*x, training=True, **case.call))
    close(output, numpy(two(*x, training=True, return_attention_scores=True, **case.call)[0]))
    assert np.abs(output - numpy(one(*x, training=True, **case.call))).max() > 1e-3, "the same mask twice"
