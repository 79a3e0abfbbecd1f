"""Small color images of about 1,900 emoji in nine groups, from a package of npm.

The package `emoji-datasource-google` contains Google's Noto Emoji (Apache-2.0) at 64 x 64 pixels, and the groups of
Unicode. npm downloads it into a cache folder, without installing it; nothing of it is part of this repository.
"""

import io
import json
import tarfile

import numpy as np
from digits_data import reduced
from fetching import Package

PACKAGE = Package(
    requirement="emoji-datasource-google@16.0.0",
    index="npm",
    size="74 MB",
    file="emoji-datasource-google-16.0.0.tgz",
    sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
)
FOLDER = "package/img/google/64/"
GROUPS = {
    "Smileys & Emotion": "smileys",
    "People & Body": "people",
    "Animals & Nature": "animals",
    "Food & Drink": "food",
    "Travel & Places": "travel",
    "Activities": "activities",
    "Objects": "objects",
    "Symbols": "symbols",
    "Flags": "flags",
}
REDUCTION = 4  # 64 pixels become 16
RUN, HELD_OUT = 10, 9  # of runs of ten emoji in Unicode's order, every ninth is held out
ALIKE = 8  # gray levels: images with a smaller mean difference show the same thing


def load(folder=None):
    """Emoji on white, 16 x 16 pixels: (train images, train labels), (test images, test labels).

    Images are uint8 [N, 16, 16, 3], labels int32, indices of `GROUPS`. Of emoji with skin tones only the plain one is
    there. Neighbors in Unicode's order are often alike (the hours of clocks, a man and a woman with the same
    profession): runs of them are held out, without those that are nearly equal to a training image (the flag of an
    overseas territory, families). Both parts are shuffled; the training images are followed by their mirror images.

    Raises:
        UnavailableError: If the package cannot be downloaded, or has another checksum.
    """
    records, files = read(PACKAGE.fetch(folder))
    images = np.stack([drawn(files[record["image"]]) for record in records])
    groups = [*GROUPS]
    labels = np.array([groups.index(record["category"]) for record in records], "int32")
    order = np.random.default_rng(0).permutation(len(records))
    test = order // RUN % HELD_OUT == HELD_OUT - 1
    train, test = order[~test], order[test]
    mirrored = np.concatenate([images[train], images[train, :, ::-1]])
    test = test[[difference(image, mirrored) >= ALIKE for image in images[test]]]
    return (mirrored, np.tile(labels[train], 2)), (images[test], labels[test])


def difference(image, others):
    """The mean difference of an image from the nearest of others, in gray levels; uint8 images."""
    return np.abs(others.astype("int16") - image).mean(axis=(1, 2, 3)).min()


def read(path):
    """The records of the emoji in Unicode's order, and the bytes of the PNG files by name."""
    files = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.startswith(FOLDER):
                files[member.name.removeprefix(FOLDER)] = archive.extractfile(member).read()
            elif member.name == "package/emoji.json":
                records = json.load(archive.extractfile(member))
    records = [record for record in records if record["category"] in GROUPS and record["image"] in files]
    return sorted(records, key=lambda record: record["sort_order"]), files


def drawn(png):
    """The bytes of a PNG file -> uint8 [Y / 4, X / 4, 3]: on white, means of 4 x 4 pixels."""
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return reduced(np.asarray(white)[None, ..., :3], REDUCTION)[0]
