"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib
import tempfile

WEIGHTS = ".weights.h5"


def suffix(path):
    """`.keras` or `.weights.h5`; refuses any other checkpoint by name."""
    name = pathlib.Path(path).name
    for known in (".keras", WEIGHTS):
        if name.endswith(known):
            return known
    raise ValueError(f"A checkpoint must be a `.keras` or a `{WEIGHTS}` file. Received: {path}")


@contextlib.contextmanager
def written_whole(path):
    """Yields a path beside `path` to write to; it becomes `path` when the block ends well, and else is removed."""
    path = pathlib.Path(path)
    # In the same folder: a rename across file systems would be a copy, and could be seen half done.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        beside = pathlib.Path(folder) / f"written{suffix(path)}"
        yield beside
        os.replace(beside, path)
