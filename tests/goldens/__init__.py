"""Stored outputs of other libraries, and files of an earlier version; see `README.md`."""

import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).parent
ARCHIVES = sorted(FOLDER.glob("saved_files*.tar.xz"))  # of `saved_files.py`


def cases(name):
    """The cases of a file, `{case: {name: array}}`, with a nested dictionary of weights."""
    found = {}
    with np.load(FOLDER / f"{name}.npz") as file:
        for key in file.files:
            case, _, rest = key.partition("/")
            found.setdefault(case, {"weights": {}})
            kind, _, weight = rest.partition("/")
            if kind == "weights":
                found[case]["weights"][weight] = file[key]
            else:
                found[case][rest] = file[key]
    return found


def store(name, cases):
    """Writes a file that `cases` reads: `{case: {name: array}}`; the keys of weights are `weights/<name>`."""
    arrays = {f"{case}/{key}": np.asarray(value) for case, found in cases.items() for key, value in found.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
    print(f"{name}: {len(cases)} cases, {(FOLDER / f'{name}.npz').stat().st_size / 1024:.0f} KiB")
