"""Results of `all.py`: a file of JSON lines that only grows, and what decides whether an earlier result still counts.

A line is one measured row: its key, when it was measured, how long that took, and the results of its candidates. The
key holds all that a result depends on; after a change to any of it, the row is measured again and older lines are left
where they are, unused. A line is written at once: a process that is killed leaves at most a part of the last one,
which is skipped.
"""

import ast
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import re

FOLDER = pathlib.Path(__file__).parent
PACKAGE, EXAMPLES = FOLDER.parent / "keras_attention", FOLDER.parent / "examples"
NAMES = {"tensorflow": "TensorFlow", "keras": "Keras", "keras_hub": "KerasHub", "torch": "PyTorch", "jax": "JAX"}
VECTORS = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2"}  # the first that the processor has
# What a benchmark does with its results; the rows are part of the key themselves.
LAYOUT = {"ROWS", "COLUMNS", "REPEAT", "NEEDS", "show", "compact", "draw"}
DRAWING = {"tables", "pictures"}


class Results:
    """The measured rows in a file. One process may hold it at a time.

    Raises:
        BlockingIOError: If another process holds it.
    """

    def __init__(self, path):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "a+b")  # noqa: SIM115 (until `close`)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise BlockingIOError(f"another run writes to {path}") from None
        self.file.seek(0)
        self.found, self.places = {}, set()
        text = self.file.read()
        self.whole = not text or text.endswith(b"\n")
        for line in text.splitlines():
            self._read(line)

    def _read(self, line):
        try:
            record = json.loads(line)
        except ValueError:  # cut off when its process was killed
            return
        self.found[json.dumps(record["key"], sort_keys=True)] = record
        self.places.add(_place(record["key"]))

    def of(self, key):
        """The last record of this key, or `None`."""
        return self.found.get(json.dumps(key, sort_keys=True))

    def is_stale(self, key):
        """Whether the row was measured, but never with this key."""
        return self.of(key) is None and _place(key) in self.places

    def add(self, record):
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        self.file.write(line if self.whole else b"\n" + line)
        self.file.flush()
        os.fsync(self.file.fileno())
        self.whole = True
        self._read(line)

    def close(self):
        self.file.close()


def _place(key):
    return key["benchmark"], *key["labels"]


def is_complete(record):
    """Whether a row need not be measured again: none of its candidates failed."""
    return record is not None and not any("error" in result for result in record["results"].values())


def keys_of(benchmark, repeat, cores):
    """All that the result of a row depends on, of each row."""
    common = {
        "benchmark": benchmark.__name__,
        "repeat": repeat,
        "machine": machine(len(cores)),
        "versions": versions(benchmark),
        "code": code_of(benchmark.__file__),
    }
    rows = ({"labels": labels, "options": options, "candidates": [*names]} for labels, options, names in benchmark.ROWS)
    return json.loads(json.dumps([common | row for row in rows]))  # as they are read again: no tuples


def machine(cores):
    """The processor and how many of its cores are used, the memory, and the GPUs."""
    words = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", words, re.M)
    kib = re.search(r"^MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    gpus = [path.read_text() for path in sorted(pathlib.Path("/proc/driver/nvidia/gpus").glob("*/information"))]
    return {
        "cpu": model[1] if model else platform.machine(),
        "vectors": next((name for flag, name in VECTORS.items() if re.search(rf"\b{flag}\b", words)), ""),
        "cores": cores,
        "memory_gb": round(int(kib[1]) / 2**20),
        "gpus": [re.search(r"Model:\s*(.*)", text)[1] for text in gpus],
    }


@functools.cache
def _distributions():
    return importlib.metadata.packages_distributions()


def versions(benchmark):
    """Versions of Python and of the packages that the benchmark uses; `None` for those that are not installed."""
    used = dict.fromkeys(("tensorflow", "keras", *getattr(benchmark, "NEEDS", {}).values()))
    found = {name: _distributions().get(name, [None])[0] for name in used}
    installed = {name: importlib.metadata.version(package) for name, package in found.items() if package}
    return {"python": platform.python_version(), **used, **installed}


def code_of(path):
    """A hash of the code that a benchmark in this file runs: its own, and all of the package.

    Comments, docstrings and the layout of tables and pictures do not count.
    """
    total = hashlib.sha256()
    for source in (*sorted(PACKAGE.rglob("*.py")), *_own_files(pathlib.Path(path).resolve())):
        total.update(f"{source.name}: {_meaning(source)}\n".encode())
    return total.hexdigest()[:16]


def _own_files(path):
    """A benchmark's file and those beside it, or among the examples, that it imports."""
    found, waiting = [], [path]
    while waiting:
        found.append(waiting.pop())
        for node in ast.walk(ast.parse(found[-1].read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            beside = [folder / f"{name}.py" for name in names for folder in (path.parent, FOLDER, EXAMPLES)]
            waiting += [file for file in beside if file.is_file() and file.stem not in DRAWING and file not in found]
    return sorted(set(found))


def _meaning(path):
    """The syntax tree of a file without docstrings and layout."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    if PACKAGE not in path.parents:
        tree.body = [node for node in tree.body if not _is_layout(node)]
    return ast.dump(tree)


def _is_layout(node):
    names = [node.name] if isinstance(node, ast.FunctionDef) else []
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
    return bool(names) and set(names) <= LAYOUT


def describe(records):
    """One sentence: on which machine, with which versions and when these records were measured."""
    key = records[0]["key"]
    found = key["machine"]
    vectors = f" with {found['vectors']}" if found["vectors"] else ""
    cores = f"{found['cores']} core{'s' * (found['cores'] > 1)} used"
    parts = [found["cpu"] + vectors, cores, f"{found['memory_gb']} GB", *found["gpus"]]
    packages = [f"Python {key['versions']['python']}"]
    packages += [f"{NAMES[name]} {version}" for name, version in key["versions"].items() if name in NAMES and version]
    days = sorted({record["date"] for record in records})
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    runs = f"{key['repeat']} run{'s' * (key['repeat'] > 1)} of each candidate"
    return f"{', '.join(parts)}; {', '.join(packages)}; {when}; {runs}."
