"""LuongAttention against the equations of the paper, a worked example, and its own steps."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.layers import LuongAttention, LuongMonotonicAttention
from tests.backend import BACKEND, COMPILED, QUICK, value_and_gradients
from tests.layers.helpers import numpy, random
from tests.layers.memory import KEY, LENGTHS, MASK, QUERY, VALUE, check_steps, fill, steps
from tests.reference import memory_attention as reference

SCORES = {
    "general": {"score": "general"},
    "concat": {"score": "concat", "units": 8},
    "location": {"score": "location", "max_length": 9},
    "scaled": {"score": "general", "scale": True},
    "scaled-concat": {"score": "concat", "units": 8, "scale": True},
}
WINDOWS = {
    "global": {},
    "local-m": {"window": "local_m", "half_width": 2},
    "local-p": {"window": "local_p", "half_width": 2.5},
    "local-p-renormalized": {"window": "local_p", "half_width": 2.5, "renormalize": True},
}


def energies(score, weights):
    scale = weights.get("scale", 1.0)
    if score == "concat":
        return scale * reference.additive(
            QUERY @ weights["query/kernel"], KEY @ weights["key/kernel"], weights["vector"]
        )
    if score == "location":
        return scale * (QUERY @ weights["location_kernel"])[:, :, :7]
    return scale * reference.multiplicative(QUERY, KEY @ weights["key/kernel"])


def window(name, weights):
    if name == "global":
        return {}
    if name == "local-m":
        return {"center": np.tile(np.arange(5.0), (2, 1)), "half_width": 2}
    hidden = np.tanh(QUERY @ weights["position/kernel"]) @ weights["position_vector"]
    gaussian = "before" if name.endswith("renormalized") else "after"
    return {"center": LENGTHS[:, None] * reference.sigmoid(hidden), "half_width": 2.5, "gaussian": gaussian}


# Each score with a window and, but for one, without; each window with two scores.
@pytest.mark.parametrize(
    ("score", "near"),
    [
        *(("general", near) for near in WINDOWS),
        ("concat", "global"),
        ("concat", "local-p"),
        ("location", "global"),
        ("location", "local-m"),
        ("scaled", "local-p-renormalized"),
        ("scaled-concat", "global"),
    ],
)
def test_is_the_equation_and_steps_equal_the_call(score, near):
    layer = LuongAttention(**SCORES[score], **WINDOWS[near])
    weights = fill(layer)
    probs = reference.soft(energies(layer.score, weights), key_mask=MASK, **window(near, weights))
    context, scores = layer(QUERY, VALUE, KEY, value_mask=MASK, return_attention_scores=True)
    np.testing.assert_allclose(numpy(scores), probs, atol=1e-5)
    np.testing.assert_allclose(numpy(context), reference.context(probs, VALUE), atol=1e-5)
    check_steps(layer, value_mask=MASK)


def test_dot_equals_general_with_an_identity_kernel():
    """A worked example: the softmax of [1, 0, 1]."""
    query, memory = np.array([[[1, 0]]], "float32"), np.array([[[1, 0], [0, 1], [1, 1]]], "float32")
    general = LuongAttention("general")
    general.build(query.shape, memory.shape)
    general.key_dense.kernel.assign(np.eye(2))
    for layer in (LuongAttention(), general):
        _, scores = layer(query, memory, return_attention_scores=True)
        np.testing.assert_allclose(numpy(scores)[0, 0], [0.422319, 0.155362, 0.422319], atol=1e-6)


def test_scores_of_local_p_sum_to_at_most_1_and_its_position_is_in_the_memory():
    """Eqs. 9 and 10 of the paper."""
    layer = LuongAttention("general", window="local_p", half_width=2)
    fill(layer)
    _, scores = layer(QUERY, VALUE, KEY, value_mask=MASK, return_attention_scores=True)
    total = numpy(scores).sum(-1)
    assert (total <= 1 + 1e-6).all() and (total < 0.99).any()
    query = keras.ops.convert_to_tensor(10 * QUERY)
    memory = layer.project_memory(VALUE, KEY, mask=MASK)
    center = numpy(layer._center(query, memory, None))
    assert (center >= 0).all() and (center <= LENGTHS[:, None]).all()


def test_the_gradient_reaches_the_predicted_position_only_through_the_gaussian():
    """A Gaussian so wide that it is constant gives the position no gradient."""
    for gaussian in (True, False):
        layer = LuongAttention("general", window="local_p", half_width=1e6 if not gaussian else 2.0)
        fill(layer)
        inputs = [keras.Input(x.shape[1:]) for x in (QUERY, VALUE, KEY)]
        mask = keras.Input((7,), dtype="bool")
        model = keras.Model([*inputs, mask], layer(*inputs, value_mask=mask))
        model.compile(keras.optimizers.SGD(1.0), "mse", **QUICK)
        before = numpy(layer.position_dense.kernel)
        model.train_on_batch([QUERY, VALUE, KEY, MASK], random(2, 5, 6, seed=5))
        moved = np.abs(numpy(layer.position_dense.kernel) - before).max()
        assert moved > 1e-4 if gaussian else moved < 1e-6


@pytest.mark.parametrize("score", ["general", "concat", "location"])
def test_a_wide_window_equals_global_attention(score):
    wide, whole = (LuongAttention(**SCORES[score], window=w, half_width=1e6) for w in ("local_p", None))
    fill(wide)
    fill(whole)
    for w in whole.weights:
        twin = next(x for x in wide.weights if x.path.endswith(w.path.removeprefix(whole.name)))
        w.assign(twin)
    got, expected = (numpy(x(QUERY, VALUE, KEY, value_mask=MASK)) for x in (wide, whole))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def model_of(layer):
    inputs = [keras.Input((None, size)) for size in (4, 6, 3)]
    mask = keras.Input((None,), dtype="bool")
    return keras.Model([*inputs, mask], layer(*inputs, value_mask=mask))


@pytest.mark.parametrize("kind", [{"score": "general"}, {"score": "concat", "units": 8, "renormalize": True}], ids=str)
def test_local_p_in_a_model(kind, tmp_path):
    """What the conformance suite tests of other cases: `local_p` needs a mask beside its inputs."""
    layer = LuongAttention(window="local_p", half_width=2, **kind)
    fill(layer)
    model = model_of(layer)
    inputs, expected = [QUERY, VALUE, KEY, MASK], numpy(layer(QUERY, VALUE, KEY, value_mask=MASK))
    assert model.output_shape == (None, None, 6)
    np.testing.assert_allclose(numpy(model(inputs)), expected, atol=1e-5)
    if kind["score"] == "concat":  # this one is compiled, the other one exported
        rise, how = random(2, 5, 6, seed=6), COMPILED[1 % len(COMPILED)]
        run = lambda *x: layer(*x, value_mask=ops.convert_to_tensor(MASK))  # noqa: E731
        value, gradients = value_and_gradients(run, inputs[:3], rise, how)
        np.testing.assert_allclose(value, expected, atol=1e-5)
        for a, b in zip(gradients, value_and_gradients(run, inputs[:3], rise)[1]):
            np.testing.assert_allclose(a, b, atol=1e-4)
    else:
        model.save(tmp_path / "model.keras")
        twin = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(numpy(twin(inputs)), expected, atol=1e-5)
    if BACKEND == "tensorflow" and kind["score"] == "general":
        import tensorflow as tf

        model.export(str(tmp_path / "export"), verbose=False)
        served = tf.saved_model.load(str(tmp_path / "export"))
        longer = [random(3, 6, 4), random(3, 9, 6), random(3, 9, 3), np.arange(9)[None] < np.array([[9], [2], [5]])]
        np.testing.assert_allclose(numpy(served.serve(longer)), numpy(model(longer)), atol=1e-5)
    before = {w.path: numpy(w) for w in layer.trainable_variables}
    model.compile(keras.optimizers.Adam(0.1), "mse", **QUICK)
    model.train_on_batch(inputs, random(2, 5, 6, seed=5))
    assert all(np.abs(numpy(w) - before[w.path]).max() > 1e-3 for w in layer.trainable_variables)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_local_p_in_half_precision(policy):
    exact, half = (LuongAttention("general", window="local_p", half_width=2, dtype=d) for d in ("float32", policy))
    fill(exact)
    fill(half)
    expected = numpy(exact(QUERY, VALUE, KEY, value_mask=MASK))
    got = half(QUERY, VALUE, KEY, value_mask=MASK)
    assert keras.backend.standardize_dtype(got.dtype) == policy.removeprefix("mixed_")
    np.testing.assert_allclose(numpy(keras.ops.cast(got, "float32")), expected, atol=0.1)


@pytest.mark.parametrize("near", ["local-m", "local-p"])
def test_padding_of_windows_does_not_leak(near):
    layer = LuongAttention("general", **WINDOWS[near])
    fill(layer)
    clean = numpy(layer(QUERY, VALUE, KEY, value_mask=MASK))
    value, key = (np.where(MASK[..., None], x, np.nan) for x in (VALUE, KEY))
    np.testing.assert_allclose(numpy(layer(QUERY, value, key, value_mask=MASK)), clean, atol=1e-6)
    np.testing.assert_allclose(steps(layer, value=value, key=key, lengths=LENGTHS)[0], clean, atol=1e-5)


@pytest.mark.parametrize("near", ["global", "local-m", "local-p-renormalized"])
def test_keys_beyond_the_weights_of_the_location_score_are_ignored(near):
    short, whole = (LuongAttention("location", max_length=n, **WINDOWS[near]) for n in (4, 9))
    fill(whole, key=None)
    short.build(QUERY.shape, VALUE.shape)
    for own, other in zip(short.weights, whole.weights, strict=True):
        own.assign(other[:, :4] if own.name == "location_kernel" else other)
    seen = np.broadcast_to(np.arange(7) < 4, (2, 5, 7))
    expected = numpy(whole(QUERY, VALUE, value_mask=MASK, attention_mask=seen))
    for how in COMPILED:
        got, _ = value_and_gradients(lambda q, v: short(q, v, value_mask=MASK), [QUERY, VALUE], expected, how)
        np.testing.assert_allclose(got, expected, atol=1e-5)
    np.testing.assert_allclose(steps(short, key=None, lengths=LENGTHS)[0], expected, atol=1e-5)


def test_bad_arguments_by_name():
    for name, init in {
        "`score`": {"score": "cosine"},
        "`window`": {"window": "local"},
        "`units`": {"score": "concat"},
        '`units` belongs to score="concat"': {"units": 8},
        "`max_length`": {"score": "location"},
        "`half_width`": {"half_width": 0},
        "`renormalize`": {"renormalize": True},
    }.items():
        with pytest.raises(ValueError, match=name):
            LuongAttention(**init)
    with pytest.raises(ValueError, match='score="dot"'):
        LuongAttention()(QUERY, VALUE)
    with pytest.raises(ValueError, match="not yet set up"):
        LuongAttention().step(QUERY[:, 0], {}, ())
    layer = LuongAttention("general", window="local_p")
    with pytest.raises(ValueError, match="needs the lengths"):
        layer(QUERY, VALUE)
    with pytest.raises(ValueError, match="needs the lengths"):
        layer.project_memory(VALUE)


@pytest.mark.parametrize("layer", [LuongAttention, LuongMonotonicAttention])
def test_the_dot_score_survives_an_h5_file(layer, tmp_path):
    inputs = keras.Input((5, 6)), keras.Input((7, 6))
    model = keras.Model(inputs, layer("dot")(*inputs))
    model.save(tmp_path / "model.h5")
    twin = keras.models.load_model(tmp_path / "model.h5")
    x = [random(2, 5, 6), random(2, 7, 6)]
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), atol=1e-6)
    assert twin.layers[-1].score == "dot"


@pytest.mark.parametrize("near", ["local-m", "local-p"])
def test_padding_may_be_on_either_side(near):
    layer = LuongAttention("general", **WINDOWS[near])
    fill(layer)
    real = {"query": QUERY[:1], "value": VALUE[:1], "key": KEY[:1]}
    alone = numpy(layer(**real, value_mask=np.ones((1, 7), bool)))
    for left, right in ((3, 0), (0, 3), (2, 1)):
        ends = {"query": (left, right), "value": (right, left + 1), "key": (right, left + 1)}
        padded = {n: np.pad(x, ((0, 0), ends[n], (0, 0)), constant_values=np.nan) for n, x in real.items()}
        masks = [np.pad(np.ones((1, n), bool), ((0, 0), ends[name])) for name, n in (("query", 5), ("value", 7))]
        got = numpy(layer(**padded, query_mask=masks[0], value_mask=masks[1]))
        np.testing.assert_allclose(got[masks[0]], alone[0], atol=1e-5)
        assert not got[~masks[0]].any()


def test_positions_hidden_by_an_attention_mask_are_counted():
    """A fully masked query is not padding: later queries keep their positions."""
    layer = LuongAttention("general", **WINDOWS["local-m"])
    weights = fill(layer)
    mask = np.random.default_rng(6).random((2, 5, 7)) < 0.7
    mask[:, 1], mask[:, :, 0] = False, False
    given = {"key_mask": MASK, "mask": mask, **window("local-m", weights)}
    expected = reference.context(reference.soft(energies("general", weights), **given), VALUE)
    got = layer(QUERY, VALUE, KEY, value_mask=MASK, attention_mask=mask)
    np.testing.assert_allclose(numpy(got), expected, atol=1e-5)
