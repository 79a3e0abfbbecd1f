import types

import keras
import numpy as np
import pytest
import selection_gan_learning as learning

from tests.examples.interruptions import CopyAfter

RNG = np.random.default_rng(0)
VIEWS = {name: RNG.integers(0, 256, (10, 32, 32, 3)).astype("uint8") for name in ("source", "image")}
VIEWS["semantics"] = RNG.integers(0, 7, (10, 32, 32)).astype("uint8")


def take(number, first=0, seed=1):
    data = learning.batches(VIEWS, 4, seed, first)
    return [next(data) for _ in range(number)]


def test_a_batch_does_not_depend_on_where_the_run_starts():
    for a, b in zip(take(6)[2:], take(4, first=2), strict=True):
        keras.tree.map_structure(np.testing.assert_array_equal, a, b)
    assert not np.array_equal(take(1)[0][1], take(1, seed=2)[0][1])


def test_all_three_views_are_flipped():
    plain = learning.prepared(VIEWS, np.array([3, 5]))
    flipped = learning.prepared(VIEWS, np.array([3, 5]), np.array([False, True]))
    for name, x in plain.items():
        assert x.shape == (2, 32, 32, 3) and x.dtype == "float32" and x.min() >= -1 and x.max() <= 1
        np.testing.assert_array_equal(flipped[name][0], x[0])
        np.testing.assert_array_equal(flipped[name][1], x[1][:, ::-1])


def test_metrics_of_small_and_large_errors():
    truth = learning.prepared(VIEWS, np.arange(10))["image"]
    near, far = (learning.measured(np.clip(truth + noise, -1, 1), VIEWS) for noise in (0.01, 0.3))
    assert set(near) == {"SSIM", "PSNR", "SD"}
    assert near["SSIM"] > 0.99 and near["SSIM"] > far["SSIM"] and near["PSNR"] > far["PSNR"]
    # An error of a hundredth of the range is 40 dB.
    assert abs(learning.measured(truth + 0.02, VIEWS)["PSNR"] - 40) < 0.01


def test_the_mean_view():
    found = learning.mean_view({"image": np.stack([np.full((2, 2, 3), x, "uint8") for x in (0, 255)])}, 3)
    np.testing.assert_allclose(found, np.zeros((3, 2, 2, 3)), atol=1e-6)


def test_attention_and_uncertainty_are_measured():
    truth = learning.prepared(VIEWS, np.arange(10))["image"]
    doubt = RNG.uniform(0.1, 0.6, (10, 32, 32, 1))
    attention = np.zeros((10, 32, 32, 4))
    attention[..., :2] = 0.5
    outputs = {"image": truth + 2 * doubt, "uncertainty": doubt, "attention": attention}
    found = learning.of_maps(outputs, VIEWS)
    assert found["candidates"] == pytest.approx(2) and found["correlation"] == pytest.approx(1)
    assert found["spread"] == pytest.approx(0.5 / np.sqrt(12), rel=0.01)


def make(ablation, **changes):
    sizes = {"width": 2, "channels": 9, "discriminator": 3, "adversarial": 0.5, "steps": 4, **changes}
    return learning.build(32, ablation, types.SimpleNamespace(**sizes), seed=0)


def stand_ins(*args, **kwargs):
    """Networks with all kinds of state, in place of those of step A, whose steps are slow."""
    source, image = keras.Input((32, 32, 3), name="source"), keras.Input((32, 32, 3), name="image")
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 4, 4)(source))
    x = keras.layers.UpSampling2D(4)(keras.layers.Dropout(0.5)(x))
    generator = keras.Model({"source": source}, {"first_image": keras.layers.Conv2D(3, 1, activation="tanh")(x)})
    generator.condition = ("source",)
    logits = keras.layers.Conv2D(1, 4, 4)(keras.layers.Concatenate()([source, image]))
    return generator, keras.Model({"source": source, "image": image}, {"logits": logits})


# tests/training/test_adversarial_resume.py resumes the same model; `test_pixels_learning.py` an example.
@pytest.mark.slow
@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, monkeypatch):
    monkeypatch.setattr(learning.models, "selection_gan", stand_ins)
    whole, part = make("A"), make("A")
    killed = CopyAfter(1, tmp_path / "whole", tmp_path / "part")
    assert learning.learn(whole, VIEWS, 2, 2, 1, tmp_path / "whole", every=1, callbacks=[killed]) == 0
    assert learning.learn(part, VIEWS, 2, 2, 1, tmp_path / "part") == 1
    for a, b in zip(whole.get_weights(), part.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_optimizers_sizes_and_adversarial_weights():
    model = make("A", width=16, steps=100)
    optimizers = model.optimizer.generator_optimizer, model.optimizer.discriminator_optimizer
    for optimizer, rate in zip(optimizers, (8e-4, 2e-4)):  # the published rate times 64 / 16, and itself
        assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.5, 0.999, 1e-8)
        schedule = [float(optimizer._learning_rate(step)) for step in (0, 50, 75, 100)]
        np.testing.assert_allclose(schedule, [rate, rate, rate / 2, 0], rtol=1e-6)
    assert model.objective.adversarial_weights == {"first_image": 0.5, "image": 2.0}
    assert model.discriminator.get_layer("conv1").filters == 3


class Painter:
    """Stand-in for a model of which generated images are 0."""

    def __init__(self):
        self.generator = types.SimpleNamespace(condition=["source"], predict_on_batch=self.paint)

    def paint(self, inputs):
        return {"first_image": 0 * inputs["source"], "image": 0 * inputs["source"] + 0.5}


def test_each_stage_is_measured():
    found = learning.stages(learning.painted_views(Painter(), VIEWS), VIEWS)
    assert found["first_image"] == learning.measured(np.zeros((10, 32, 32, 3), "float32"), VIEWS)
    assert found["image"] == learning.measured(np.full((10, 32, 32, 3), 0.5, "float32"), VIEWS)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("ablation, variation", [("B", 0.0), pytest.param("H", 1e-6, marks=pytest.mark.slow)])
def test_each_step_of_the_ablation_has_its_loss_and_its_outputs(ablation, variation):
    model = make(ablation)
    assert model.objective.total_variation == variation
    assert model.objective.condition == (["semantics"] if ablation == "B" else ["source", "semantics"])
    outputs = learning.painted_views(model, VIEWS, batch_size=4)
    assert ("image" in outputs) == (ablation == "H")
    assert outputs["first_image"].shape == (10, 32, 32, 3)
    batch = learning.prepared(VIEWS, np.array([9]))
    alone = model.generator.predict_on_batch({name: batch[name] for name in model.generator.input})
    np.testing.assert_allclose(outputs["first_image"][9], alone["first_image"][0], atol=1e-5)
