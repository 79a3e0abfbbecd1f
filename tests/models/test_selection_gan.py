"""SelectionGAN: NumPy reference, steps of the ablation, saving, sizes."""

import functools

import keras
import numpy as np
import pytest

from keras_attention import export, models, visualize
from keras_attention.models.selection_gan import ABLATIONS
from tests.backend import BACKEND, QUICK
from tests.layers.helpers import numpy, random
from tests.models.selection_gan_weights import noisy, of_discriminator, of_second_stage, of_u_net
from tests.reference import selection_gan as reference
from tests.variants import variants

SMALL = {"image_size": (16, 24), "num_downs": 3, "width": 3, "semantics_width": 2, "selection_channels": 11}
CHOICES = {"num_candidates": 5, "pool_sizes": (1, 2, 3)}
FIRST = {"first_image", "first_semantics", "uncertainty"}
ALL = {*FIRST, "image", "semantics", "attention", "candidates"}
# step of the ablation: inputs, outputs
STEPS = {
    "A": ({"source"}, {"first_image"}),
    "B": ({"semantics"}, {"first_image"}),
    "C": ({"source", "semantics"}, {"first_image"}),
    "D": ({"source", "semantics"}, {"first_image", "first_semantics"}),
    "E": ({"source", "semantics"}, FIRST),
    "F": ({"source", "semantics"}, ALL),
    "G": ({"source", "semantics"}, ALL),
    "H": ({"source", "semantics"}, ALL),
}


def small(ablation="H", **arguments):
    """A generator and a discriminator with random weights."""
    smaller = {name: value for name, value in CHOICES.items() if ABLATIONS[ablation].get(name, value)}
    networks = models.selection_gan(ablation=ablation, discriminator_width=2, **{**SMALL, **smaller, **arguments})
    return tuple(noisy(network) for network in networks)


@functools.cache
def of_step(ablation):
    """Cached networks, for tests that do not modify them."""
    return small(ablation)


def inputs_of(model, batch=2):
    shapes = {name: (batch, *x.shape[1:]) for name, x in model.input.items()}
    return {name: np.tanh(random(*shape, seed=i)) for i, (name, shape) in enumerate(sorted(shapes.items()))}


def test_generator_matches_the_numpy_reference():
    model, _ = of_step("H")
    x = inputs_of(model)
    outputs = {name: numpy(y) for name, y in model(x).items()}
    joined = np.concatenate([x["source"], x["semantics"]], axis=-1)
    first, of_image = reference.u_net(joined, *of_u_net(model, "image"))
    first_semantics, of_semantics = reference.u_net(first, *of_u_net(model, "semantics"))
    enlarge, merge, heads = of_second_stage(model)
    image, attention, candidates, uncertainty = reference.second_stage(
        [of_image, of_semantics], [x["source"], first], (1, 2, 3), enlarge, merge, heads
    )
    semantics, _ = reference.u_net(image, *of_u_net(model, "semantics"))
    expected = {"first_image": first, "first_semantics": first_semantics, "image": image, "semantics": semantics}
    expected |= {"attention": attention, "candidates": candidates, "uncertainty": uncertainty}
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        assert value.std() > 0.01, name  # a constant output would hide errors
        np.testing.assert_allclose(outputs[name], value, atol=2e-5, err_msg=name)


def test_image_is_the_attention_weighted_sum_of_candidates():
    model, _ = of_step("H")
    outputs = {name: numpy(y) for name, y in model(inputs_of(model)).items()}
    np.testing.assert_allclose(outputs["attention"].sum(-1), 1, atol=1e-5)
    mixed = np.einsum("byxm,byxmc->byxc", outputs["attention"], outputs["candidates"])
    np.testing.assert_allclose(outputs["image"], mixed, atol=1e-5)
    assert np.abs(outputs["image"]).max() < 1


@pytest.mark.parametrize("size", [(37, 52), (32, 48)], ids=str)
def test_discriminator_matches_the_numpy_reference(size):
    model = noisy(models.PatchDiscriminator(width=2, image_channels=3, condition_channels=1))
    x = {"image": random(2, *size, 3), "source": random(2, *size, 1, seed=1)}
    expected = reference.patch_discriminator(
        np.concatenate([x["source"], x["image"]], axis=-1), of_discriminator(model)
    )
    np.testing.assert_allclose(numpy(model(x)["logits"]), expected, atol=2e-5)


