import keras
import numpy as np
import pytest
from keras import ops

from keras_attention import training

KINDS = ["weights.h5", "keras"]


def make(units=4, dtype=None, bias=True):
    layers = [keras.layers.Dense(units, use_bias=bias, dtype=dtype), keras.layers.BatchNormalization(dtype=dtype)]
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dropout(0.5, seed=1)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def weights(model):
    return [ops.convert_to_numpy(ops.cast(w, "float32")) for w in model.weights]


def save(folder, kind="weights.h5", k=3, **kwargs):
    """Writes k checkpoints of random weights; returns their paths and their weights."""
    rng, model, paths, all_weights = np.random.default_rng(0), make(**kwargs), [], []
    for i in range(k):
        for w in model.weights:
            w.assign(rng.normal(size=w.shape))
        for w in model.optimizer.variables:
            w.assign(ops.full(w.shape, 10 * i, dtype=w.dtype))
        paths.append(folder / f"{i}.{kind}")
        (model.save_weights if kind == "weights.h5" else model.save)(paths[-1])
        all_weights.append(weights(model))
    return paths, all_weights


@pytest.mark.parametrize("kind", KINDS)
def test_is_the_mean_of_every_weight(kind, tmp_path):
    paths, saved = save(tmp_path, kind)
    expected = [np.mean(ws, axis=0) for ws in zip(*saved)]
    model = make()
    assert training.average_checkpoints(paths, model) is model
    for found, mean in zip(weights(model), expected):
        np.testing.assert_allclose(found, mean, rtol=1e-6, atol=1e-6)
    state = [float(ops.max(w)) for w in model.optimizer.variables]
    assert state == [20.0] * len(state), "the optimizer's state is the last checkpoint's"

    output = tmp_path / f"mean.{kind}"
    assert training.average_checkpoints([str(p) for p in paths], output) == output
    twin = keras.models.load_model(output) if kind == "keras" else make()
    if kind != "keras":
        twin.load_weights(output)
    for found, mean in zip(weights(twin), expected):
        np.testing.assert_allclose(found, mean, rtol=1e-6, atol=1e-6)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(p.name for p in paths), output.name])


def test_the_mean_of_copies_is_the_checkpoint(tmp_path):
    [path], [saved] = save(tmp_path, k=1)
    model = training.average_checkpoints([path] * 3, make())
    for found, w in zip(weights(model), saved):
        np.testing.assert_array_equal(found, w)


def test_bfloat16_weights(tmp_path):
    paths, saved = save(tmp_path, dtype="bfloat16")
    model = training.average_checkpoints(paths, make(dtype="bfloat16"))
    for found, ws in zip(weights(model), zip(*saved)):
        np.testing.assert_allclose(found, np.mean(ws, axis=0), rtol=2**-8)


@pytest.mark.parametrize(
    "other, name", [({"units": 5}, r"vars/0 is \(5,\) float32, not \(4,\)"), ({"bias": False}, "layers/dense/vars/1")]
)
def test_a_checkpoint_of_another_model_is_refused_with_the_name_of_its_weight(other, name, tmp_path):
    (tmp_path / "other").mkdir()
    paths = save(tmp_path)[0] + save(tmp_path / "other", **other)[0]
    output = tmp_path / "mean.weights.h5"
    output.write_text("old")
    with pytest.raises(ValueError, match=f"not a checkpoint of the model of.*{name}"):
        training.average_checkpoints(paths, output)
    assert output.read_text() == "old"


def test_a_model_that_does_not_fit_keeps_its_weights(tmp_path):
    paths, _ = save(tmp_path)
    model = keras.Sequential([make().layers[0], keras.layers.Dense(4)])  # the first layer fits
    model.build((None, 3))
    before = weights(model)
    with pytest.raises(ValueError):
        training.average_checkpoints(paths, model)
    for a, b in zip(before, weights(model)):
        np.testing.assert_array_equal(a, b)


def test_quantized_weights_are_refused(tmp_path):
    paths = []
    for i in range(2):
        model = make()
        model.layers[0].quantize("int8")
        paths.append(tmp_path / f"{i}.weights.h5")
        model.save_weights(paths[-1])
    with pytest.raises(ValueError, match="is quantized"):
        training.average_checkpoints(paths, tmp_path / "mean.weights.h5")
    assert not (tmp_path / "mean.weights.h5").exists()


@pytest.mark.parametrize(
    "paths, target, message",
    [
        ([], "mean.weights.h5", "`paths` must be a list of at least one"),
        ("a.weights.h5", "mean.weights.h5", "`paths` must be a list"),
        (None, "mean.weights.h5", "`paths` must be a list"),
        ([3], "mean.weights.h5", "must be a `.keras` or a"),
        (["a.weights.h5"], "mean.keras", "must be of one kind"),
        (["a.weights.h5", "b.keras"], "mean.keras", "must be of one kind"),
        (["a.h5"], "mean.keras", "must be a `.keras` or a"),
        (["nowhere.weights.h5"], "mean.weights.h5", "There is no checkpoint nowhere.weights.h5"),
    ],
)
def test_bad_arguments_are_refused(paths, target, message):
    with pytest.raises(ValueError, match=message):
        training.average_checkpoints(paths, target)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_or_damaged_checkpoint_is_named(kind, tmp_path):
    paths, _ = save(tmp_path, kind)
    whole = paths[1].read_bytes()
    model = make()
    before = weights(model)
    for damaged in (b"", b"no checkpoint", whole[: len(whole) // 2], None):
        paths[1].unlink() if damaged is None else paths[1].write_bytes(damaged)
        message = "There is no checkpoint" if damaged is None else "no checkpoint, or a damaged one"
        for target in (model, tmp_path / f"mean.{kind}"):
            with pytest.raises(ValueError, match=message) as error:
                training.average_checkpoints(paths, target)
            assert f"1.{kind}" in str(error.value) and f"0.{kind}" not in str(error.value)
    assert not (tmp_path / f"mean.{kind}").exists()
    for a, b in zip(before, weights(model)):
        np.testing.assert_array_equal(a, b)


def test_paths_may_come_one_by_one(tmp_path):
    paths, saved = save(tmp_path)
    for given in (iter(paths), tuple(map(str, paths))):
        model = training.average_checkpoints(given, make())
        np.testing.assert_allclose(weights(model)[0], np.mean([ws[0] for ws in saved], axis=0), rtol=1e-6, atol=1e-6)


def test_bad_targets_are_refused(tmp_path):
    [path], _ = save(tmp_path, k=1)
    for target, message in (
        (None, "Received: None"),
        (tmp_path / "nowhere" / "mean.weights.h5", "`target` must lie in a folder that is there"),
        (keras.Sequential([keras.layers.Dense(2)]), "`target` must be built"),
    ):
        with pytest.raises(ValueError, match=message):
            training.average_checkpoints([path], target)
    with pytest.raises(NotADirectoryError, match="`target` must be a folder, and"):
        training.average_checkpoints([path], path / "mean.weights.h5")
