"""ResNets with attention: published parameter counts, positions of the attention, saving, image sizes."""

import collections
import functools

import keras
import numpy as np
import pytest

from keras_attention import export, layers, models
from tests.backend import BACKEND, QUICK
from tests.layers.helpers import numpy, random
from tests.models.helpers import without_memory

# Trainable parameters with 1000 classes, without attention and by (attention, the attention's variant).
BASE = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
COUNTS = {
    ("se", "paper"): {18: 11_776_552, 34: 21_954_856, 50: 28_071_976, 101: 49_292_328, 152: 66_770_984},
    ("se", "reference"): {18: 11_778_592, 34: 21_958_868, 50: 28_088_024, 101: 49_326_872, 152: 66_821_848},
    ("cbam", "paper"): {18: 11_777_336, 34: 21_956_424, 50: 28_073_544, 101: 49_295_562, 152: 66_775_884},
    ("cbam", "reference"): {18: 11_779_392, 34: 21_960_468, 50: 28_089_624, 101: 49_330_172, 152: 66_826_848},
}
WHOLE = {("se", "reference"): 28_141_144, ("cbam", "reference"): 28_142_776}  # of ResNet-50, moving statistics included
SMALL = {"blocks": (1, 1), "width": 4, "num_classes": 3, "attention_kwargs": {"ratio": 4}}
CHOICES = [
    ("se", {"ratio": 4}),
    ("cbam", {"ratio": 4, "variant": "reference"}),
    ("spatial", {"kernel_size": 3}),
    ("channel", {"ratio": 4, "pools": ["avg", "lse"]}),
    ("non_local", {}),
    (None, {}),
]


def each_attention(*names):
    chosen = [choice for choice in CHOICES if choice[0] in names]
    return pytest.mark.parametrize("attention, arguments", chosen, ids=map(str, names))


def size(weights):
    return sum(int(np.prod(w.shape)) for w in weights)


