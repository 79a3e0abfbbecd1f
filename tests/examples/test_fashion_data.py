import gzip
import hashlib
import struct

import fashion_data
import numpy as np
import pytest
from fetching import UnavailableError


def idx(array):
    """Bytes of the IDX format."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.astype("u1").tobytes()


@pytest.fixture
def package(monkeypatch, tmp_path):
    """Replaces the package by a small one; returns its download function and its arrays."""
    rng = np.random.default_rng(0)
    arrays = dict(
        zip(
            fashion_data.SHA256,
            (
                rng.integers(0, 256, (5, 4, 3)),
                rng.integers(0, 10, 5),
                rng.integers(0, 256, (2, 4, 3)),
                rng.integers(0, 10, 2),
            ),
        )
    )
    sums = {name: hashlib.sha256(idx(array)).hexdigest() for name, array in arrays.items()}
    monkeypatch.setattr(fashion_data, "SHA256", sums)
    monkeypatch.setattr(fashion_data, "INSTALLED", tmp_path / "not installed")

    def download(folder):
        place = folder / "usr" / "share"
        place.mkdir(parents=True)
        for name, array in arrays.items():
            (place / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        return ""

    return download, arrays


def test_the_data_is_downloaded_once(package, tmp_path):
    download, arrays = package
    for fetch in (download, lambda folder: pytest.fail("fetched again")):
        train, test = fashion_data.of_package(tmp_path / "cache", fetch)
        for found, array in zip((*train, *test), arrays.values()):
            np.testing.assert_array_equal(found, array)
    kept = sorted(path.name for path in (tmp_path / "cache" / "fashion-mnist").iterdir())
    assert kept == sorted(f"{name}.gz" for name in arrays)


def test_an_installed_package_is_used(package, tmp_path, monkeypatch):
    download, _ = package
    download(tmp_path)
    monkeypatch.setattr(fashion_data, "INSTALLED", tmp_path / "usr" / "share")
    assert fashion_data.fetch(tmp_path / "cache", lambda folder: pytest.fail("fetched")) == tmp_path / "usr" / "share"


def test_a_damaged_file_is_downloaded_again(package, tmp_path):
    download, arrays = package
    folder = fashion_data.fetch(tmp_path, download)
    name = next(iter(arrays))
    (folder / f"{name}.gz").write_bytes(gzip.compress(b"other"))
    assert fashion_data.whole(fashion_data.fetch(tmp_path, download))


@pytest.mark.parametrize("problem", ["no index", ""])
def test_unavailable_data_is_a_clear_error(package, tmp_path, problem):
    with pytest.raises(UnavailableError, match=problem or "other files") as error:
        fashion_data.of_package(tmp_path, lambda folder: problem)
    assert "dataset-fashion-mnist" in str(error.value)
    assert str(tmp_path / "fashion-mnist") in str(error.value)


def test_files_with_other_checksums_are_refused(package, tmp_path, monkeypatch):
    download, _ = package
    monkeypatch.setitem(fashion_data.SHA256, "t10k-labels-idx1-ubyte", "0" * 64)
    with pytest.raises(UnavailableError, match="t10k-labels-idx1-ubyte.gz is not the file"):
        fashion_data.of_package(tmp_path, download)
    assert not list((tmp_path / "fashion-mnist").iterdir())


def test_without_apt(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fashion_data.apt_download(tmp_path) == "there is no apt-get here"
