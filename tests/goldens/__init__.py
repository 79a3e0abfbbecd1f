"""What other libraries answered, and files that an earlier version wrote (`README.md` says how)."""

import pathlib

import numpy as np

ARCHIVE = pathlib.Path(__file__).parent / "saved_files.tar.xz"  # of `saved_files.py`


def cases(name):
    """The cases of a file: `{case: {array's name: array}}`, with the weights in a dictionary of their own."""
    found = {}
    with np.load(pathlib.Path(__file__).parent / f"{name}.npz") as file:
        for key in file.files:
            case, _, rest = key.partition("/")
            found.setdefault(case, {"weights": {}})
            kind, _, weight = rest.partition("/")
            if kind == "weights":
                found[case]["weights"][weight] = file[key]
            else:
                found[case][rest] = file[key]
    return found
