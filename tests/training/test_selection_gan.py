"""The losses of SelectionGAN: closed forms, loops, and one objective for all steps of the ablation."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.training import SelectionGANObjective, total_variation, uncertainty_guided_loss
from tests.backend import COMPILED, value_and_gradients
from tests.layers.helpers import numpy, random
from tests.reference import selection_gan as reference

TARGET, IMAGE = np.tanh(random(2, 5, 7, 3)), np.tanh(random(2, 5, 7, 3, seed=1))
DOUBT = 1 / (1 + np.exp(-random(2, 5, 7, 1, seed=2)))


def test_the_pixel_loss_is_that_of_loops():
    np.testing.assert_allclose(
        float(uncertainty_guided_loss(TARGET, IMAGE, DOUBT)), reference.pixel_loss(TARGET, IMAGE, DOUBT), rtol=1e-5
    )
    certain = reference.pixel_loss(TARGET, IMAGE)
    np.testing.assert_allclose(float(uncertainty_guided_loss(TARGET, IMAGE)), certain, rtol=1e-5)
    paper = float(uncertainty_guided_loss(TARGET, IMAGE, DOUBT, variant="paper"))
    np.testing.assert_allclose(paper, reference.pixel_loss(TARGET, IMAGE, DOUBT) - certain, rtol=1e-4)


@pytest.mark.parametrize("error", [0.1, 0.5, 0.9])
def test_the_optimal_uncertainty_is_the_error(error):
    target, image = np.full((1, 2, 3, 3), error, "float32"), np.zeros((1, 2, 3, 3), "float32")

    def loss(U):
        return float(uncertainty_guided_loss(target, image, np.full((1, 2, 3, 1), U, "float32"), variant="paper"))

    minimum = loss(error)
    assert math.isclose(minimum, 1 + math.log(error), abs_tol=1e-5)
    assert all(loss(U) > minimum + 1e-5 for U in np.arange(0.05, 1, 0.05) if abs(U - error) > 0.01)


@pytest.mark.parametrize("how", COMPILED)
def test_gradients_and_compiled(how):
    value, gradients = value_and_gradients(
        lambda image, doubt: uncertainty_guided_loss(TARGET, image, doubt), [IMAGE, DOUBT], np.float32(1), how
    )
    n = IMAGE.size
    sign, error = np.sign(IMAGE - TARGET), np.abs(IMAGE - TARGET)
    np.testing.assert_allclose(value, reference.pixel_loss(TARGET, IMAGE, DOUBT), rtol=1e-5)
    np.testing.assert_allclose(gradients[0], sign * (1 / DOUBT + 1) / n, rtol=1e-4)
    of_doubt = (-error / DOUBT**2 + 1 / DOUBT).sum(-1, keepdims=True) / n
    np.testing.assert_allclose(gradients[1], of_doubt, rtol=1e-4, atol=1e-6)


def test_an_uncertainty_of_zero_has_a_finite_loss_and_gradient():
    for dtype in ("float32", "float16"):
        zeros = ops.zeros((2, 5, 7, 1), dtype=dtype)
        loss, [gradient] = value_and_gradients(
            lambda image, zeros=zeros: uncertainty_guided_loss(TARGET, image, zeros), [IMAGE], np.float32(1)
        )
        assert np.isfinite(loss) and np.isfinite(gradient).all()
    tenth = reference.pixel_loss(TARGET, IMAGE, np.full_like(DOUBT, 0.1))
    np.testing.assert_allclose(float(uncertainty_guided_loss(TARGET, IMAGE, 0 * DOUBT, floor=0.1)), tenth, rtol=1e-5)


def test_total_variation_of_loops_of_a_constant_and_of_a_step():
    np.testing.assert_allclose(float(total_variation(IMAGE)), reference.total_variation(IMAGE), rtol=1e-5)
    assert float(total_variation(np.full((2, 5, 7, 3), 0.3, "float32"))) == 0
    step = np.zeros((1, 5, 7, 3), "float32")
    step[:, :, 4:] = 0.5
    np.testing.assert_allclose(float(total_variation(step)), 0.5 * 5 * 3)
    np.testing.assert_allclose(float(total_variation(np.repeat(step, 4, 0))), 4 * 0.5 * 5 * 3)


class Discriminator:
    """Its logits depend on the mean of each pixel of the image and on its source."""

    def __init__(self):
        self.calls = []

    def __call__(self, inputs, training=False):
        self.calls.append((inputs, training))
        # As a network casts its inputs.
        image, source = (ops.cast(inputs[name], "float32") for name in ("image", "source"))
        return {"logits": ops.mean(image, axis=-1, keepdims=True) + 2 * source[..., :1]}


BATCH = {"source": np.tanh(random(2, 5, 7, 3, seed=3)), "semantics": np.tanh(random(2, 5, 7, 3, seed=4))}
BATCH["image"] = TARGET
GENERATED = {
    "first_image": np.tanh(random(2, 5, 7, 3, seed=5)),
    "image": IMAGE,
    "first_semantics": np.tanh(random(2, 5, 7, 3, seed=6)),
    "semantics": np.tanh(random(2, 5, 7, 3, seed=7)),
    "uncertainty": DOUBT,
    "attention": random(2, 5, 7, 4),
}
FIRST = {"first_image"}
STEPS = [FIRST, {*FIRST, "first_semantics"}, {*FIRST, "first_semantics", "uncertainty"}, set(GENERATED)]


def losses(generated, objective=None, discriminator=None, batch=BATCH):
    objective, discriminator = objective or SelectionGANObjective(), discriminator or Discriminator()
    inputs = objective.generator_inputs(batch, None)
    values = objective.discriminator_losses(discriminator, batch, inputs, generated, True)
    values |= objective.generator_losses(discriminator, batch, inputs, generated, True)
    assert set(values) == set(objective.names)
    return {name: float(value) for name, value in values.items()}


@pytest.mark.parametrize("names", STEPS, ids=len)
def test_the_objective_is_the_published_sum(names):
    generated = {name: GENERATED[name] for name in names}
    doubt = generated.get("uncertainty")

    def pixel(name, target):
        return reference.pixel_loss(BATCH[target], generated[name], doubt) if name in generated else 0

    def entropy(image, real):
        return reference.cross_entropy(numpy(Discriminator()({**BATCH, "image": image})["logits"]), real)

    def fake(name, real):
        return entropy(generated[name], real) if name in generated else 0

    found = losses(generated)
    pixels = 100 * pixel("first_image", "image") + 200 * pixel("image", "image")
    pixels += pixel("first_semantics", "semantics") + 2 * pixel("semantics", "semantics")
    adversarial = fake("first_image", True) + 4 * fake("image", True)
    variation = 1e-6 * reference.total_variation(generated.get("image", generated["first_image"]))
    real = (5 if "image" in generated else 1) * entropy(BATCH["image"], True)
    np.testing.assert_allclose(found["pixel_loss"], pixels, rtol=1e-5)
    np.testing.assert_allclose(found["adversarial_loss"], adversarial, rtol=1e-5)
    np.testing.assert_allclose(found["total_variation"], variation, rtol=1e-5)
    np.testing.assert_allclose(found["generator_loss"], pixels + adversarial + variation, rtol=1e-5)
    expected = (fake("first_image", False) + 4 * fake("image", False) + real) / 2
    np.testing.assert_allclose(found["discriminator_loss"], expected, rtol=1e-5)


def constant(value):
    return np.full((2, 5, 7, 3), value, "float32")


def test_the_pixel_loss_of_equal_errors_and_uncertainties():
    """With errors l and U = 1/2 everywhere: 303 (3 l - log 2)."""
    generated = {name: constant(0.4) for name in ("first_image", "image", "first_semantics", "semantics")}
    batch = {name: constant(0.1) for name in BATCH}
    found = losses({**generated, "uncertainty": np.full_like(DOUBT, 0.5)}, batch=batch)
    np.testing.assert_allclose(found["pixel_loss"], 303 * (3 * 0.3 - math.log(2)), rtol=1e-5)


def test_adversarial_losses_of_logits_of_zero():
    def zeros(inputs, training):
        return {"logits": ops.zeros((2, 3, 4, 1))}

    found = losses(GENERATED, discriminator=zeros)
    np.testing.assert_allclose(found["discriminator_loss"], 5 * math.log(2), rtol=1e-6)
    np.testing.assert_allclose(found["adversarial_loss"], 5 * math.log(2), rtol=1e-6)
    assert found["real_logits"] == found["fake_logits"] == 0


def test_the_discriminator_is_called_on_each_image_separately_with_its_source():
    discriminator = Discriminator()
    losses(GENERATED, discriminator=discriminator)
    images = [
        BATCH["image"],
        GENERATED["first_image"],
        GENERATED["image"],
        GENERATED["first_image"],
        GENERATED["image"],
    ]
    assert len(discriminator.calls) == len(images)
    for image, (inputs, training) in zip(images, discriminator.calls):
        assert inputs["image"] is image and inputs["source"] is BATCH["source"] and training


def test_terms_with_a_weight_of_zero_are_left_out():
    objective = SelectionGANObjective(
        pixel_weights={"image": 3}, adversarial_weights={"first_image": 2}, total_variation=0.0, variant="paper"
    )
    found = losses(GENERATED, objective)
    expected = 3 * float(uncertainty_guided_loss(TARGET, IMAGE, DOUBT, variant="paper"))
    np.testing.assert_allclose(found["pixel_loss"], expected, rtol=1e-5)
    assert found["total_variation"] == 0
    fake = reference.cross_entropy(numpy(Discriminator()({**BATCH, "image": GENERATED["first_image"]})["logits"]), True)
    np.testing.assert_allclose(found["adversarial_loss"], 2 * fake, rtol=1e-5)


def test_half_precision_is_summed_in_float32():
    generated = {name: ops.cast(x, "bfloat16") for name, x in GENERATED.items()}
    objective = SelectionGANObjective()
    value = objective.generator_losses(Discriminator(), BATCH, {}, generated, True)["generator_loss"]
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    np.testing.assert_allclose(float(value), losses(GENERATED)["generator_loss"], rtol=0.02)


@pytest.mark.parametrize("condition", [["source"], ["semantics"], ["source", "semantics"]])
def test_the_generator_inputs_are_the_condition(condition):
    objective = SelectionGANObjective(condition=condition)
    inputs = objective.generator_inputs(BATCH, None)
    assert set(inputs) == set(condition) and all(inputs[name] is BATCH[name] for name in condition)


def test_config_round_trip():
    objective = SelectionGANObjective(("semantics",), {"image": 3}, {"image": 1}, 0.0, "paper", 1e-3)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(objective))
    assert type(twin) is SelectionGANObjective and twin.get_config() == objective.get_config()


def test_data_comes_as_a_pair_or_by_name():
    objective = SelectionGANObjective()
    apart = objective.batch({name: BATCH[name] for name in ("source", "semantics")}, TARGET)
    assert apart == objective.batch(BATCH, None)
    with pytest.raises(ValueError, match="A batch must be a dict with .*Received: \\('source', 'image'\\)"):
        objective.batch({"source": TARGET}, TARGET)
    with pytest.raises(ValueError, match="A batch must be a dict"):
        objective.batch(TARGET, None)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"semantics": 255 * DOUBT}, "`semantics` must have values between -1 and 1. Received: values from"),
        ({"source": np.full((2, 5, 7, 3), np.nan)}, "`source` must have values between -1 and 1"),
        ({"source": np.full((2, 5, 7, 3), 1.01)}, "`source` must have values between -1 and 1"),
        ({"source": np.full((2, 5, 7, 3), -1.01)}, "`source` must have values between -1 and 1"),
        ({"source": TARGET[:, :4]}, "of one size. Received: shapes .*'source': \\(2, 4, 7, 3\\)"),
        ({"image": TARGET[0]}, "All images must be"),
    ],
)
def test_bad_data_is_refused(change, message):
    objective = SelectionGANObjective()
    objective.check(objective.batch(BATCH, None))
    with pytest.raises(ValueError, match=message):
        objective.check({**BATCH, **change})


@pytest.mark.parametrize(
    "name, value",
    [
        ("condition", ()),
        ("condition", ("image",)),
        ("pixel_weights", {"uncertainty": 1}),
        ("pixel_weights", {"image": -1}),
        ("adversarial_weights", {}),
        ("adversarial_weights", {"semantics": 1}),
        ("total_variation", -1.0),
        ("total_variation", math.nan),
        ("total_variation", True),
        ("variant", "code"),
        ("floor", 0),
        ("floor", 1),
    ],
)
def test_bad_arguments_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must .*Received: {name}="):
        SelectionGANObjective(**{name: value})


def test_a_generator_without_images_is_refused():
    with pytest.raises(ValueError, match="must return one of the images.*outputs \\['semantics'\\]"):
        losses({"semantics": GENERATED["semantics"]})
