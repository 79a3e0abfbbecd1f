"""ProjectionHead against a loop, and its parameters."""

import numpy as np
import pytest

from keras_attention.layers import ProjectionHead
from tests.layers.helpers import noisy, numpy, random
from tests.reference.spectral import spectral_norm

FEATURES, LABEL = random(3, 6), np.array([2, 0, 4], "int32")


def make(normalised):
    return noisy(ProjectionHead(5, normalised), FEATURES, LABEL)


def tables(layer):
    """The kernel [C], the bias and the embeddings [K, C], kernel and embeddings divided by their sigmas."""
    if not layer.spectral_normalization:
        return numpy(layer.linear.kernel)[:, 0], numpy(layer.linear.bias)[0], numpy(layer.embedding.embeddings)
    kernel, table = numpy(layer.linear.layer.kernel), numpy(layer.embedding.layer.embeddings)
    sigmas = [spectral_norm(m, numpy(u))[0] for m, u in ((kernel, layer.linear.u), (table.T, layer.embedding.u))]
    return kernel[:, 0] / sigmas[0], numpy(layer.linear.layer.bias)[0], table / sigmas[1]


@pytest.mark.parametrize("normalised", [False, True])
def test_is_equation_3(normalised):
    layer = make(normalised)
    kernel, bias, table = tables(layer)
    output = numpy(layer(FEATURES, LABEL))
    assert output.shape == (3, 1)
    for b in range(3):
        expected = sum(FEATURES[b, c] * (kernel[c] + table[LABEL[b], c]) for c in range(6)) + bias
        np.testing.assert_allclose(output[b, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normalised", [False, True])
def test_two_labels_differ_by_the_product_with_the_difference_of_their_embeddings(normalised):
    layer = make(normalised)
    _, _, table = tables(layer)
    one, other = np.array([1, 1, 1]), np.array([3, 3, 3])
    difference = numpy(layer(FEATURES, one))[:, 0] - numpy(layer(FEATURES, other))[:, 0]
    np.testing.assert_allclose(difference, FEATURES @ (table[1] - table[3]), rtol=1e-3, atol=1e-5)


def test_zero_embeddings_make_it_linear():
    layer = make(False)
    layer.embedding.embeddings.assign(np.zeros((5, 6)))
    kernel, bias, _ = tables(layer)
    np.testing.assert_allclose(numpy(layer(FEATURES, LABEL))[:, 0], FEATURES @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_parameter_counts():
    layer = ProjectionHead(1000)
    layer.build((None, 1024), (None,))
    assert sum(int(np.prod(w.shape)) for w in layer.trainable_variables) == 1_025 + 1_024_000
    assert layer.count_params() == 1_025 + 1_024_000 + 1 + 1000


@pytest.mark.parametrize("shape", [(2, 3, 6), (2, None)])
def test_inputs_that_are_not_features_are_refused(shape):
    with pytest.raises(ValueError, match="`inputs` must be .*Received: inputs.shape="):
        ProjectionHead(5).build(shape, (2,))


def test_zero_classes_are_refused():
    with pytest.raises(ValueError, match="`num_classes` must be a positive int. Received: num_classes=0"):
        ProjectionHead(0)
