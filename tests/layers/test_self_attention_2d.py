"""SelfAttention2D against NumPy loops from the paper."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_attention.layers import SelfAttention2D
from keras_attention.ops.paths import plan
from tests.backend import BACKEND, COMPILED, QUICK, value_and_gradients
from tests.layers.helpers import noisy, numpy, random
from tests.ops.paths.test_blockwise import tensors_of
from tests.reference import sagan as reference
from tests.reference.spectral import spectral_norm

SHAPE = (2, 6, 8, 12)
each_variant = pytest.mark.parametrize("variant", ["reference", "paper"])


def make(shape=SHAPE, **kwargs):
    return noisy(SelfAttention2D(**{"reduction": 4, **kwargs}), np.zeros(shape, "float32"))


def oracle(layer, x, real=None):
    kernels = []
    for projection in (layer.query, layer.key, layer.value, layer.out):
        if layer.spectral_normalization:
            kernel = numpy(projection.layer.kernel)
            kernels.append(kernel / spectral_norm(kernel, numpy(projection.u))[0])
        else:
            kernels.append(numpy(projection.kernel))
    real = [None] * len(x) if real is None else real
    pool, gamma = layer.variant == "reference", float(numpy(layer.gamma))
    rows = [reference.self_attention(a, *kernels, gamma, pool, r) for a, r in zip(x, real, strict=True)]
    return tuple(np.stack(part) for part in zip(*rows, strict=True))


@pytest.mark.parametrize(
    ("variant", "shape", "normalised"),
    [
        ("reference", SHAPE, False),
        ("reference", (2, 5, 7, 12), True),
        ("paper", SHAPE, True),
        ("paper", (2, 5, 7, 12), False),
    ],
)
def test_is_equations_1_to_3(variant, shape, normalised):
    """Of an odd number of rows or columns, the last is left out of the pooling."""
    x = random(*shape, seed=1)
    layer = make(shape, variant=variant, spectral_normalization=normalised)
    expected, maps = oracle(layer, x)
    output, scores = layer(x, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), expected, atol=2e-5)
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=2e-5)
    np.testing.assert_allclose(numpy(scores)[:, 0], maps, atol=1e-5)


@each_variant
def test_rows_of_the_map_sum_to_one(variant):
    _, scores = make(variant=variant)(random(*SHAPE), return_attention_scores=True)
    assert scores.shape == (2, 1, 48, 12 if variant == "reference" else 48)
    np.testing.assert_allclose(numpy(scores).sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "channels, reference_count, paper_count",
    [(64, 5_121, 2_049), (128, 20_481, 8_193), (256, 81_921, 32_769)],
)
def test_parameter_counts(channels, reference_count, paper_count):
    for variant, count in (("reference", reference_count), ("paper", paper_count)):
        layer = SelfAttention2D(variant)
        layer.build((None, None, None, channels))
        assert layer.count_params() == count
        layer = SelfAttention2D(variant, spectral_normalization=True)
        layer.build((None, None, None, channels))
        sizes = [channels // 8] * 2 + [channels // (2 if variant == "reference" else 8), channels]
        assert layer.count_params() == count + sum(sizes)
        assert sum(int(np.prod(w.shape)) for w in layer.trainable_variables) == count


@pytest.mark.parametrize("normalised", [False, True])
@each_variant
def test_a_new_layer_is_the_identity_and_only_gamma_trains(variant, normalised):
    x = random(*SHAPE)
    layer = SelfAttention2D(variant, spectral_normalization=normalised)
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, layer(inputs))
    for training in (False, True):
        np.testing.assert_array_equal(numpy(layer(x, training=training)), x)
    before = [numpy(w).copy() for w in layer.trainable_variables]
    model.compile(keras.optimizers.SGD(1.0), "mse", **QUICK)
    model.train_on_batch(x, random(*SHAPE, seed=1))
    moved = [np.abs(numpy(w) - old).max() for w, old in zip(layer.trainable_variables, before, strict=True)]
    assert [m > 0 for m in moved] == [w.path.endswith("gamma") for w in layer.trainable_variables]


@each_variant
def test_masked_positions_are_not_visible(variant):
    x = random(*SHAPE, seed=1)
    real = np.random.default_rng(0).random(SHAPE[:-1]) < 0.6
    real[1, :2, :2] = False  # a pooling window that is all padding
    layer = make(variant=variant)
    expected, maps = oracle(layer, x, real)
    garbage = np.where(real[..., None], x, np.nan).astype("float32")
    output, scores = layer(garbage, mask=real, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), expected, atol=2e-5)
    np.testing.assert_allclose(numpy(scores)[:, 0], maps, atol=1e-5)


# Each variant eager and on one compiled path; the conformance suite has the others.
@pytest.mark.parametrize(
    ("variant", "how"),
    sorted(
        {
            ("reference", COMPILED[0]),
            ("paper", COMPILED[0]),
            ("reference", COMPILED[-1]),
            ("paper", COMPILED[1 % len(COMPILED)]),
        }
    ),
)
def test_the_blockwise_path_of_large_maps_gives_the_same(variant, how, monkeypatch):
    x, cotangent = random(*SHAPE), random(*SHAPE, seed=1)
    layer = make(variant=variant)
    dense = value_and_gradients(layer, [x], cotangent)
    monkeypatch.setattr(plan, "DENSE_BELOW", 48)
    value, [gradient] = value_and_gradients(layer, [x], cotangent, how)
    np.testing.assert_allclose(value, dense[0], atol=1e-5)
    np.testing.assert_allclose(gradient, dense[1][0], atol=1e-4)


def largest_tensor(layer, x, **kwargs):
    """Size of the largest tensor of a forward and backward pass, which is traced and not run."""

    def run(x):
        return keras.ops.sum(keras.tree.flatten(layer(x, **kwargs))[0])

    if BACKEND == "jax":
        import jax

        shapes = tensors_of(jax.make_jaxpr(jax.grad(run))(x).jaxpr)
    else:
        import tensorflow as tf

        def both(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = run(x)
            return tape.gradient(loss, [x, *layer.trainable_variables])

        graph = tf.function(both, autograph=False).get_concrete_function(tf.constant(x)).graph
        graphs = [graph, *(graph._get_function(name).graph for name in graph._functions)]
        outputs = (t for g in graphs for operation in g.get_operations() for t in operation.outputs)
        shapes = (tuple(t.shape) for t in outputs if t.shape.rank is not None)
    return max(int(np.prod([d or 1 for d in shape])) for shape in shapes)


def test_no_tensor_holds_the_map_of_128_rows():
    """Forward and backward of 16384 queries and 4096 keys; only `return_attention_scores` creates the map.

    The conformance suite has the other variant.
    """
    if BACKEND == "torch":
        pytest.skip("PyTorch does not trace its tensors; the test below measures the memory")
    x = random(1, 128, 128, 8)
    layer = make(x.shape)
    assert largest_tensor(layer, x, return_attention_scores=True) >= 16384 * 4096
    assert largest_tensor(layer, x) <= 16384 * 4096 / 32


MEASURE = """
import resource
import numpy as np, torch
from keras_attention.layers import SelfAttention2D

