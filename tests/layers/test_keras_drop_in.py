"""MultiHeadAttention as a drop-in replacement of `keras.layers.MultiHeadAttention`, without its bugs."""

import inspect
import warnings

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import MultiHeadAttention
from tests.layers.helpers import noisy, numpy, random

B, T, S, N, D = 2, 5, 7, 4, 12
Keras = keras.layers.MultiHeadAttention
# Older versions of Keras have fewer arguments.
KNOWN = set(inspect.signature(Keras).parameters)


def pair(init, *inputs):
    """Keras's layer and ours, with equal weights."""
    if not set(init) <= KNOWN:
        pytest.skip(f"this version of Keras has no {set(init) - KNOWN}")
    theirs = Keras(**{"num_heads": N, "key_dim": 3, **init})
    ours = MultiHeadAttention(**{"num_heads": N, "key_dim": 3, **init})
    x = inputs if len(inputs) > 1 else inputs * 2
    noisy(theirs, *x)
    ours.build(*(a.shape for a in x))
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def test_arguments_have_keras_order():
    ours, theirs = (list(inspect.signature(c).parameters.values()) for c in (MultiHeadAttention, Keras))
    defaults = {p.name: p.default for p in ours}
    for p in theirs:
        assert p.name in defaults and (p.name == "kwargs" or p.default == defaults[p.name])
    names = [p.name for p in ours if p.name in KNOWN]
    assert names == [p.name for p in theirs]
    ours, theirs = (list(inspect.signature(c.call).parameters) for c in (MultiHeadAttention, Keras))
    assert ours[: len(theirs)] == theirs


@pytest.mark.parametrize(
    "init, shapes, call",
    [
        ({}, ((B, T, D), (B, S, 10), (B, S, 8)), {}),
        ({"value_dim": 6, "use_bias": False}, ((B, T, D), (B, S, 10)), {}),
        ({"output_shape": (3, 2)}, ((B, T, D), (B, S, 10)), {}),
        ({"output_shape": 9}, ((B, T, D),), {"use_causal_mask": True}),
        ({"use_gate": True, "value_dim": 6}, ((B, T, D), (B, S, 10)), {}),
        ({"sliding_window": 2}, ((B, T, D), (B, S, 10)), {}),
        ({"sliding_window": 2, "use_gate": True}, ((B, T, D),), {"use_causal_mask": True}),
        ({}, ((B, T, D), (B, S, 10)), {"attention_mask": (T, S)}),
        ({}, ((B, T, D), (B, S, 10)), {"attention_mask": (B, T, S)}),
        ({}, ((B, T, D), (B, S, 10)), {"attention_mask": (B, N, T, S)}),
        ({}, ((B, T, D), (B, S, 10)), {"attention_mask": (B, 1, S), "use_causal_mask": True}),
        ({}, ((B, T, D), (B, S, 10), (B, S, 8)), {"value_mask": (B, S), "key_mask": (B, S)}),
        ({}, ((B, 3, T, D), (B, 2, S, 10)), {}),
        ({"attention_axes": 2}, ((B, 3, T, D), (B, 3, S, 10)), {}),
        ({"attention_axes": -2, "value_dim": 6}, ((B, 3, T, D), (B, 3, S, 10)), {}),
        ({"attention_axes": (1,)}, ((B, T, 3, D), (B, S, 3, 10)), {}),
        ({"attention_axes": (2,)}, ((B, 3, T, D), (B, 3, S, 10)), {"attention_mask": (T, S)}),
        ({"attention_axes": (2,)}, ((B, 3, T, D), (B, 3, S, 10)), {"attention_mask": (B, 3, T, S)}),
        ({"attention_axes": (2,)}, ((B, 3, T, D), (B, 3, S, 10)), {"attention_mask": (B, 3, N, T, S)}),
        ({"attention_axes": (1, 2)}, ((B, 3, T, D), (B, 2, S, 10)), {"attention_mask": (3, T, 2, S)}),
        ({"attention_axes": (2, 1)}, ((B, 3, T, D), (B, 2, S, 10)), {}),
        ({"attention_axes": (2, 3)}, ((B, 6, 3, T, D), (B, 6, 2, S, 10)), {"attention_mask": (B, 6, 3, T, 2, S)}),
    ],
    ids=str,
)
def test_equals_keras(init, shapes, call):
    if keras.backend.backend() == "jax" and init.get("value_dim", 3) != 3:
        pytest.skip("Keras's own layer cannot run on JAX where value_dim differs from key_dim")
    if init.get("attention_axes") == -2 and tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
        pytest.skip("Keras's own layer of older versions counts negative axes wrongly")
    inputs = [random(*shape, seed=i) for i, shape in enumerate(shapes)]
    theirs, ours = pair(init, *inputs)
    rng = np.random.default_rng(8)
    call = {name: rng.random(value) < 0.8 if isinstance(value, tuple) else value for name, value in call.items()}
    for name in call:
        if name.endswith("mask") and name != "use_causal_mask":
            call[name][..., 0] = True  # no fully masked query: there Keras is wrong
    inputs = inputs if len(inputs) > 1 else inputs * 2
    expected = [numpy(x) for x in theirs(*inputs, return_attention_scores=True, **call)]
    for a, b in zip(expected, ours(*inputs, return_attention_scores=True, **call), strict=True):
        np.testing.assert_allclose(numpy(b), a, atol=1e-4)
    np.testing.assert_allclose(numpy(ours(*inputs, **call)), expected[0], atol=1e-4)


