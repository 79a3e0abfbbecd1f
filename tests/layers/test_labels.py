"""Labels of a wrong shape or kind are refused by name."""

import keras
import numpy as np
import pytest

from keras_attention.layers import ConditionalBatchNormalization, LabelConcatenation, ProjectionHead
from keras_attention.layers.labels import check_label

LAYERS = [(ConditionalBatchNormalization, (2, 5, 7, 6)), (LabelConcatenation, (2, 5, 7, 6)), (ProjectionHead, (2, 6))]


def test_one_integer_an_example_is_taken():
    check_label(np.array([1, 2]), 2)
    check_label(np.array([1, 2], "uint8"), None)
    check_label(keras.Input((), dtype="int32"), 2)


@pytest.mark.parametrize("label", [np.zeros((2, 1), "int32"), np.zeros(3, "int32"), np.zeros(2, "float32")])
@pytest.mark.parametrize("layer, shape", LAYERS)
def test_others_are_refused_by_every_layer(layer, shape, label):
    with pytest.raises(ValueError, match="`label` must be integers .*2.*Received: label.shape="):
        layer(num_classes=4)(np.ones(shape, "float32"), label)
