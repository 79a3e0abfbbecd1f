import keras
import numpy as np
import pytest

from keras_attention import training
from tests.backend import BACKEND, DEFAULT, QUICK, numpy
from tests.reference import adversarial as reference
from tests.training import stand_ins
from tests.training.stand_ins import C, K, Z, snapshot
from tests.variants import variants

# How a step runs: TensorFlow eagerly and with XLA, which takes a graph; JAX with its compiler; PyTorch eagerly.
WAYS = {
    "tensorflow": {"eager": {"run_eagerly": True}, "xla": {"jit_compile": True}},
    "jax": {"xla": {"jit_compile": True}},
    "torch": {"eager": {}},
}[BACKEND]
GRAPH = {"jit_compile": BACKEND == "jax"}


def linear(rates, how, **kwargs):
    """G(z) = z W and D(x) = x w, trained by plain gradient descent, which NumPy can follow."""
    noise, image = keras.Input((Z,), name="noise"), keras.Input((C,), name="image")
    model = training.AdversarialModel(
        keras.Model({"noise": noise}, keras.layers.Dense(C, use_bias=False)(noise)),
        keras.Model({"image": image}, keras.layers.Dense(1, use_bias=False)(image)),
        training.NoiseToImage(Z, loss=kwargs.pop("loss", "hinge"), value_range=None),
        seed=5,
        **kwargs,
    )
    rng = np.random.default_rng(3)
    model.generator.set_weights([rng.normal(size=(Z, C))])
    model.discriminator.set_weights([rng.normal(scale=0.3, size=(C, 1))])
    if model.average is not None:
        model.average.set_weights(model.generator.get_weights())
    model.compile(*(keras.optimizers.SGD(rate) for rate in rates), **how)
    return model


def draws(sizes):
    """The noise of a model of seed 5 for batches of these sizes."""
    seed = keras.random.SeedGenerator(5)

    return [numpy(keras.random.normal((size, Z), seed=seed)) for size in sizes]