@pytest.mark.parametrize("use_gate", [False, True])
def test_weights_have_keras_names_order_and_initial_values(use_gate):
    init = {
        "num_heads": N,
        "key_dim": 3,
        "value_dim": 6,
        "kernel_initializer": keras.initializers.GlorotUniform(seed=3),
    }
    if use_gate and "use_gate" not in KNOWN:
        pytest.skip("this version of Keras has no gate")
    init |= {"use_gate": True} if use_gate else {}
    theirs, ours = Keras(name="mha", **init), MultiHeadAttention(name="mha", **init)
    for layer in (theirs, ours):
        layer.build((B, T, D), (B, S, 10))
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    if hasattr(keras.initializers.GlorotUniform(), "input_axes"):  # older Keras initializes them six times too small
        for a, b in zip(ours.weights, theirs.weights):
            np.testing.assert_allclose(numpy(a), numpy(b), atol=1e-7)


def test_sublayers_have_keras_names():
    theirs, ours = pair({}, random(B, T, D))
    for name in ("query_dense", "key_dense", "value_dense", "output_dense"):
        assert getattr(ours, name).name == getattr(theirs, name).name
    for name in ("num_heads", "key_dim", "value_dim", "dropout", "use_bias"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_reads_a_checkpoint_of_keras(dropout, tmp_path):
    x = random(B, T, D)
    theirs, _ = pair({"dropout": dropout}, x)
    inputs = keras.Input((None, D))
    old, new = (
        keras.Model(inputs, layer(inputs, inputs)) for layer in (theirs, MultiHeadAttention(N, 3, dropout=dropout))
    )
    old.save_weights(tmp_path / "old.weights.h5")
    new.load_weights(tmp_path / "old.weights.h5")
    np.testing.assert_allclose(numpy(new(x)), numpy(old(x)), atol=1e-5)


def test_reads_a_config_of_keras():
    theirs = Keras(N, 3, dropout=0.1, kernel_regularizer="l2", output_shape=(3, 2), attention_axes=1)
    ours = MultiHeadAttention.from_config(theirs.get_config())
    config = ours.get_config()
    for name, value in theirs.get_config().items():
        assert config[name] == value, name


def test_regularizers_and_constraints_reach_the_weights():
    x = random(B, T, D)
    init = {
        "kernel_regularizer": "l2",
        "bias_regularizer": "l1",
        "activity_regularizer": "l2",
        "kernel_constraint": "non_neg",
        "bias_constraint": "max_norm",
    }
    theirs, ours = pair(init, x)
    theirs(x, x), ours(x, x)
    np.testing.assert_allclose(numpy(sum(ours.losses)), numpy(sum(theirs.losses)), rtol=1e-4)
    for a, b in zip(ours.weights, theirs.weights):
        assert type(a.constraint) is type(b.constraint) and type(a.regularizer) is type(b.regularizer)


# Bugs and limits of Keras's layer that ours does not have.


@pytest.mark.parametrize("causal", [False, True])
def test_a_fully_masked_query_gets_zeros_with_and_without_scores(causal):
    layer = noisy(MultiHeadAttention(N, 3), random(B, T, D))
    x, mask = random(B, T, D), np.ones((B, T, T), bool)
    mask[0, 1] = mask[1, 0] = False
    call = {"attention_mask": mask, "use_causal_mask": causal}
    output, scores = layer(x, x, return_attention_scores=True, **call)
    bias = numpy(layer.output_dense.bias)
    for result in (numpy(output), numpy(layer(x, x, **call))):
        np.testing.assert_allclose(result[0, 1], bias, atol=1e-6)
        np.testing.assert_allclose(result[1, 0], bias, atol=1e-6)
    assert not numpy(scores)[0, :, 1].any()


def test_a_float_mask_is_refused():
    x, additive = random(B, T, D), np.where(np.eye(T) > 0, 0, -1e9).astype("float32")
    layer = MultiHeadAttention(N, 3)
    with pytest.raises(ValueError, match="`attention_mask` must be boolean or integer.*`attention_bias`"):
        layer(x, x, attention_mask=additive)
    expected = numpy(layer(x, x, attention_mask=np.eye(T, dtype=bool)))
    np.testing.assert_allclose(numpy(layer(x, x, attention_bias=additive[None, None])), expected, atol=1e-6)


def test_query_mask_hides_padded_queries():
    x, mask = random(B, T, D), np.ones((B, T), bool)
    mask[0, 3:] = False
    _, scores = MultiHeadAttention(N, 3)(x, x, query_mask=mask, return_attention_scores=True)
    assert not numpy(scores)[0, :, 3:].any() and numpy(scores)[0, :, :3].any()


@pytest.mark.parametrize("init, query, value", [({}, (4, D), (6, D)), ({"attention_axes": (2,)}, (3, 4, D), (3, 6, D))])
def test_the_static_shape_of_the_scores_is_the_eager_one(init, query, value):
    layer = MultiHeadAttention(N, 3, **init)
    _, symbolic = layer(keras.Input(query), keras.Input(value), return_attention_scores=True)
    _, eager = layer(random(2, *query), random(2, *value), return_attention_scores=True)
    assert symbolic.shape == (None, *eager.shape[1:])


def test_causality_counts_from_query_offset():
    x, memory = random(B, 1, D), random(B, 6, D)
    layer = MultiHeadAttention(N, 3)
    _, scores = layer(x, memory, use_causal_mask=True, query_offset=5, return_attention_scores=True)
    assert (numpy(scores) > 0).all()


def test_flash_attention_works_with_dropout_and_is_in_the_config():
    x = random(B, T, D)
    layer = noisy(MultiHeadAttention(N, 3, flash_attention=True, dropout=0.1), x)
    plain = MultiHeadAttention(N, 3)
    plain(x)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(layer(x, use_causal_mask=True)), numpy(plain(x, use_causal_mask=True)), atol=1e-5)
    assert layer.get_config()["flash_attention"] is True and plain.get_config()["flash_attention"] is None


