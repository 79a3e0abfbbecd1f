import keras
import numpy as np
import pytest

from keras_attention.training import NoiseToImage
from keras_attention.training.adversarial_data import checked
from tests.backend import BACKEND, QUICK
from tests.training import stand_ins
from tests.training.stand_ins import K

MESSAGE = f"`label` must be from 0 to {K - 1}"


def bad():
    images, labels = stand_ins.data(12)
    labels[-1] = K
    return images, labels


def fit(*data, **kwargs):
    stand_ins.model(networks=stand_ins.plain, **QUICK).fit(*data, shuffle=False, verbose=0, **kwargs)


@pytest.mark.parametrize("as_dict", [False, True])
def test_arrays_are_refused_before_training(as_dict):
    images, labels = bad()
    with pytest.raises(ValueError, match=MESSAGE):
        fit({"image": images, "label": labels}) if as_dict else fit(images, labels)
    with pytest.raises(ValueError, match=MESSAGE):
        stand_ins.model(networks=stand_ins.plain).train_on_batch(images, labels)


def test_data_of_evaluate_and_of_validation_is_checked():
    model = stand_ins.model(networks=stand_ins.plain, **QUICK)
    for refuse in (
        lambda: model.evaluate(*bad(), verbose=0),
        lambda: model.test_on_batch(*bad()),
        lambda: model.fit(*stand_ins.data(6), validation_data=bad(), verbose=0),
    ):
        with pytest.raises(ValueError, match=MESSAGE):
            refuse()
    history = model.fit(*stand_ins.data(6), validation_data=stand_ins.data(4), verbose=0).history
    assert np.isfinite(history["val_discriminator_loss"]).all()


class Batches(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data, self.ended = data, 0

    @property
    def num_batches(self):
        return 3

    def __getitem__(self, index):
        return tuple(x[4 * index : 4 * index + 4] for x in self.data)

    def on_epoch_end(self):
        self.ended += 1


def test_a_py_dataset_is_checked_batch_by_batch():
    good = Batches(stand_ins.data(12))
    model = stand_ins.model(networks=stand_ins.plain, **QUICK)
    model.fit(good, epochs=2, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 6 and good.ended >= 2
    twin = checked(model.objective, Batches(bad()), None)
    np.testing.assert_array_equal(twin[0][0], bad()[0][:4])
    with pytest.raises(ValueError, match=MESSAGE):
        twin[2]


IMAGES = np.tanh(stand_ins.data(12)[0] - 1)
LABELS = stand_ins.data(12)[1]
# {fault: (how images change, message)}
FAULTS = {
    "bytes": (lambda x: (127 * x + 128).astype("uint8"), r"rescale bytes by `image / 127.5 - 1`.*image.dtype=uint8"),
    "integers": (lambda x: (9 * x).astype("int64"), "`image` must be of floats.*image.dtype=int64"),
    "bytes as floats": (lambda x: 127.5 * (x + 1), r"`image` must have values between -1 and 1.*rescale bytes"),
    "standardized": (lambda x: 3 * x, "`image` must have values between -1 and 1.*values from -2.9"),
    "nan": (lambda x: np.where(np.arange(len(x))[:, None] == 7, np.nan, x), "`image` must not have NaN"),
    "another size": (lambda x: x[:, :-1], r"`image` must have the shape of the generated images.*, 4\), generated"),
}


def in_range(**kwargs):
    """A model whose objective has the default range of values."""
    return stand_ins.model(networks=stand_ins.plain, objective={"value_range": (-1, 1)}, **{**QUICK, **kwargs})


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("given", ["arrays", "validation", "generator", "dataset"])
def test_images_that_no_generator_makes_are_refused(fault, given):
    change, message = FAULTS[fault]
    bad = change(IMAGES)
    model, options = in_range(), {"verbose": 0, "shuffle": False}
    refused = pytest.raises(Exception if given in ("generator", "dataset") else ValueError, match=message)
    if given == "arrays":
        with refused:
            model.fit(bad, LABELS, **options)
    elif given == "validation":
        with refused:
            model.fit(IMAGES, LABELS, validation_data=(bad, LABELS), **options)
    elif given == "generator":
        with refused:
            model.fit(((bad, LABELS) for _ in range(2)), steps_per_epoch=2, **options)
    elif BACKEND == "tensorflow":
        import tensorflow as tf

        with refused:
            model.fit(tf.data.Dataset.from_tensors((bad, LABELS)), **options)
    if fault != "another size":  # found in the step, after which Keras has no variables on JAX
        assert int(model.optimizer.iterations) == 0


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a tf.data.Dataset")
@pytest.mark.parametrize(
    "element, message",
    [
        ((IMAGES,), r"must have \('image', 'label'\), as `num_classes` is 4. Received: \('image',\)"),
        (({"image": IMAGES}, LABELS.astype("float32")), "`label` must be integers"),
        ((IMAGES, np.eye(4, dtype="int32")[LABELS]), r"`label` must be integers \[B\].*label.shape=\(None, 4\)"),
        ((127 + IMAGES.astype("uint8"), LABELS), "rescale bytes"),
    ],
    ids=["no labels", "labels of floats", "one hot", "bytes"],
)
def test_shapes_and_dtypes_of_a_dataset_are_checked_before_it_is_read(element, message):
    import tensorflow as tf

    def never():
        raise AssertionError("The dataset was read")

    structure = element if len(element) > 1 else element[0]
    specs = keras.tree.map_structure(lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), structure)
    with pytest.raises(ValueError, match=message):
        in_range().fit(tf.data.Dataset.from_generator(never, output_signature=specs), verbose=0)


@pytest.mark.skipif(BACKEND != "torch", reason="a PyTorch DataLoader")
@pytest.mark.parametrize("fault", ["bytes", "integers", "another size"])
def test_shapes_and_dtypes_of_a_data_loader_are_checked_at_its_first_batch(fault):
    import torch

    change, message = FAULTS[fault]
    tensors = (torch.from_numpy(np.ascontiguousarray(x)) for x in (change(IMAGES), LABELS))
    with pytest.raises(ValueError, match=message):
        in_range().fit(
            torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), 6), shuffle=False, verbose=0
        )


