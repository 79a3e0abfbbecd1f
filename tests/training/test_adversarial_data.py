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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: (255 * x).astype("uint8"), "`image` must be of floats.*uint8"),
        (lambda x: np.where(np.arange(len(x))[:, None] == 7, np.nan, x), "`image` must not have NaN"),
    ],
    ids=["bytes", "nan"],
)
def test_images_of_integers_or_with_nan_are_refused(change, message):
    images, labels = stand_ins.data(12)
    with pytest.raises(ValueError, match=message):
        fit(change(images), labels)


def test_a_python_generator_is_checked_batch_by_batch():
    images, labels = bad()
    seen = []

    def batches():
        for i in range(0, 12, 4):
            seen.append(i)
            yield images[i : i + 4], labels[i : i + 4]

    with pytest.raises(ValueError, match=MESSAGE):
        for _ in checked(NoiseToImage(3, K), batches(), None):
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