def test_one_key_value_head_equals_repeated_heads():
    x = random(B, T, D)
    layer = noisy(MultiHeadAttention(N, 3, num_key_value_heads=1), x)
    assert tuple(layer.key_dense.kernel.shape) == (D, 1, 3)
    full = MultiHeadAttention(N, 3)
    full(x)
    weights = layer.get_weights()
    for i in (2, 3, 4, 5):
        weights[i] = np.repeat(weights[i], N, axis=-2)
    full.set_weights(weights)
    np.testing.assert_allclose(numpy(layer(x)), numpy(full(x)), atol=1e-5)


@pytest.mark.parametrize("policy, atol", [("mixed_float16", 2e-3), ("mixed_bfloat16", 2e-2)])
def test_half_precision_is_the_same_with_scores_and_never_nan(policy, atol):
    x = random(B, T, D)
    layer = noisy(MultiHeadAttention(N, 3, dtype=policy), x)
    output = numpy(ops.cast(layer(x), "float32"))
    with_scores = numpy(ops.cast(layer(x, return_attention_scores=True)[0], "float32"))
    np.testing.assert_allclose(output, with_scores, atol=atol * np.abs(output).max())


def test_a_padding_mask_as_attention_mask_is_refused_by_name():
    with pytest.raises(ValueError, match="`value_mask`"):
        MultiHeadAttention(N, 3)(random(B, T, D), random(B, S, D), attention_mask=np.ones((B, S), bool))