@pytest.mark.parametrize("loss", ["hinge", "bce", "kl"])
@pytest.mark.parametrize("way", WAYS)
def test_a_step_is_the_equations(way, loss):
    if loss != "hinge" and way != "eager":
        pytest.skip("one loss is enough for each compiler")
    model = linear((0.1, 0.3), WAYS[way], discriminator_steps=2, average_decay=0.5, loss=loss)
    [[W], [w]] = model.generator.get_weights(), model.discriminator.get_weights()
    images = stand_ins.data(24)[0]
    followed = reference.Linear(W, w, rates=(0.1, 0.3), loss=loss, average_decay=0.5)
    noise = draws([4] * 6)
    for step, rows in enumerate(np.split(images, 3)):
        model.reset_metrics()  # old versions of Keras do not
        reported = model.train_on_batch(rows, return_dict=True)
        expected = followed.step(np.split(rows, 2), noise[2 * step : 2 * step + 2])
        for name, value in expected.items():
            np.testing.assert_allclose(reported[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    for network, weight in (("generator", followed.W), ("discriminator", followed.w), ("average", followed.mean)):
        np.testing.assert_allclose(np.squeeze(getattr(model, network).get_weights()[0]), weight, rtol=1e-4, atol=1e-5)
    assert int(model.optimizer.iterations) == 3


def test_the_last_part_of_a_batch_is_filled_up_with_the_first_rows():
    model = linear((0.1, 0.3), QUICK, discriminator_steps=2)
    followed = reference.Linear(model.generator.get_weights()[0], model.discriminator.get_weights()[0], (0.1, 0.3))
    images = stand_ins.data(5)[0]
    model.train_on_batch(images)
    followed.step([images[:3], images[[3, 4, 0]]], draws([3, 3]))
    np.testing.assert_allclose(model.discriminator.get_weights()[0][:, 0], followed.w, rtol=1e-5, atol=1e-6)


def spectral(network):
    """The layers that have a spectral vector, and the vector after one more step of the power iteration."""
    for layer in network.layers:
        if hasattr(layer, "u"):
            kernel = snapshot(layer.layer.weights)[0]
            kernel = kernel.T if isinstance(layer.layer, keras.layers.Embedding) else kernel
            yield layer, reference.power_iteration(kernel, numpy(layer.u))


@pytest.mark.parametrize("way", WAYS)
def test_each_update_changes_only_its_network_and_moves_spectral_vectors_once(way):
    images, labels = stand_ins.data(6)
    # Not the hinge loss: a bias has no gradient where all samples are within the margin.
    classes = way == DEFAULT  # with embeddings, XLA would take a second more
    model = stand_ins.model(classes, average_decay=0.9, objective={"loss": "bce"}, **WAYS[way])
    labels = labels if classes else None
    pair, names = model.optimizer, ("generator", "discriminator")
    for still, moves in (names, names[::-1]):
        getattr(pair, f"{still}_optimizer").learning_rate = 0.0
        getattr(pair, f"{moves}_optimizer").learning_rate = 0.02
        before = {name: snapshot(getattr(model, name).trainable_variables) for name in names}
        expected = list(spectral(model.discriminator))
        model.train_on_batch(images, labels)
        after = {name: snapshot(getattr(model, name).trainable_variables) for name in names}
        for a, b in zip(before[still], after[still]):
            np.testing.assert_array_equal(a, b)
        assert all((a != b).any() for a, b in zip(before[moves], after[moves]))
        assert len(expected) == 2 + classes
        for layer, u in expected:
            np.testing.assert_allclose(numpy(layer.u), u, rtol=1e-4, atol=1e-5)


def test_evaluate_does_not_move_spectral_vectors():
    model = stand_ins.model(**QUICK)
    before = [numpy(layer.u) for layer, _ in spectral(model.discriminator)]
    model.evaluate(*stand_ins.data(6), verbose=0)
    for (layer, _), u in zip(spectral(model.discriminator), before, strict=True):
        np.testing.assert_array_equal(numpy(layer.u), u)


class Twice(training.NoiseToImage):
    """Calls the discriminator twice for its own loss, and once more in training mode for the generator's."""

    def discriminator_losses(self, discriminator, batch, inputs, generated, training):
        super().discriminator_losses(discriminator, batch, inputs, generated, training)
        return super().discriminator_losses(discriminator, batch, inputs, generated, training)

    def generator_losses(self, discriminator, batch, inputs, generated, training):
        discriminator({"image": generated, "label": inputs["label"]}, training=training)
        return super().generator_losses(discriminator, batch, inputs, generated, training)


def test_spectral_vectors_move_once_an_update_however_often_a_network_is_called():
    """Those of the generator once, of the discriminator n times; with learning rates of 0 the kernels stay."""
    networks, steps = (stand_ins.generator(), stand_ins.discriminator()), 3
    model = training.AdversarialModel(*networks, Twice(Z, K, value_range=None), discriminator_steps=steps, seed=3)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), **QUICK)
    expected = []
    for network, moves in zip(networks, (1, steps)):
        for layer, u in spectral(network):
            kernel = snapshot(layer.layer.weights)[0]
            for _ in range(moves - 1):
                u = reference.power_iteration(kernel.T if "embedding" in layer.layer.name else kernel, u)
            expected.append((layer, u))
    assert len(expected) == 4
    model.train_on_batch(*stand_ins.data(6))
    for layer, u in expected:
        np.testing.assert_allclose(numpy(layer.u), u, rtol=1e-4, atol=1e-5)


def test_predict_uses_the_average():
    model = stand_ins.model(average_decay=0.99, **QUICK)
    model.train_on_batch(*stand_ins.data(6))
    inputs = {"noise": np.ones((2, Z), "float32"), "label": np.array([1, 3])}
    averaged = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(averaged, numpy(model.average(inputs)), rtol=1e-5, atol=1e-6)
    assert np.abs(averaged - numpy(model.generator(inputs))).max() > 1e-3
    moving = [[v for v in m.weights if "moving" in v.path] for m in (model.average, model.generator)]
    for mean, new in zip(*moving, strict=True):
        np.testing.assert_array_equal(numpy(mean), numpy(new))
    plain = stand_ins.model(networks=stand_ins.plain, **QUICK)
    np.testing.assert_array_equal(plain.predict(inputs, verbose=0), numpy(plain.generator(inputs)))