def noisy(model, seed=0):
    """Random values for all weights; gammas near 1, variances positive."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        noise = rng.standard_normal(w.shape)
        w.assign(0.5 + noise**2 if "variance" in w.path else 0.3 * noise + w.path.endswith("gamma"))
    return model


def structure(*args, **kwargs):
    """A model without initialized weights, which would take gigabytes."""
    with without_memory():
        return models.attention_resnet(*args, **kwargs)


@pytest.mark.parametrize("attention, variant", WHOLE)
def test_parameter_counts_of_resnet_50_are_the_published_ones(attention, variant):
    model = structure(50, attention, attention_kwargs={"variant": variant})
    assert size(model.trainable_variables) == COUNTS[attention, variant][50]
    assert model.count_params() == WHOLE[attention, variant]


@functools.cache
def weights_of_attention(attention, variant, channels):
    layer = layers.get_attention(attention, variant=variant)
    layer.build((None, None, None, channels))
    return size(layer.trainable_variables)


SLOW = [pytest.param(depth, marks=pytest.mark.slow) for depth in (34, 50, 101, 152)]


@pytest.mark.parametrize("depth", [18, *SLOW])
def test_parameter_counts_of_all_depths_are_the_published_ones(depth):
    """Counts with attention are those without plus one attention layer per residual block."""
    model = structure(depth)
    assert size(model.trainable_variables) == BASE[depth]
    assert depth != 50 or model.count_params() == 25_610_152
    channels = collections.Counter(layer.output.shape[-1] for layer in model.layers if layer.name.endswith("add"))
    for (attention, variant), counts in COUNTS.items():
        added = 0
        for C, number in channels.items():
            added += number * weights_of_attention(attention, variant, C)
        assert depth not in counts or BASE[depth] + added == counts[depth]


def test_resnet_50_has_five_non_local_blocks():
    model = structure(50, "non_local")
    assert size(model.trainable_variables) == BASE[50] + 7_358_464
    names = [layer.name for layer in model.layers if isinstance(layer, layers.NonLocalBlock)]
    expected = [(2, 2), (2, 4), (3, 2), (3, 4), (3, 6)]
    assert names == [f"stage{stage}_block{block}_attention" for stage, block in expected]


def test_non_local_blocks_are_evenly_spaced():
    with without_memory():
        model = models.AttentionResNet((1, 2, 23), False, "non_local", width=2)
    names = [layer.name for layer in model.layers if isinstance(layer, layers.NonLocalBlock)]
    expected = [(2, 1), (2, 2), (3, 7), (3, 14), (3, 21)]  # counted from 1; as published for ResNet-101
    assert names == [f"stage{stage}_block{block}_attention" for stage, block in expected]


@pytest.mark.parametrize("attention, bottleneck", [("se", False), ("cbam", True)])
def test_attention_is_on_the_residual_branch_only(attention, bottleneck):
    """If the last batch normalization of the branch outputs 0, the block outputs ReLU(shortcut)."""
    model = noisy(models.AttentionResNet(**SMALL, bottleneck=bottleneck, attention=attention))
    last = model.get_layer(f"stage2_block1_norm{3 if bottleneck else 2}")
    shortcut = model.get_layer("stage2_block1_shortcut_norm")
    gate = model.get_layer("stage2_block1_attention")
    out = model.get_layer("stage2_block1_out")
    assert gate.input is last.output  # no activation in between
    inside = keras.Model(model.input, [shortcut.output, out.output])
    x = random(2, 33, 46, 3)
    before = numpy(inside(x)[1])
    for w in gate.weights:
        w.assign(w + 1.0)
    moved = numpy(inside(x)[1])
    assert np.abs(moved - before).max() > 1e-3
    for w in (last.gamma, last.beta):
        w.assign(np.zeros(w.shape))
    straight, output = (numpy(y) for y in inside(x))
    np.testing.assert_array_equal(output, np.maximum(straight, 0))
    assert output.max() > 0.1


# "se" is quantized and saved in `test_quantized_files`; "spatial" is part of "cbam".
@each_attention("cbam", "channel", "non_local", None)
def test_save_and_load(attention, arguments, tmp_path):
    blocks = (1, 1) if attention == "non_local" else (1,)  # one stage is faster to build
    settings = {**SMALL, "blocks": blocks, "attention": attention, "attention_kwargs": arguments}
    model = noisy(models.AttentionResNet(**settings, layout="caffe", name="net"))
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is models.AttentionResNet
    assert twin.get_config() == model.get_config()
    x = random(2, 33, 46, 3)
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "columns", "layout", "stem"),
    [  # every pair of the three settings
        (37, 64, "torch", "7x7"),
        (37, 64, "caffe", "3x3"),
        (50, 41, "torch", "3x3"),
        (50, 41, "caffe", "7x7"),
    ],
)
def test_halved_sides_are_rounded_up(rows, columns, layout, stem):
    """Except by the pool of `layout="caffe"`, which rounds down."""
    model = models.AttentionResNet(**SMALL, attention="se", stem=stem, layout=layout)
    inside = keras.Model(model.input, [model.get_layer("stage2_block1_out").output, model.output])
    features, logits = inside(random(2, rows, columns, 3))

    def halved(n):
        if stem == "7x7":
            n = (n + 1) // 2
            n = (n + 1) // 2 if layout == "torch" else n // 2
        return (n + 1) // 2

    assert features.shape == (2, halved(rows), halved(columns), 4 * 4 * 2)
    assert logits.shape == (2, 3)
    assert model.output_shape == (None, 3)


@each_attention("se", "cbam", "spatial", "non_local")  # "channel" is part of "cbam"
def test_a_training_step_updates_all_weights(attention, arguments):
    settings = {"attention": attention, "attention_kwargs": arguments, "num_classes": 3, "width": 4, "stem": "3x3"}
    blocks = (1, 1) if attention == "non_local" else (1,)
    model = noisy(models.AttentionResNet(blocks, bottleneck=False, **settings))
    # XLA compiles a training step of each attention in tests/layers/test_conformance.py.
    model.compile(keras.optimizers.Adam(0.1), keras.losses.SparseCategoricalCrossentropy(True), **QUICK)
    before = [numpy(w) for w in model.trainable_variables]
    model.train_on_batch(random(4, 9, 11, 3), np.array([0, 1, 2, 1]))
    for w, old in zip(model.trainable_variables, before, strict=True):
        # A bias that is added to all keys, or before a batch normalization, has zero gradient up to rounding.
        free = w.path.endswith(("phi/bias", "g/bias", "w_z/bias"))
        assert np.isfinite(numpy(w)).all()
        assert free or np.abs(numpy(w) - old).max() > 1e-3, w.path


def test_mixed_precision():
    model = models.AttentionResNet(**SMALL, attention="cbam", dtype="mixed_bfloat16")
    assert {keras.backend.standardize_dtype(w.dtype) for w in model.weights} == {"float32"}
    x = random(2, 33, 46, 3)
    assert keras.backend.standardize_dtype(model(x).dtype) == "bfloat16"
    whole = models.AttentionResNet(**SMALL, attention="cbam")
    whole.set_weights(model.get_weights())
    expected = numpy(whole(x))
    half = numpy(keras.ops.cast(model(x), "float32"))
    np.testing.assert_allclose(half, expected, atol=0.05 * np.abs(expected).max())


def test_image_data_format_of_keras_is_ignored():
    last = models.AttentionResNet(**SMALL, attention="cbam")
    keras.config.set_image_data_format("channels_first")
    try:
        first = models.AttentionResNet(**SMALL, attention="cbam")
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    x = random(2, 33, 46, 3)
    np.testing.assert_array_equal(numpy(first(x)), numpy(last(x)))


def test_exported_model_accepts_images_of_any_size(tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with unknown dimensions needs the TensorFlow backend")
    import tensorflow as tf

    model = noisy(models.AttentionResNet(**{**SMALL, "blocks": (1,)}, attention="cbam"))
    folder = export.export_saved_model(model, tmp_path, verify=False)  # verified below
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for shape in ((2, 33, 46, 3), (1, 64, 40, 3)):
        x = random(*shape)
        [logits] = served(image=tf.constant(x)).values()
        np.testing.assert_allclose(logits.numpy(), numpy(model(x)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"blocks": ()}, "`blocks` must be a list .*Received: blocks="),
        ({"blocks": 2}, "`blocks` must be a list .*Received: blocks=2"),
        ({"blocks": (1, 0)}, "`blocks` must be a positive int. Received: blocks=0"),
        ({"attention": "nl"}, "`attention` must be one of .*Received: attention='nl'"),
        ({"stem": "5x5"}, "`stem` must be one of .*Received: stem='5x5'"),
        ({"layout": "keras"}, "`layout` must be one of .*Received: layout='keras'"),
        ({"num_classes": None}, "`num_classes` must be a positive int. Received: num_classes=None"),
        ({"width": 0}, "`width` must be a positive int"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.AttentionResNet(**{**SMALL, **arguments})


def test_unpublished_depth_raises():
    with pytest.raises(ValueError, match="`depth` must be one of .*Received: depth=20"):
        models.attention_resnet(20)
