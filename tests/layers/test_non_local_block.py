"""NonLocalBlock against NumPy loops from the paper."""

import functools

import keras
import numpy as np
import pytest

from keras_attention.layers import NonLocalBlock
from keras_attention.ops.non_local_operation import PAIRWISE
from keras_attention.ops.paths import plan
from tests.backend import COMPILED, QUICK, value_and_gradients
from tests.layers.helpers import noisy, numpy, random
from tests.pairs import all_pairs
from tests.reference import non_local as reference

SHAPES = {"1-D": (2, 7, 6), "2-D": (2, 5, 7, 6), "3-D": (2, 4, 3, 5, 6)}
WINDOWS = {3: (2,), 4: (2, 2), 5: (1, 2, 2)}
SOFTMAX = ("gaussian", "embedded_gaussian")


@functools.cache  # most tests use one of a few layers, and change none
def make(shape, pairwise="embedded_gaussian", **kwargs):
    layer = noisy(NonLocalBlock(pairwise, **kwargs), np.zeros(shape, "float32"))
    if layer.batch_norm:
        layer.norm.moving_variance.assign(0.5 + np.abs(random(shape[-1])))
    return layer


def weights_of(layer):
    names = ["g", "w_z"] if layer.pairwise == "gaussian" else ["theta", "phi", "g", "w_z"]
    weights = {name: tuple(map(numpy, (getattr(layer, name).kernel, getattr(layer, name).bias))) for name in names}
    if layer.pairwise == "concatenation":
        weights["w_f"] = numpy(layer.w_f)
    if layer.batch_norm:
        norm = layer.norm
        weights["norm"] = tuple(map(numpy, (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)))
    return weights


