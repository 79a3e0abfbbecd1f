import keras
import numpy as np
import pytest

from keras_attention.training import NoiseToImage
from keras_attention.training.adversarial_data import checked
from tests.backend import BACKEND
from tests.training import stand_ins
from tests.training.stand_ins import K

MESSAGE = f"`label` must be from 0 to {K - 1}"


def bad():
    images, labels = stand_ins.data(12)
    labels[-1] = K
    return images, labels


def fit(*data, **kwargs):
    stand_ins.model(jit_compile=BACKEND == "jax").fit(*data, shuffle=False, verbose=0, **kwargs)


@pytest.mark.parametrize("as_dict", [False, True])
def test_arrays_are_refused_before_training(as_dict):
    images, labels = bad()
    with pytest.raises(ValueError, match=MESSAGE):
        fit({"image": images, "label": labels}) if as_dict else fit(images, labels)
    with pytest.raises(ValueError, match=MESSAGE):
        stand_ins.model().train_on_batch(images, labels)


def test_a_generator_is_looked_at_as_it_comes():
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
    # TensorFlow's pipeline, which the generator is part of there, has its own kind of error around it.
    with pytest.raises(Exception, match=MESSAGE) as error:
        fit(batches(), epochs=1, steps_per_epoch=3)
    assert type(error.value).__name__ == ("InvalidArgumentError" if BACKEND == "tensorflow" else "ValueError")


@pytest.mark.skipif(BACKEND != "tensorflow", reason="a tf.data.Dataset")
@pytest.mark.parametrize("named, jit_compile", [(False, True), (True, False)])
def test_a_dataset_is_looked_at_as_it_comes(named, jit_compile):
    import tensorflow as tf

    images, labels = bad()
    dataset = tf.data.Dataset.from_tensor_slices({"image": images, "label": labels} if named else (images, labels))
    model = stand_ins.model(jit_compile=jit_compile)
    with pytest.raises(tf.errors.OpError, match=MESSAGE):
        model.fit(dataset.batch(6), shuffle=False, verbose=0)
    good = dataset.take(6).batch(6)
    before = int(model.optimizer.iterations)
    model.fit(good, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == before + 1
    [one], [other] = good, checked(model.objective, good, None)
    for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
        np.testing.assert_array_equal(a, b)