def test_a_keras_mask_over_two_attended_axes():
    tokens = np.ones((B, 3, T), "int32")
    tokens[0, :, 3:] = 0
    x = keras.layers.Embedding(4, D, mask_zero=True)(tokens)
    _, scores = MultiHeadAttention(N, 3, attention_axes=(1, 2))(x, x, return_attention_scores=True)
    assert tuple(scores.shape) == (B, N, 3, T, 3, T)
    assert not numpy(scores)[0, ..., 3:].any() and not numpy(scores)[0, :, :, 3:].any()


def test_one_input_is_enough():
    x = random(B, T, D)
    layer = MultiHeadAttention(N, 3)
    assert tuple(keras.Sequential([layer])(x).shape) == (B, T, D)
    assert tuple(keras.layers.TimeDistributed(MultiHeadAttention(N, 3))(random(B, 3, T, D)).shape) == (B, 3, T, D)


@pytest.mark.parametrize("init", [{}, {"num_key_value_heads": 2, "use_gate": True}], ids=str)
def test_keras_masks_cause_no_warning(init):
    tokens = np.array([[3, 1, 4, 0, 0], [1, 5, 9, 2, 6]])
    x = keras.layers.Embedding(10, D, mask_zero=True)(tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = MultiHeadAttention(N, 3, **init)
        layer(x), layer(x, x), layer(x, x, x, return_attention_scores=True)
        layer(x, memory=layer.project_memory(x))
    assert getattr(x, "_keras_mask", tokens) is not None, "the mask of the input is left where it was"


def operations(layer, mask, training):
    """The number of operations of a call where layers are told that they run in eager mode: none is pruned."""
    import tensorflow as tf

    layer.build((B, T, D), (B, T, D))
    weights = [weight.value for weight in layer.trainable_weights]

    @tf.function
    def call(x, real):
        if mask == "padding":
            x._keras_mask = real
        with tf.GradientTape() as tape:
            output = layer(x, x, use_causal_mask=mask == "causal")
        return tape.gradient(output, weights) if training else output

    graph = call.get_concrete_function(tf.TensorSpec((B, T, D)), tf.TensorSpec((B, T), tf.bool)).graph
    free = ("Const", "Placeholder", "Identity", "NoOp", "ReadVariableOp")
    return sum(op.type not in free for op in graph.get_operations())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts operations of TensorFlow")
@pytest.mark.parametrize("training, most", [(False, 1.25), (True, 0.9)])
@pytest.mark.parametrize("mask", [None, "padding", "causal"])
def test_about_as_many_operations_as_keras(mask, training, most, monkeypatch):
    """Operations are the cost of a short call in eager mode. Keras does not zero padding, which takes some."""
    import tensorflow as tf

    monkeypatch.setattr(tf, "executing_eagerly", lambda: True)
    ours, theirs = (operations(kind(N, 3), mask, training) for kind in (MultiHeadAttention, Keras))
    assert ours <= most * theirs