def test_the_average_has_a_name_of_its_own_in_the_summary():
    model, lines = stand_ins.model(networks=stand_ins.plain, average_decay=0.9), []
    assert model.average.name == f"{model.generator.name}_average"
    model.summary(line_length=200, print_fn=lambda line, **_: lines.append(line))
    for network in (model.average, model.generator, model.discriminator):
        assert f" {network.name} (" in "\n".join(lines)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_network_with_labels_needs_num_classes(network):
    networks = stand_ins.generator(network == "generator"), stand_ins.discriminator(network == "discriminator")
    with pytest.raises(ValueError, match=f"The {network} has an input 'label': `NoiseToImage` needs `num_classes`"):
        training.AdversarialModel(*networks, training.NoiseToImage(Z))


@pytest.mark.parametrize("classes, head", [(False, False), (True, True)])
def test_without_classes_and_with_an_auxiliary_classifier(classes, head):
    model = stand_ins.model(classes=classes, head=head, **QUICK)
    images, labels = stand_ins.data(6)
    history = model.fit(images, labels if classes else None, verbose=0).history
    assert set(history) == set(model.objective.names) and len(model.objective.names) == (6 if head else 4)
    assert all(np.isfinite(values).all() for values in history.values())


def test_regularizers_add_to_the_losses():
    noise, image = keras.Input((Z,), name="noise"), keras.Input((C,), name="image")
    kernel = {"use_bias": False, "kernel_regularizer": keras.regularizers.L2(0.5)}
    model = training.AdversarialModel(
        keras.Model({"noise": noise}, keras.layers.Dense(C, **kernel)(noise)),
        keras.Model({"image": image}, keras.layers.Dense(1, **kernel)(image)),
        training.NoiseToImage(Z, value_range=None),
        seed=5,
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.3), **QUICK)
    [[W], [w]] = model.generator.get_weights(), model.discriminator.get_weights()
    followed = reference.Linear(W, w, (0.1, 0.3), decay=1.0)
    images = stand_ins.data(4)[0]
    model.train_on_batch(images)
    followed.step([images], draws([4]))
    np.testing.assert_allclose(model.generator.get_weights()[0], followed.W, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.discriminator.get_weights()[0][:, 0], followed.w, rtol=1e-4, atol=1e-5)


def test_losses_that_layers_add_in_a_call_count():
    """Of an activity regularizer, which adds a loss only when its layer is called."""
    noise, image = keras.Input((Z,), name="noise"), keras.Input((C,), name="image")

    def train(strength):
        keras.utils.set_random_seed(3)
        activity = {"activity_regularizer": keras.regularizers.L2(strength)}
        model = training.AdversarialModel(
            keras.Model({"noise": noise}, keras.layers.Dense(C, **activity)(noise)),
            keras.Model({"image": image}, keras.layers.Dense(1, **activity)(image)),
            training.NoiseToImage(Z, value_range=None),
            seed=5,
        )
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), **QUICK)
        model.train_on_batch(stand_ins.data(4)[0])
        return [model.generator.get_weights()[0], model.discriminator.get_weights()[0]]

    for plain, regularized in zip(train(0.0), train(0.5)):
        assert np.abs(plain - regularized).max() > 1e-3


