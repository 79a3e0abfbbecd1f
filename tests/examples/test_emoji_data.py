import io
import json
import tarfile

import emoji_data
import numpy as np
import pytest
from fetching import Package


def png(pixels):
    """The bytes of a PNG file of uint8 [Y, X, 4]."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def package(path, drawings, records):
    """Writes a package as npm's; `drawings` are uint8 [N, 8, 8, 4], named by their numbers."""
    files = {f"{emoji_data.FOLDER}{i}.png": png(drawing) for i, drawing in enumerate(drawings)}
    files["package/emoji.json"] = json.dumps(records).encode()
    files["package/img/google/sheets/1.png"] = b"another drawing"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def drawings(tmp_path, monkeypatch):
    """200 drawings in a package, those of a higher number first in order."""
    rng = np.random.default_rng(0)
    squares = rng.integers(0, 216, (200, 2, 2, 4)).repeat(4, axis=1).repeat(4, axis=2)  # seen when reduced, too
    drawings = (squares + rng.integers(0, 40, (200, 8, 8, 4))).astype("uint8")
    drawings[..., 3] = np.maximum(drawings[..., 3], 128)
    groups = [*emoji_data.GROUPS]
    records = [{"image": f"{i}.png", "category": groups[i % 9], "sort_order": 500 - i} for i in range(len(drawings))]
    records += [{"image": "7.png", "category": "Component", "sort_order": 1}]
    records += [{"image": "none.png", "category": groups[0], "sort_order": 2}]  # another font has it
    package(tmp_path / "emoji.tgz", drawings, records)
    monkeypatch.setattr(Package, "fetch", lambda self, folder: tmp_path / "emoji.tgz")
    return drawings


def small_on_white(drawings):
    alpha = drawings[..., 3:] / 255
    white = alpha * drawings[..., :3] + (1 - alpha) * 255
    return white.reshape(-1, 2, 4, 2, 4, 3).mean(axis=(2, 4))


def test_every_ninth_run_of_neighbors_is_held_out(drawings):
    (train, labels), (test, test_labels) = emoji_data.load()
    order = np.arange(len(drawings))[::-1]  # of Unicode
    held_out = {*order[80:90], *order[170:180]}
    half, small = len(train) // 2, small_on_white(drawings)
    for found, numbers, classes in (
        (test, held_out, test_labels),
        (train[:half], {*order} - held_out, labels[:half]),
    ):
        places = []
        for image, label in zip(found, classes):
            apart = [np.abs(image - other).max() for other in small]
            places.append(int(np.argmin(apart)))
            assert apart[places[-1]] <= 1.0 and label == places[-1] % 9
        assert sorted(places) == sorted(numbers) != places
        assert found.dtype == "uint8" and classes.dtype == "int32"


def test_images_that_are_nearly_equal_to_a_training_image_are_not_held_out(drawings, tmp_path):
    nearest = drawings.copy()
    nearest[1, ..., :3] //= 2
    nearest[1, ..., 3] = 255
    # Held out by their places; 0 and 1 are training images.
    nearest[119], nearest[118], nearest[117] = nearest[0, :, ::-1], nearest[1], nearest[1]
    nearest[118, ..., :3] += 7
    nearest[117, ..., :3] += 9
    records = [{"image": f"{i}.png", "category": "Flags", "sort_order": 500 - i} for i in range(len(drawings))]
    package(tmp_path / "emoji.tgz", nearest, records)
    _, (test, _) = emoji_data.load()
    assert len(test) == 18
    left = small_on_white(nearest[117:120])
    found = [(np.abs(test - image).max(axis=(1, 2, 3)) <= 1).any() for image in left]
    assert found == [True, False, False]


def test_training_images_are_followed_by_their_mirror_images(drawings):
    (images, labels), _ = emoji_data.load()
    half = len(images) // 2
    np.testing.assert_array_equal(images[half:], images[:half, :, ::-1])
    np.testing.assert_array_equal(labels[half:], labels[:half])
