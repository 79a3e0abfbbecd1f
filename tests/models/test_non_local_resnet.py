"""C2D and I3D with non-local blocks: published parameter counts, shapes and block positions."""

import functools

import keras
import numpy as np
import pytest

from keras_attention.layers import NonLocalBlock
from keras_attention.models import NonLocalResNet, non_local_resnet
from tests.backend import QUICK
from tests.layers.helpers import numpy, random
from tests.models.helpers import without_memory

COUNTS = {  # depth, non-local blocks, inflation: trainable parameters with 400 classes
    (50, 0, None): 24_327_632,
    (50, 5, None): 31_686_096,
    (50, 10, None): 24_327_632 + 14_716_928,
    (50, 1, None): 24_327_632 + 2_101_760,
    (50, 0, "3x1x1"): 28_043_472,
    (50, 5, "3x1x1"): 35_401_936,
    (101, 0, None): 43_319_760,
    (101, 5, None): 50_678_224,
    (101, 10, None): 43_319_760 + 14_716_928,
    (101, 0, "3x1x1"): 51_754_192,
    (101, 5, "3x1x1"): 59_112_656,
}
SMALL = {"width": 8, "num_classes": 7}
STAGES = ("stem_pool", "stage1_block1_out", "stage1_pool")
STAGES += ("stage2_block1_out", "stage3_block2_out", "stage4_block1_out")


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_variables)


def structure(depth, blocks=0, inflation=None, **kwargs):
    """A cached model without initialized weights, which would take gigabytes."""
    return _structure(depth, blocks, inflation, **kwargs)


@functools.cache
def _structure(depth, blocks, inflation, **kwargs):
    with without_memory():
        return non_local_resnet(depth, blocks, inflation=inflation, **kwargs)


@pytest.fixture(scope="module", autouse=True)
def forget():
    yield
    _structure.cache_clear()


def places(model):
    """Position of each non-local block: (stage, residual block before it)."""
    blocks = [layer for layer in model.layers if isinstance(layer, NonLocalBlock)]
    return [tuple(int(part.strip("stageblock")) for part in layer.name.split("_")[:2]) for layer in blocks]


def kernels(model, end):
    """Kernel sizes of all convolutions whose name ends with `end`, in order."""
    found = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv3D) and layer.name.endswith(end)]
    return [layer.kernel_size for layer in sorted(found, key=lambda layer: _order(layer.name))]


def _order(name):
    return [int(part.strip("stageblock")) for part in name.split("_")[:2]]


# With 101 layers, variants other than the plain one repeat the same blocks.
@pytest.mark.parametrize(
    "depth, blocks, inflation",
    [pytest.param(*key, marks=() if key in ((50, 5, None), (50, 0, "3x1x1")) else pytest.mark.slow) for key in COUNTS],
    ids=lambda x: str(x),
)
def test_parameter_counts(depth, blocks, inflation):
    assert trainable(structure(depth, blocks, inflation)) == COUNTS[depth, blocks, inflation]


@pytest.mark.slow
def test_parameter_ratios_of_the_paper():
    """Without normalization: 43.2 million, and 1.2 (3 × 1 × 1), 1.5 (3 × 3 × 3) and 1.2 (non-local) times as many."""

    def count(depth=101, **kwargs):
        model = structure(depth, **kwargs)
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        return trainable(model) - sum(trainable(norm) for norm in norms)

    plain = count()
    assert plain == 43_214_416
    ratios = [count(inflation=kind) / plain for kind in ("3x1x1", "3x3x3")]
    assert [round(ratio, 2) for ratio in ratios] == [1.20, 1.46]
    # Five non-local blocks have the same channels at either depth.
    more = count(depth=50, blocks=5) - count(depth=50)
    assert round(1 + more / plain, 2) == 1.17


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (0, []),
        (1, [(3, 5)]),
        (5, [(2, 2), (2, 4), (3, 2), (3, 4), (3, 6)]),
        (10, [(2, i) for i in range(1, 5)] + [(3, i) for i in range(1, 7)]),
    ],
)
def test_positions_of_non_local_blocks_in_50_layers(blocks, expected):
    assert places(structure(50, blocks)) == expected


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (1, {"res4": (21,)}),
        (5, {"res3": (1, 3), "res4": (6, 13, 20)}),
        (10, {"res3": (0, 1, 2, 3), "res4": (3, 6, 10, 13, 17, 20)}),
    ],
)
def test_positions_of_non_local_blocks_in_101_layers(blocks, expected, monkeypatch):
    """Arguments only: building the model is slow."""
    monkeypatch.setitem(non_local_resnet.__globals__, "NonLocalResNet", lambda *args, **kwargs: args)
    assert non_local_resnet(101, blocks) == ((3, 4, 23, 3), expected)


