"""Fashion-MNIST, 70,000 images of clothes in ten classes, of `keras.datasets`, or from a package of Debian.

The dataset is by Zalando (MIT). Where the server of `keras.datasets` does not answer, the files of the package
`dataset-fashion-mnist` are read if it is installed. Else apt downloads it into a cache folder, without installing it;
nothing of it is part of this repository.
"""

import gzip
import hashlib
import os
import pathlib
import tempfile

from fetching import UnavailableError, cache_folder, idx_array, keras_first, run

PACKAGE = "dataset-fashion-mnist"
INSTALLED = pathlib.Path("/usr/share/datasets/fashion-mnist")
KINDS = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
# Of the uncompressed files, which may have been compressed again.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def load(folder=None):
    """All images: (train images, train labels), (test images, test labels).

    Images are uint8 [60000, 28, 28] and [10000, 28, 28], labels uint8 [60000] and [10000], indices of `KINDS`.

    Raises:
        UnavailableError: If they cannot be downloaded, or those of the package have other checksums.
    """
    import keras

    return keras_first(keras.datasets.fashion_mnist.load_data, lambda: of_package(folder))


def of_package(folder=None, download=None):
    """The same from Debian's package."""
    folder = fetch(folder, download)
    images, labels, test_images, test_labels = (read(folder / f"{name}.gz") for name in SHA256)
    return (images, labels), (test_images, test_labels)


def fetch(folder=None, download=None):
    """The folder of the four files; downloaded with apt if they are neither installed nor cached."""
    if whole(INSTALLED):
        return INSTALLED
    folder = cache_folder(folder) / "fashion-mnist"
    if whole(folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {PACKAGE} (31 MB) into {folder}", flush=True)
    # In a temporary folder, and renamed once the checksums are verified: cached files are always complete.
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as beside:
        problem = (download or apt_download)(pathlib.Path(beside))
        found = {path.name: path for path in pathlib.Path(beside).rglob("*-ubyte.gz")}
        if not set(found) >= {f"{name}.gz" for name in SHA256}:
            raise UnavailableError(advice(folder, problem or "the package has other files"))
        for name, digest in SHA256.items():
            if checksum(found[f"{name}.gz"]) != digest:
                raise UnavailableError(advice(folder, f"{name}.gz is not the file that was expected"))
        for name in SHA256:
            os.replace(found[f"{name}.gz"], folder / f"{name}.gz")
    return folder


def apt_download(folder):
    """Downloads and unpacks the package with apt. Returns the end of its error message if it fails, else ""."""
    problem = run(["apt-get", "download", "--quiet", PACKAGE], folder)
    return problem or run(["dpkg-deb", "--extract", next(folder.glob("*.deb")).name, "."], folder)


def advice(folder, problem):
    names = "\n".join(f"    {name}.gz" for name in SHA256)
    return (
        f"Fashion-MNIST could not be fetched: {problem}\n"
        f"It is the package {PACKAGE} of Debian (31 MB). Try again after `apt-get update`, install the package,\n"
        f"or put the files that Zalando publishes\n{names}\ninto {folder}"
    )


def whole(folder):
    """Whether a folder has the four files with the right checksums."""
    paths = {name: folder / f"{name}.gz" for name in SHA256}
    return all(path.is_file() for path in paths.values()) and all(
        checksum(path) == SHA256[name] for name, path in paths.items()
    )


def checksum(path):
    """SHA-256 of the content of a gzip file; "" if it is none."""
    try:
        with gzip.open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError):
        return ""


def read(path):
    with gzip.open(path) as file:
        return idx_array(file.read())
