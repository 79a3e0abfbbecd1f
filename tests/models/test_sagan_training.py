"""A step of training of SAGAN moves the spectral vectors once."""

import keras
import numpy as np

from keras_attention import models
from keras_attention.layers import SpectralNormalization
from keras_attention.training import AdversarialModel, NoiseToImage
from tests.backend import QUICK
from tests.layers.helpers import numpy, random
from tests.reference.spectral import spectral_norm

SMALL = {"image_size": 16, "num_classes": 3, "channels": 2, "attention_at": 8, "generator": {"noise_dim": 5}}
IMAGES, LABELS = np.tanh(random(4, 16, 16, 3)), np.array([2, 0, 1, 2], "int32")


def normalised(network):
    """(kernel as a matrix, u) of each spectral normalisation in a network."""
    for layer in network._flatten_layers():
        if isinstance(layer, SpectralNormalization):
            table = isinstance(layer.layer, keras.layers.Embedding)
            kernel = numpy(layer.layer.embeddings).T if table else numpy(layer.layer.kernel)
            yield kernel.reshape(-1, kernel.shape[-1]).copy(), numpy(layer.u).copy()


def test_sg5_a_step_moves_every_u_once():
    """Though the discriminator judges real and generated images, and those once more for the generator."""
    model = AdversarialModel(*models.sagan(**SMALL), NoiseToImage(noise_dim=5, num_classes=3), seed=1)
    model.compile(*(keras.optimizers.Adam(1e-3, beta_1=0.0, beta_2=0.9) for _ in range(2)), **QUICK)
    before = [*normalised(model.generator), *normalised(model.discriminator)]
    assert len(before) == 1 + 2 * 3 + 4 + 1 + (3 + 3 + 2 + 4 + 2)
    model.train_on_batch(IMAGES, LABELS)
    after = [*normalised(model.generator), *normalised(model.discriminator)]
    for (kernel, u), (_, moved) in zip(before, after, strict=True):
        np.testing.assert_allclose(moved, spectral_norm(kernel, u)[1], atol=1e-4)
