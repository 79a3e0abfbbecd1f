"""LabelConcatenation appends the embedding of the label to every position."""

import numpy as np
import pytest

from keras_attention.layers import LabelConcatenation
from tests.layers.helpers import noisy, numpy, random
from tests.reference.spectral import spectral_norm

LABEL = np.array([2, 0], "int32")


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("shape", [(2, 6), (2, 5, 6), (2, 5, 7, 6)])
def test_appends_the_embedding_of_the_label(shape, normalised):
    x = random(*shape)
    layer = noisy(LabelConcatenation(3, 4, normalised), x, LABEL)
    table = numpy(layer.embedding.layer.embeddings if normalised else layer.embedding.embeddings)
    if normalised:
        table = table / spectral_norm(table.T, numpy(layer.embedding.u))[0]
    output = numpy(layer(x, LABEL))
    np.testing.assert_array_equal(output[..., :6], x)
    for at in np.ndindex(*shape[:-1]):
        np.testing.assert_allclose(output[at][6:], table[LABEL[at[0]]], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["num_classes", "embedding_dim"])
def test_bad_arguments_by_name(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive int. Received: {name}=0"):
        LabelConcatenation(**{"num_classes": 3, name: 0})