def test_i3d_inflates_the_published_kernels():
    frames = {kind: structure(50, inflation=kind) for kind in (None, "3x1x1", "3x3x3")}
    inflated = [1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0]
    assert kernels(frames[None], "_conv1") == [(1, 1, 1)] * 16
    assert kernels(frames["3x1x1"], "_conv1") == [(3, 1, 1) if i else (1, 1, 1) for i in inflated]
    assert kernels(frames["3x1x1"], "_conv2") == [(1, 3, 3)] * 16
    assert kernels(frames["3x3x3"], "_conv1") == [(1, 1, 1)] * 16
    assert kernels(frames["3x3x3"], "_conv2") == [(3, 3, 3) if i else (1, 3, 3) for i in inflated]
    stems = [model.get_layer("stem_conv").kernel_size for model in frames.values()]
    assert stems == [(1, 7, 7), (5, 7, 7), (5, 7, 7)]
    in_res4 = [size[0] == 3 for size in kernels(structure(101, inflation="3x1x1"), "_conv1")[7:30]]
    assert sum(in_res4) == 12


PAPER = [(8, 16, 16, 8), (8, 16, 16, 32), (4, 16, 16, 32), (4, 8, 8, 64), (4, 4, 4, 128), (4, 2, 2, 256)]
REFERENCE = [(8, 15, 15, 8), (8, 15, 15, 32), (4, 15, 15, 32), *PAPER[3:]]


@pytest.mark.parametrize(
    ("variant", "expected", "frames", "inflation"),
    [  # every pair of the three settings
        ("paper", PAPER, 32, None),
        ("paper", PAPER, 8, "3x1x1"),
        ("reference", REFERENCE, 32, "3x1x1"),
        ("reference", REFERENCE, 8, None),
    ],
)
def test_shapes_of_the_stages(variant, expected, frames, inflation):
    stride = 2 if frames == 32 else 1
    settings = {"inflation": inflation, "variant": variant, "temporal_stride": stride, **SMALL}
    with without_memory():
        model = NonLocalResNet((1, 1, 2, 1), {"res3": (0,), "res4": (1,)}, **settings)
    stages = keras.Model(model.input, [model.get_layer(name).output for name in STAGES])
    outputs = stages.compute_output_spec(keras.KerasTensor((2, frames, 64, 64, 3)))
    assert [tuple(x.shape) for x in outputs] == [(2, *shape) for shape in expected]


def test_res2_is_56_wide_in_the_paper_and_55_in_the_published_code():
    for variant, inflation, size in (("paper", None, 56), ("reference", "3x1x1", 55)):
        with without_memory():
            model = NonLocalResNet((1,), inflation=inflation, variant=variant, **SMALL)
        stem = keras.Model(model.input, model.get_layer("stage1_block1_out").output)
        assert stem.compute_output_spec(keras.KerasTensor((1, 32, 224, 224, 3))).shape == (1, 8, size, size, 32)


def test_non_local_blocks_follow_the_variant():
    def only(**kwargs):
        model = NonLocalResNet((1,), {"res2": (0,)}, width=4, num_classes=3, **kwargs)
        return next(layer for layer in model.layers if isinstance(layer, NonLocalBlock))

    paper, reference = only(), only(variant="reference")
    assert (paper.pool, paper.scale) == ("after", None)
    assert (reference.pool, reference.scale) == ("before", "inv_sqrt")
    assert np.std(numpy(reference.g.kernel)) < 0.02 < np.std(numpy(paper.g.kernel))
    dot = only(variant="reference", non_local_kwargs={"pairwise": "dot_product", "extent": "space"})
    assert (dot.pairwise, dot.extent, dot.scale, dot.pool) == ("dot_product", "space", None, "before")