layer = SelfAttention2D("reference")
x = torch.zeros((1, 128, 128, 64), requires_grad=True)
layer.build(x.shape)
layer.gamma.assign(1.0)

def step(x):
    layer(x).sum().backward()

step(torch.zeros((1, 8, 8, 64), requires_grad=True))  # one-time allocations
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(x)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(BACKEND != "torch", reason="of the other backends, tensors are traced")
def test_memory_does_not_hold_the_map_of_128_rows_on_pytorch():
    """All scores would take 268 MB, and once more in the backward pass."""
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < 150


def test_large_logits_are_finite():
    layer = make()
    for w in layer.trainable_variables:
        w.assign(100 * w)
    value, [gradient] = value_and_gradients(layer, [random(*SHAPE)], random(*SHAPE, seed=1))
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


def test_channels_first_equals_channels_last():
    x = random(*SHAPE)
    last = make()
    first = SelfAttention2D(reduction=4, data_format="channels_first")
    first.build((2, 12, 6, 8))
    first.set_weights(last.get_weights())
    turned = numpy(first(np.moveaxis(x, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(turned, 1, -1), numpy(last(x)), atol=1e-6)


def test_projections_have_at_least_one_channel():
    layer = SelfAttention2D()
    layer.build((None, 6, 8, 1))
    assert (layer.query.units, layer.key.units, layer.value.units, layer.out.units) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "name, kwargs",
    [
        ("variant", {"variant": "code"}),
        ("reduction", {"reduction": 0}),
        ("data_format", {"data_format": "channels"}),
    ],
)
def test_bad_arguments_by_name(name, kwargs):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        SelfAttention2D(**kwargs)


@pytest.mark.parametrize("shape", [(2, 6, 12), (2, 6, 8, None), (2, 1, 8, 12), (2, 6, 1, 12)])
def test_bad_shapes_by_name(shape):
    with pytest.raises(ValueError, match="`inputs`.*Received"):
        SelfAttention2D().build(shape)


def test_the_paper_variant_accepts_a_single_row():
    assert make((2, 1, 8, 12), variant="paper")(random(2, 1, 8, 12)).shape == (2, 1, 8, 12)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="`mask`"):
        SelfAttention2D()(random(*SHAPE), mask=np.ones((2, 9), bool))


@pytest.mark.parametrize("shape", [(0, 6, 8, 16), (2, 0, 8, 16), (2, 6, 0, 16)])
def test_empty_inputs(shape):
    for variant, scores in (("reference", shape[1] * shape[2] // 4), ("paper", shape[1] * shape[2])):
        inputs, mask = np.zeros(shape, "float32"), np.ones(shape[:-1], bool)
        output, seen = SelfAttention2D(variant)(inputs, mask=mask, return_attention_scores=True)
        assert tuple(output.shape) == shape
        assert tuple(seen.shape) == (shape[0], 1, shape[1] * shape[2], scores)