def test_losses_are_scaled_if_only_one_network_has_half_precision():
    """The step stays the same: gradients are divided by the loss scale."""
    after = []
    for policy in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(0)
        networks = stand_ins.generator(), stand_ins.discriminator()
        networks[1].dtype_policy = keras.dtype_policies.get(policy)
        model = training.AdversarialModel(*networks, training.NoiseToImage(Z, K, value_range=None), seed=0)
        model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), **QUICK)
        for optimizer in (model.optimizer.generator_optimizer, model.optimizer.discriminator_optimizer):
            assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
        before = [snapshot(network.trainable_variables) for network in networks]
        model.train_on_batch(*stand_ins.data(6))
        after.append([snapshot(network.trainable_variables) for network in networks])
    for start, plain, scaled in zip(before, *after):
        for s, a, b in zip(start, plain, scaled):
            np.testing.assert_allclose(b - s, a - s, rtol=1e-3, atol=1e-7)
        assert max(np.abs(a - s).max() for s, a in zip(start, plain)) > 1e-3


@pytest.mark.parametrize("policy", variants(["mixed_float16", "mixed_bfloat16"], "mixed_float16"))
def test_mixed_precision_trains(policy):
    keras.config.set_dtype_policy(policy)
    model = stand_ins.model(classes=False, **(GRAPH if policy == "mixed_float16" else QUICK))
    scaled = isinstance(model.optimizer.generator_optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    before = snapshot(model.generator.trainable_variables)
    history = model.fit(stand_ins.data(12 if scaled else 6)[0], batch_size=6, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    after = snapshot(model.generator.trainable_variables)
    assert all((a != b).any() and np.isfinite(b).all() for a, b in zip(before, after))


@pytest.mark.parametrize(
    "bad, message",
    [
        ({"generator": "G"}, "`generator` must be a `keras.Model` that is built"),
        ({"discriminator": keras.Sequential([keras.layers.Dense(1)])}, "`discriminator` must be a `keras.Model` that"),
        ({"objective": "hinge"}, "`objective` must be an `AdversarialObjective`"),
        ({"discriminator_steps": 0}, "`discriminator_steps` must be a positive int"),
        ({"discriminator_steps": True}, "`discriminator_steps` must be a positive int"),
        ({"seed": True}, "`seed` must be"),
        ({"average_decay": 1.0}, "`average_decay` must be in"),
    ],
)
def test_bad_arguments_are_refused(bad, message):
    good = {"generator": stand_ins.generator(), "discriminator": stand_ins.discriminator()}
    with pytest.raises(ValueError, match=message):
        training.AdversarialModel(**{**good, "objective": training.NoiseToImage(Z, K), **bad})


def test_sample_weights_are_refused():
    images, labels = stand_ins.data(4)
    with pytest.raises(ValueError, match="does not weigh samples"):
        stand_ins.model(run_eagerly=True, jit_compile=False).train_on_batch(images, labels, np.ones(4, "float32"))


@pytest.mark.slow
def test_two_hundred_steps_lower_the_frechet_distance():
    """Of eight Gaussians on a circle, computed by NumPy in fixed random features."""
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * rng.integers(0, 8, 512) / 8
    points = np.stack([np.cos(angles), np.sin(angles)], -1) + 0.05 * rng.normal(size=(512, 2))
    keras.utils.set_random_seed(0)
    noise, image = keras.Input((4,), name="noise"), keras.Input((2,), name="image")
    x = keras.layers.Dense(32, activation="relu")(keras.layers.Dense(32, activation="relu")(noise))
    y = keras.layers.Dense(32, activation="relu")(keras.layers.Dense(32, activation="relu")(image))
    model = training.AdversarialModel(
        keras.Model({"noise": noise}, keras.layers.Dense(2)(x)),
        keras.Model({"image": image}, keras.layers.Dense(1)(y)),
        training.NoiseToImage(4, value_range=None),
        seed=0,
    )
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.9) for rate in (2e-3, 8e-3)), **GRAPH)
    features = rng.normal(size=(2, 9)), rng.normal(size=9)

    def distance():
        generated = numpy(model.generator({"noise": np.random.default_rng(1).normal(size=(512, 4))}))
        return reference.frechet(*(np.maximum(0, x @ features[0] + features[1]) for x in (points, generated)))

    before = distance()
    model.fit(points.astype("float32"), batch_size=64, epochs=25, verbose=0)
    assert distance() < before / 3