@pytest.mark.parametrize("ablation", STEPS)
def test_inputs_and_outputs_of_the_ablation(ablation):
    generator, discriminator = of_step(ablation)
    assert (set(generator.input), set(generator.output)) == STEPS[ablation]
    assert set(discriminator.input) == {"image", "source"}
    names = {layer.name for layer in generator.layers}
    assert ("selection_pooling" in names) == (ablation == "H")


@pytest.mark.parametrize("ablation", variants(["E", "H"], "H"))
def test_a_training_step_updates_all_weights(ablation):
    generator, _ = small(ablation)
    x, outputs = inputs_of(generator), STEPS[ablation][1]
    losses = {name: None if name in ("attention", "candidates") else "mse" for name in outputs}
    # `test_selection_gan_training` trains in a graph.
    generator.compile(keras.optimizers.Adam(0.1), losses, **QUICK)
    before = [numpy(w) for w in generator.trainable_variables]
    generator.train_on_batch(x, {name: np.ones(y.shape, "float32") for name, y in generator(x).items()})
    for w, old in zip(generator.trainable_variables, before, strict=True):
        assert np.isfinite(numpy(w)).all()
        assert np.abs(numpy(w) - old).max() > 1e-3, w.path


def test_semantics_of_both_images_share_weights():
    model, _ = small(dropout=0.0)
    read = [w for w in model.trainable_variables if w.path.startswith("semantics_")]
    assert len(read) == 3 + 3 + 2 * (1 + 2) + 1  # kernels down and up, their norms, a bias
    x = inputs_of(model)
    first_only = keras.Model(model.input, model.output["first_semantics"])
    before = {name: numpy(y) for name, y in model(x).items()}
    bias = model.get_layer("semantics_up1").bias
    bias.assign(bias + 0.5)
    after = {name: numpy(y) for name, y in model(x).items()}
    moved = {name: np.abs(after[name] - y).max() for name, y in before.items()}
    assert moved["first_semantics"] > 0.01 and moved["semantics"] > 0.01
    assert moved["first_image"] == 0 and moved["image"] == 0
    np.testing.assert_array_equal(numpy(first_only(x)), after["first_semantics"])


def test_single_candidate_is_the_image():
    model, _ = small(num_candidates=1)
    outputs = {name: numpy(y) for name, y in model(inputs_of(model)).items()}
    np.testing.assert_array_equal(outputs["attention"], np.ones((2, 16, 24, 1)))
    np.testing.assert_array_equal(outputs["image"], outputs["candidates"][..., 0, :])


def test_legacy_unused_conv_does_not_affect_outputs():
    model, _ = of_step("H")
    legacy, _ = small(legacy_unused_conv=True)
    unused = legacy.get_layer("selection_unused")
    assert unused.count_params() == 9 * 3 * 11 * 11 + 11
    weights = iter(model.get_weights())
    ours = {id(w) for w in unused.weights}
    for w in legacy.weights:
        if id(w) not in ours:
            w.assign(next(weights))
    x = inputs_of(model)
    outputs = legacy(x)
    for name, y in model(x).items():
        np.testing.assert_array_equal(numpy(outputs[name]), numpy(y))


WITH_MORE = {"legacy_unused_conv": True, "semantics_channels": 4}


@pytest.mark.parametrize("ablation, arguments", [pytest.param("E", {}, marks=pytest.mark.slow), ("H", WITH_MORE)])
def test_save_and_load(ablation, arguments, tmp_path):
    for model in small(ablation, **arguments)[: 1 + (ablation == "H")]:  # the discriminator is the same
        model.save(tmp_path / "model.keras")
        twin = keras.models.load_model(tmp_path / "model.keras")
        assert type(twin) is type(model)
        assert twin.get_config() == model.get_config()
        shapes = {name: (2, *(n or 32 for n in x.shape[1:])) for name, x in model.input.items()}
        x = {name: random(*shape) for name, shape in shapes.items()}
        outputs = twin(x)
        for name, y in model(x).items():
            np.testing.assert_allclose(numpy(outputs[name]), numpy(y), rtol=1e-4, atol=1e-5)