def oracle(layer, x, sees=None, real=None):
    features = x.shape[-1] if layer.pairwise == "gaussian" else max(x.shape[-1] // layer.reduction, 1)
    return reference.block(
        x,
        weights_of(layer),
        layer.pairwise,
        None if layer.extent == "time" else layer.pool,
        WINDOWS[x.ndim],
        1.0 if layer.scale is None else features**-0.5,
        sees,
        real,
    )


def check(layer, x, sees=None, real=None):
    output, maps = oracle(layer, x, sees, real)
    got, scores = layer(x, mask=real, return_attention_scores=True)
    np.testing.assert_allclose(numpy(got), output, atol=2e-5)
    np.testing.assert_allclose(numpy(layer(x, mask=real)), output, atol=2e-5)
    return numpy(scores), maps


@pytest.mark.parametrize(
    ("rank", "pairwise", "pool", "batch_norm"), all_pairs([*SHAPES], PAIRWISE, ["after", "before", None], [True, False])
)
def test_is_equations_1_and_6(rank, pairwise, pool, batch_norm):
    """Of 5 or 7 rows, the last is left out of the pooling."""
    x = random(*SHAPES[rank], seed=1)
    scores, maps = check(make(x.shape, pairwise, pool=pool, batch_norm=batch_norm), x)
    np.testing.assert_allclose(scores[:, 0], maps, atol=1e-5)


@pytest.mark.parametrize("pairwise", SOFTMAX)
def test_the_scale_of_the_published_code(pairwise):
    """One over the root of the number of multiplied features, all six for the Gaussian."""
    x = random(*SHAPES["2-D"], seed=1)
    scaled = make(x.shape, pairwise, pool="before", scale="inv_sqrt")
    check(scaled, x)
    plain = make(x.shape, pairwise, pool="before")
    assert np.abs(numpy(scaled(x)) - numpy(plain(x))).max() > 1e-3


def test_pooling_before_is_not_pooling_after():
    x = random(*SHAPES["2-D"], seed=1)
    before, after = (make(x.shape, pool=pool)(x) for pool in ("before", "after"))
    assert np.abs(numpy(before) - numpy(after)).max() > 1e-2


COUNTS = {  # channels: Gaussian, embedded Gaussian and dot product, concatenation, embedded without normalization
    32: (1_136, 2_192, 2_224, 2_128),
    64: (4_320, 8_480, 8_544, 8_352),
    256: (66_432, 132_224, 132_480, 131_712),
}


@pytest.mark.parametrize("channels", COUNTS)
def test_parameter_counts(channels):
    """Trainable parameters; the count does not depend on the rank."""
    gaussian, embedded, concatenation, bare = COUNTS[channels]

    def count(pairwise="embedded_gaussian", rank=4, **kwargs):
        layer = NonLocalBlock(pairwise, **kwargs)
        layer.build((None,) * (rank - 1) + (channels,))
        assert layer.count_params() - trainable(layer) == (2 * channels if layer.batch_norm else 0)
        return trainable(layer)

    assert count("gaussian", 3) == gaussian
    assert count() == count("dot_product", 5) == embedded
    assert count("concatenation") == concatenation
    assert count(batch_norm=False) == bare


def trainable(layer):
    return sum(int(np.prod(w.shape)) for w in layer.trainable_variables)


@pytest.mark.parametrize(
    ("pairwise", "rank", "keys"),
    [("gaussian", "1-D", 3), ("embedded_gaussian", "2-D", 2 * 3), ("gaussian", "3-D", 4 * 1 * 2)],
)
def test_the_map_of_the_softmax_has_a_quarter_of_the_keys(pairwise, rank, keys):
    """Its rows sum to 1; time is not pooled."""
    x = random(*SHAPES[rank])
    _, scores = make(x.shape, pairwise)(x, return_attention_scores=True)
    assert scores.shape == (2, 1, np.prod(x.shape[1:-1]), keys)
    np.testing.assert_allclose(numpy(scores).sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("pairwise", ["dot_product", "concatenation"])
def test_the_map_is_divided_by_the_number_of_pooled_keys(pairwise):
    """6 keys, not 35; the map of the concatenation is not negative."""
    x = random(*SHAPES["2-D"])
    layer = make(x.shape, pairwise)
    _, scores = layer(x, return_attention_scores=True)
    theta = numpy(layer.theta(x)).reshape(2, 35, 3)
    phi = np.stack([reference.max_pool(row, (2, 2))[0] for row in numpy(layer.phi(x))]).reshape(2, 6, 3)
    if pairwise == "dot_product":
        pairs = theta @ np.swapaxes(phi, 1, 2)
    else:
        w_f = numpy(layer.w_f)
        pairs = np.maximum((theta @ w_f[:3])[:, :, None] + (phi @ w_f[3:])[:, None], 0)
        assert (numpy(scores) >= 0).all() and (numpy(scores) == 0).any()
    np.testing.assert_allclose(numpy(scores)[:, 0], pairs / 6, atol=1e-5)


@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_without_pooling_the_block_is_permutation_equivariant(pairwise):
    """With pooling it is not."""
    x = random(*SHAPES["2-D"])
    order = np.random.default_rng(0).permutation(35)

    def permuted(a):
        return a.reshape(2, 35, 6)[:, order].reshape(a.shape)

    layer, pooling = make(x.shape, pairwise, pool=None), make(x.shape, pairwise)
    np.testing.assert_allclose(numpy(layer(permuted(x))), permuted(numpy(layer(x))), atol=1e-5)
    assert np.abs(numpy(pooling(permuted(x))) - permuted(numpy(pooling(x)))).max() > 1e-3


@pytest.mark.parametrize("pairwise", SOFTMAX)
def test_equal_positions_attend_to_themselves(pairwise):
    """y is g(x)."""
    x = np.broadcast_to(random(2, 1, 1, 6), SHAPES["2-D"])
    layer = make(x.shape, pairwise, batch_norm=False)
    np.testing.assert_allclose(numpy(layer(x)), x + numpy(layer.w_z(layer.g(x))), atol=1e-5)


EXTENTS = {
    "space": (lambda p, q: p[0] == q[0], (2, 4, 1, 15, 2)),
    "time": (lambda p, q: p[1:] == q[1:], (2, 3, 5, 1, 4, 4)),
    2: (lambda p, q: p[0] // 2 == q[0] // 2, (2, 2, 1, 30, 4)),
}


@pytest.mark.parametrize(("extent", "pairwise", "masked"), all_pairs([*EXTENTS], PAIRWISE, [False, True]))
def test_extents_equal_the_whole_under_a_block_mask(extent, pairwise, masked):
    """Frames, single positions over time, and groups of two frames."""
    x = random(*SHAPES["3-D"], seed=1)
    sees, shape = EXTENTS[extent]
    real = np.random.default_rng(0).random(x.shape[:-1]) < 0.6 if masked else None
    scores, _ = check(make(x.shape, pairwise, extent=extent), x, sees, real)
    assert scores.shape == shape


@pytest.mark.parametrize("pairwise", ["gaussian", "concatenation"])
def test_groups_of_frames_equal_a_block_on_each_chunk(pairwise):
    """Groups of four, as in the published 128-frame models."""
    x = random(2, 8, 3, 5, 6)
    grouped = make(x.shape, pairwise, extent=4)
    whole = NonLocalBlock(pairwise)
    whole.build(x.shape)
    whole.set_weights(grouped.get_weights())
    chunks = [numpy(whole(x[:, start : start + 4])) for start in (0, 4)]
    np.testing.assert_allclose(numpy(grouped(x)), np.concatenate(chunks, axis=1), atol=1e-5)


@pytest.mark.parametrize("pairwise", ["embedded_gaussian", "concatenation"])
def test_extents_of_one_frame_and_of_one_position(pairwise):
    """A clip of one frame has only space, one of a single position only time."""
    for extent, shape in (("space", (2, 1, 3, 5, 6)), ("time", (2, 4, 1, 1, 6))):
        x = random(*shape)
        one, whole = (make(x.shape, pairwise, extent=e, pool=None) for e in (extent, "spacetime"))
        np.testing.assert_allclose(numpy(one(x)), numpy(whole(x)), atol=1e-5)


def test_the_gaussian_has_no_embeddings_and_stays_finite():
    x = 50 * random(*SHAPES["2-D"])
    layer = make(x.shape, "gaussian")
    assert not hasattr(layer, "theta") and not hasattr(layer, "phi")
    assert np.isfinite(numpy(layer(x))).all()


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("pairwise", PAIRWISE)
def test_a_new_block_is_the_identity_and_gradients_reach_its_zero_weights_only(pairwise, batch_norm):
    x = random(*SHAPES["2-D"])
    layer = NonLocalBlock(pairwise, batch_norm=batch_norm)
    for training in (False, True):
        assert np.abs(numpy(layer(x, training=training)) - x).max() == 0
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    before = [numpy(w).copy() for w in layer.trainable_variables]
    model.compile(keras.optimizers.SGD(1.0), "mse", **QUICK)
    model.train_on_batch(x, random(*x.shape, seed=1))
    moved = {
        "/".join(w.path.split("/")[-2:])
        for w, old in zip(layer.trainable_variables, before, strict=True)
        if np.abs(numpy(w) - old).max() > 0
    }
    assert moved == ({"norm/gamma", "norm/beta"} if batch_norm else {"w_z/kernel", "w_z/bias"})


# Each function, and each pooling with a softmax and without.
@pytest.mark.parametrize(
    ("pairwise", "pool"),
    [
        ("gaussian", "after"),
        ("embedded_gaussian", "before"),
        ("embedded_gaussian", None),
        ("dot_product", "after"),
        ("dot_product", None),
        ("concatenation", "before"),
    ],
)
def test_masked_positions_are_neither_visible_nor_counted(pairwise, pool):
    x = random(*SHAPES["2-D"], seed=1)
    real = np.random.default_rng(0).random(x.shape[:-1]) < 0.5
    real[1, :2, :2] = False  # a pooling window that is all padding
    garbage = np.where(real[..., None], x, np.nan).astype("float32")
    layer = make(x.shape, pairwise, pool=pool)
    scores, maps = check(layer, garbage, real=real)
    np.testing.assert_allclose(scores[:, 0], maps, atol=1e-5)
    assert not numpy(layer(garbage, mask=real))[~real].any()


def test_batch_statistics_ignore_masked_positions():
    x = random(*SHAPES["2-D"], seed=1)
    real = np.random.default_rng(0).random(x.shape[:-1]) < 0.5
    layer = make(x.shape)
    y = numpy(layer(x, mask=real, training=True))[real] - x[real]
    gamma, beta, *_ = weights_of(layer)["norm"]
    np.testing.assert_allclose(y.mean(0), beta, atol=1e-4)
    np.testing.assert_allclose(y.std(0), np.abs(gamma), rtol=1e-2)


# Each function eager, one with a softmax and one without compiled. The tests of `ops.non_local` have the others.
PATHS = [
    *[(pairwise, COMPILED[0]) for pairwise in PAIRWISE],
    ("embedded_gaussian", COMPILED[1 % len(COMPILED)]),
    ("concatenation", COMPILED[-1]),
]


@pytest.mark.parametrize(("pairwise", "how"), sorted(set(PATHS)))
def test_the_paths_of_large_maps_give_the_same(pairwise, how, monkeypatch):
    x, cotangent = random(2, 5, 7, 6), random(2, 5, 7, 6, seed=1)
    layer = make(x.shape, pairwise, pool=None)
    dense = value_and_gradients(layer, [x], cotangent)
    monkeypatch.setattr(plan, "DENSE_BELOW", 35 * 35)
    value, [gradient] = value_and_gradients(layer, [x], cotangent, how)
    np.testing.assert_allclose(value, dense[0], atol=1e-5)
    np.testing.assert_allclose(gradient, dense[1][0], atol=1e-4)


def test_channels_first_equals_channels_last():
    x = random(*SHAPES["3-D"])
    last = make(x.shape)
    first = NonLocalBlock(data_format="channels_first")
    first.build((2, 6, 4, 3, 5))
    first.set_weights(last.get_weights())
    turned = numpy(first(np.moveaxis(x, -1, 1)))
    np.testing.assert_allclose(np.moveaxis(turned, 1, -1), numpy(last(x)), atol=1e-6)


@pytest.mark.parametrize(("channels", "units"), [(11, 2), (3, 1)])
def test_channels_that_the_reduction_does_not_divide_are_rounded_down(channels, units):
    layer = NonLocalBlock(reduction=4)
    layer.build((None, 5, 7, channels))
    assert layer.theta.units == layer.g.units == units


@pytest.mark.parametrize("pairwise", ["embedded_gaussian", "dot_product", "concatenation"])
def test_empty_inputs(pairwise):
    flat, image = NonLocalBlock(pairwise), NonLocalBlock(pairwise)
    for layer, shape in ((flat, (0, 5, 6)), (flat, (2, 0, 6)), (image, (2, 4, 0, 6))):
        inputs, mask = np.zeros(shape, "float32"), np.ones(shape[:-1], bool)
        assert tuple(layer(inputs, mask=mask).shape) == shape
