"""BahdanauAttention against the equation of the paper, a worked example, and its own steps."""

import keras
import numpy as np
import pytest

from keras_attention.layers import BahdanauAttention
from tests.backend import BACKEND
from tests.layers.helpers import numpy
from tests.layers.memory import KEY, LENGTHS, MASK, QUERY, VALUE, check_steps, fill, steps
from tests.reference import memory_attention as reference

KINDS = {
    "plain": {},
    "normalized": {"normalize": True},
    "biased": {"score_bias": True},
    "normalized-without-bias": {"normalize": True, "score_bias": False},
}


def score_vector(weights):
    vector = weights["vector"]
    return vector * weights["scale"] / np.linalg.norm(vector) if "scale" in weights else vector


def projected(weights):
    bias = weights.get("bias", 0.0)
    return QUERY @ weights["query/kernel"] + bias, KEY @ weights["key/kernel"], score_vector(weights)


@pytest.mark.parametrize("kind", KINDS)
def test_is_the_equation(kind):
    layer = BahdanauAttention(8, **KINDS[kind])
    weights = fill(layer)
    probs = reference.soft(reference.additive(*projected(weights)), key_mask=MASK)
    context, scores = layer(QUERY, VALUE, KEY, value_mask=MASK, return_attention_scores=True)
    np.testing.assert_allclose(numpy(scores), probs, atol=1e-5)
    np.testing.assert_allclose(numpy(context), reference.context(probs, VALUE), atol=1e-5)


def test_coverage_accumulates_the_scores():
    """Eq. 11 of See et al. (2017)."""
    layer = BahdanauAttention(8, coverage=True)
    weights = fill(layer)
    query, key, vector = projected(weights)
    covered, probs = np.zeros((2, 7)), np.zeros((2, 5, 7))
    for t in range(5):
        energies = reference.additive(query[:, t : t + 1], key, vector, covered, weights["coverage_vector"])
        probs[:, t : t + 1] = reference.soft(energies, key_mask=MASK)
        covered += probs[:, t]
    context, scores = layer(QUERY, VALUE, KEY, value_mask=MASK, return_attention_scores=True)
    np.testing.assert_allclose(numpy(scores), probs, atol=1e-5)
    np.testing.assert_allclose(numpy(context), reference.context(probs, VALUE), atol=1e-5)


def with_identity_kernels(vector):
    """The context, scores and memory of a layer with W = U = I."""
    layer = BahdanauAttention(2)
    layer.build((1, 1, 2), (1, 3, 2))
    layer.query_dense.kernel.assign(np.eye(2))
    layer.key_dense.kernel.assign(np.eye(2))
    layer.vector.assign(vector)
    memory = np.array([[[1, 0], [0, 1], [1, 1]]], "float32")
    context, scores = layer(np.array([[[1, 0]]], "float32"), memory, return_attention_scores=True)
    return numpy(context)[0, 0], numpy(scores)[0, 0], memory[0]


def test_worked_example():
    """The softmax of [tanh 2, 2 tanh 1, tanh 2 + tanh 1]."""
    context, scores, _ = with_identity_kernels([1, 1])
    np.testing.assert_allclose(scores, [0.204462, 0.357645, 0.437893], atol=1e-6)
    np.testing.assert_allclose(context, [0.642355, 0.795538], atol=1e-6)


def test_a_zero_vector_attends_uniformly():
    context, scores, memory = with_identity_kernels([0, 0])
    np.testing.assert_allclose(scores, np.full(3, 1 / 3), atol=1e-6)
    np.testing.assert_allclose(context, memory.mean(0), atol=1e-6)


@pytest.mark.parametrize("coverage", [False, True])
def test_padding_of_the_memory_is_ignored(coverage):
    """The scores sum to 1 and are exactly 0 at padding, whatever its length and content."""
    layer = BahdanauAttention(8, coverage=coverage)
    fill(layer)
    short = layer(QUERY[1:], VALUE[1:, :4], KEY[1:, :4])
    for garbage in (0.0, np.nan):
        value, key = (np.concatenate([x[1:, :4], np.full_like(x[1:], garbage)], 1) for x in (VALUE, KEY))
        mask = np.arange(11)[None] < 4
        context, scores = layer(QUERY[1:], value, key, value_mask=mask, return_attention_scores=True)
        np.testing.assert_allclose(numpy(context), numpy(short), atol=1e-6)
        np.testing.assert_allclose(numpy(scores).sum(-1), 1, atol=1e-6)
        assert (numpy(scores)[..., 4:] == 0).all()