def test_mixed_precision():
    exact, half = of_step("H")[0], small(dtype="mixed_bfloat16")[0]
    assert {keras.backend.standardize_dtype(w.dtype) for w in half.trainable_variables} == {"float32"}
    x = inputs_of(exact)
    expected = exact(x)
    for name, y in half(x).items():
        assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
        np.testing.assert_allclose(numpy(keras.ops.cast(y, "float32")), numpy(expected[name]), atol=0.15, err_msg=name)


def test_image_data_format_of_keras_is_ignored():
    last = of_step("H")
    keras.config.set_image_data_format("channels_first")
    try:
        first = small()
    finally:
        keras.config.set_image_data_format("channels_last")
    for a, b, x in zip(last, first, (inputs_of(last[0]), {n: random(1, 32, 40, 3) for n in ("image", "source")})):
        outputs = b(x)
        for name, y in a(x).items():
            np.testing.assert_allclose(numpy(outputs[name]), numpy(y), atol=1e-5)


# tests/export/serving/test_image_translation.py traces it as a signature.
@pytest.mark.slow
def test_exported_generator_accepts_any_batch_size(tmp_path):
    if BACKEND != "tensorflow":
        pytest.skip("a SavedModel with an unknown dimension needs the TensorFlow backend")
    import tensorflow as tf

    model, _ = of_step("H")
    # In old versions `export` of Keras accepts no dict of inputs.
    folder = export.export_saved_model(model, tmp_path, verify=False)  # verified below
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    for batch in (1, 3):
        x = inputs_of(model, batch)
        expected = model(x)
        for name, y in served(**{k: tf.constant(v) for k, v in x.items()}).items():
            np.testing.assert_allclose(y.numpy(), numpy(expected[name]), atol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"image_size": 48, "num_downs": None}, "multiples of 2^num_downs.*Received: image_size=48, num_downs=5"),
        ({"image_size": (16, 20)}, "multiples of 2^num_downs.*image_size=\\(16, 20\\), num_downs=3"),
        ({"image_size": (16, 24, 3)}, "`image_size` must be .*Received: image_size="),
        ({"image_size": 64.0}, "`image_size` must be .*Received: image_size=64.0"),
        ({"num_downs": 1}, "`num_downs` at least 2"),
        ({"condition": ()}, "`condition` must be .*Received: condition="),
        ({"condition": ("source", "target")}, "`condition` must be"),
        ({"num_candidates": 0}, "`num_candidates` must be `None` or a positive int. Received: num_candidates=0"),
        ({"pool_sizes": (1, 1)}, "`pool_sizes` must be different positive ints"),
        ({"pool_sizes": (17,)}, "largest of `pool_sizes`"),
        ({"selection_channels": 6}, "`selection_channels` must be more than the 6 channels"),
        ({"dropout": 1.0}, "`dropout` must be a float in \\[0, 1\\)"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message.replace("2^", "2\\^")):
        models.SelectionGANGenerator(**{**SMALL, **CHOICES, **arguments})


def test_arguments_that_do_not_fit_the_ablation_raise():
    for step in ("C", "F"):
        with pytest.raises(ValueError, match="`legacy_unused_conv` belongs to the multi-scale pooling"):
            small(step, legacy_unused_conv=True)
    with pytest.raises(ValueError, match="`ablation` must be one of .*Received: ablation='I'"):
        models.selection_gan(64, "I")


def test_images_smaller_than_a_patch_raise():
    discriminator = models.PatchDiscriminator(width=4, num_layers=2)
    image = {name: np.zeros((1, 12, 11, 3), "float32") for name in ("image", "source")}
    least = r"at least 3 \* 2\^num_layers = 12.*Received: image.shape=\(1, 12, 11, 3\)"
    with pytest.raises(ValueError, match=f"`image` must have sides of {least}"):
        discriminator(image)
    least = {name: np.zeros((1, 12, 13, 3), "float32") for name in ("image", "source")}
    assert discriminator(least)["logits"].shape == (1, 1, 1, 1)


@pytest.mark.parametrize("step", ["F", "H"])
def test_attention_scores_reads_the_selection(step):
    model, _ = of_step(step)
    x = inputs_of(model)
    [scores] = visualize.attention_scores(model, x).values()
    expected = model(x)
    np.testing.assert_array_equal(numpy(scores), numpy(expected["attention"]))
    assert set(model(x)) == ALL