def test_images_without_a_negative_value_give_a_warning():
    with pytest.warns(UserWarning, match="`image` has no value below 0.*Rescale images from 0 to 1.*values from 0"):
        in_range().train_on_batch((IMAGES + 1) / 2, LABELS)
    # A range that starts at 0, a range of any values, and an image of one color.
    for objective in (NoiseToImage(3, value_range=(0, 1)), NoiseToImage(3, value_range=None)):
        objective.check({"image": (IMAGES + 1) / 2})
    NoiseToImage(3).check({"image": IMAGES * 0})


def test_a_python_generator_is_checked_batch_by_batch():
    images, labels = bad()
    seen = []

    def batches():
        for i in range(0, 12, 4):
            seen.append(i)
            yield images[i : i + 4], labels[i : i + 4]

    with pytest.raises(ValueError, match=MESSAGE):
        for _ in checked(NoiseToImage(3, K, value_range=None), batches(), None):
            pass
    assert seen == [0, 4, 8]
    # TensorFlow's data pipeline, which calls the generator, wraps the error in one of its own.
    with pytest.raises(Exception, match=MESSAGE) as error:
        fit(batches(), epochs=1, steps_per_epoch=3)
    assert type(error.value).__name__ == ("InvalidArgumentError" if BACKEND == "tensorflow" else "ValueError")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a tf.data.Dataset")
@pytest.mark.parametrize("named, how", [(False, {"jit_compile": False}), (True, QUICK)])
def test_a_tensorflow_dataset_is_checked_batch_by_batch(named, how):
    import tensorflow as tf

    images, labels = bad()
    dataset = tf.data.Dataset.from_tensor_slices({"image": images, "label": labels} if named else (images, labels))
    model = stand_ins.model(networks=stand_ins.plain, **how)
    with pytest.raises(tf.errors.OpError, match=MESSAGE):
        model.fit(dataset.batch(6), shuffle=False, verbose=0)
    good = dataset.take(6).batch(6)
    before = int(model.optimizer.iterations)
    model.fit(good, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == before + 1
    [one], [other] = good, checked(model.objective, good, None)
    for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_predict_refuses_labels_out_of_range():
    model = stand_ins.model(networks=stand_ins.plain, average_decay=0.9)
    inputs = {"noise": np.zeros((2, 3), "float32"), "label": np.array([0, K])}
    with pytest.raises(ValueError, match=MESSAGE):
        model.predict(inputs, verbose=0)
    inputs["label"][1] = K - 1
    assert model.predict(inputs, verbose=0).shape == (2, 5)