@pytest.mark.parametrize("coverage", [False, True])
def test_a_fully_masked_query_gets_zeros(coverage):
    layer = BahdanauAttention(8, coverage=coverage)
    fill(layer)
    visible = np.ones((2, 5, 7), bool)
    visible[0, 2] = False
    context, scores = layer(QUERY, VALUE, KEY, attention_mask=visible, return_attention_scores=True)
    assert not numpy(context)[0, 2].any() and not numpy(scores)[0, 2].any()
    assert numpy(context)[1, 2].any()


@pytest.mark.parametrize(
    ("kind", "call"), [("plain", {}), *((kind, {"value_mask": MASK}) for kind in (*KINDS, "coverage"))]
)
def test_steps_equal_the_call(kind, call):
    layer = BahdanauAttention(8, **KINDS.get(kind, {"coverage": True}))
    fill(layer)
    check_steps(layer, **call)


def test_normalized_weights_are_initialized_as_in_tensorflow_addons():
    layer = BahdanauAttention(16, normalize=True)
    layer.build((2, 5, 4), (2, 7, 6))
    assert numpy(layer.scale) == pytest.approx(0.25)
    assert not numpy(layer.bias).any()


def test_a_step_compiles():
    layer = BahdanauAttention(8, coverage=True)
    fill(layer)

    def run(query, value, key):
        memory = layer.project_memory(value, key, lengths=LENGTHS)
        return layer.step(query, memory, layer.start(memory))[0]

    expected = numpy(run(QUERY[:, 0], VALUE, KEY))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        run = tf.function(run, jit_compile=True, autograph=False)
    elif BACKEND == "jax":
        import jax

        run = jax.jit(run)
    np.testing.assert_allclose(numpy(run(QUERY[:, 0], VALUE, KEY)), expected, atol=1e-5)


def test_memory_and_state_have_the_documented_structure():
    layer = BahdanauAttention(8)
    fill(layer)
    memory = layer.project_memory(VALUE, KEY)
    assert {name: tuple(x.shape) for name, x in memory.items()} == {
        "key": (2, 7, 8),
        "value": (2, 7, 6),
        "mask": (2, 7),
    }
    assert layer.start(memory) == ()


def test_bad_arguments_by_name():
    with pytest.raises(ValueError, match="`units`"):
        BahdanauAttention(0)
    layer = BahdanauAttention(8)
    for use in (lambda: layer.project_memory(VALUE), lambda: layer.start({}), lambda: layer.step(QUERY, {}, ())):
        with pytest.raises(ValueError, match="not yet set up"):
            use()
    fill(layer)
    for match, wrong in {
        "`value` and `key` must be equal": lambda: layer(QUERY, VALUE, KEY[:, :6]),
        "`value_mask`": lambda: layer(QUERY, VALUE, KEY, value_mask=MASK[:, :6]),
        "`attention_mask`": lambda: layer(QUERY, VALUE, KEY, attention_mask=np.ones((2, 1, 5, 7), bool)),
        "`query`": lambda: layer(QUERY[0], VALUE, KEY),
        "`mask`": lambda: layer.project_memory(VALUE, KEY, mask=MASK[:, :6]),
        "`lengths`": lambda: layer.project_memory(VALUE, KEY, lengths=np.array([1, 2, 3])),
        "not both": lambda: layer.project_memory(VALUE, KEY, mask=MASK, lengths=LENGTHS),
        "of a step": lambda: steps(layer, QUERY[:, :, :3]),
    }.items():
        with pytest.raises(ValueError, match=match):
            wrong()


def test_the_mask_of_an_embedding_is_used():
    ids = np.array([[1, 2, 3, 0], [4, 5, 0, 0]])
    value = keras.layers.Embedding(6, 3, mask_zero=True)(ids)
    layer = BahdanauAttention(8)
    _, scores = layer(QUERY, value, return_attention_scores=True)
    assert (numpy(scores)[0, :, 3:] == 0).all() and (numpy(scores)[1, :, 2:] == 0).all()
    assert numpy(layer.project_memory(value)["mask"]).tolist() == (ids > 0).tolist()