def test_last_gamma_of_a_block_starts_at_zero_in_the_published_code():
    for variant, expected in (("paper", 1), ("reference", 0)):
        model = NonLocalResNet((1, 1), width=4, num_classes=3, variant=variant)
        gammas = {f"norm{i}": numpy(model.get_layer(f"stage2_block1_norm{i}").gamma) for i in (1, 2, 3)}
        assert (gammas["norm3"] == expected).all() and (gammas["norm1"] == 1).all() and (gammas["norm2"] == 1).all()
        assert (numpy(model.get_layer("stage2_block1_shortcut_norm").gamma) == 1).all()


def test_new_non_local_blocks_are_the_identity():
    x = random(2, 5, 16, 18, 3)
    plain = NonLocalResNet((1, 2), width=4, num_classes=3, inflation="3x1x1")
    model = NonLocalResNet((1, 2), {"res3": (0, 1)}, width=4, num_classes=3, inflation="3x1x1")
    for layer in plain.layers:
        model.get_layer(layer.name).set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(model(x)), numpy(plain(x)), atol=1e-6)


def test_c2d_mixes_frames_only_in_pools_and_non_local_blocks():
    """The last frames of a long clip affect the first positions of a stage only through a non-local block."""
    x = random(1, 16, 16, 16, 3)
    other = np.concatenate([x[:, :12], random(1, 4, 16, 16, 3, seed=1)], axis=1)

    def first_frame(**kwargs):
        model = NonLocalResNet((1, 1), width=4, num_classes=3, temporal_stride=1, **kwargs)
        for layer in model.layers:
            if isinstance(layer, NonLocalBlock):
                layer.norm.gamma.assign(np.ones(layer.norm.gamma.shape))
        last = "stage2_block1_non_local" if kwargs else "stage2_block1_out"
        stage = keras.Model(model.input, model.get_layer(last).output)
        return [numpy(stage(a))[0, 0] for a in (x, other)]

    np.testing.assert_array_equal(*first_frame())
    assert np.abs(np.subtract(*first_frame(non_local={"res3": (0,)}))).max() > 1e-3


def test_trains_and_saves(tmp_path):
    model = NonLocalResNet(
        (1, 1), {"res3": (0,)}, {"pairwise": "gaussian"}, "3x1x1", num_classes=3, width=4, variant="reference"
    )
    x, y = random(2, 9, 16, 17, 3), np.array([0, 2])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), loss, **QUICK)
    before = numpy(model.get_layer("stage2_block1_non_local").norm.gamma).copy()
    assert np.isfinite(model.train_on_batch(x, y))
    assert np.abs(numpy(model.get_layer("stage2_block1_non_local").norm.gamma) - before).max() > 0
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert twin.get_config() == model.get_config()
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), atol=1e-5)


def test_mixed_precision():
    model = NonLocalResNet((1,), {"res2": (0,)}, num_classes=3, width=4, dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(model(random(1, 4, 16, 16, 3)).dtype) == "bfloat16"
    assert NonLocalResNet.from_config(model.get_config()).dtype_policy.name == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("depth", lambda: non_local_resnet(18)),
        ("num_blocks", lambda: non_local_resnet(50, 2)),
        ("inflation", lambda: NonLocalResNet(inflation="5x1x1")),
        ("temporal_stride", lambda: NonLocalResNet(temporal_stride=3)),
        ("variant", lambda: NonLocalResNet(variant="code")),
        ("non_local", lambda: NonLocalResNet(non_local={"res3": (4,)})),
        ("non_local", lambda: NonLocalResNet(non_local={"res6": (0,)})),
        ("blocks", lambda: NonLocalResNet(())),
        ("blocks", lambda: NonLocalResNet(3)),
        ("width", lambda: NonLocalResNet(width=0)),
        ("dropout", lambda: NonLocalResNet(dropout=1.0)),
    ],
)
def test_bad_arguments_raise_by_name(name, make):
    with pytest.raises(ValueError, match=f"`{name}`"):
        make()
