"""Compares layers and models with their exports, in four runtimes, and writes the table of docs/other_runtimes.md.

    python benchmarks/runtimes.py                               # all; half an hour on one core
    python benchmarks/runtimes.py --only FeedForward rnn_search
    python benchmarks/runtimes.py --list                        # how much is measured already

Each row is a layer or a model in the first of its cases in tests/export/subjects.py, with noise in all weights; each
cell is the largest difference from the Keras model, relative to its largest output, or the reason why there is none. In
float32, SavedModel, ONNX and OpenVINO (which reads the SavedModel) are exported with unknown sizes and compared at two;
LiteRT, and all in other dtypes, have the sizes of the case.

Exports run in a child process, one after the other; one that dies or takes longer than `--limit` seconds is recorded as
such. Results are stored as they come (`--results`, JSON lines): a run that was killed is resumed by the same command.
Needs the extras `export` and `benchmarks`.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import select
import subprocess
import sys
import textwrap
import time

import recording
import tables
from runtime_files import NOTHING

ROOT = recording.FOLDER.parent
DTYPES = {"float32": "float32", "mixed_float16": "float16", "mixed_bfloat16": "bfloat16", "int8": "int8"}
RUNTIMES = ("SavedModel", "ONNX", "LiteRT", "OpenVINO")
PACKAGES = ("tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime", "ai-edge-litert", "openvino")

WRONG = 0.02  # larger differences are no rounding
# What a message of a runtime says, in short.
REASONS = {
    r"'tf\.(\w+)' op is neither a custom op": r"LiteRT has no {} of these dtypes",
    r"'tf\.(\w+)' op requires element_shape to be static": r"{} needs known sizes",
    r"Encountered unknown element type (\w+)": r"OpenVINO reads no constants in {}",
    r"Conversion is failed for: ([\w, -]+)": r"OpenVINO has no {}",
    r"(ReverseV2)\[0\]:bf16[\s\S]*dynamic dimension": r"OpenVINO finds no sizes behind {} in bfloat16",
    r"outputs (\[\]), not": r"OpenVINO drops outputs that are constant",
    r"cannot be (spectrally normalized)": r"a quantized layer cannot be {}",
    r"`model` must not be (quantized): LiteRT": r"LiteRT has no products of Keras's int8",
    r"operations that ONNX has\. Received: ([\w, ]+), of": r"ONNX has no {}",
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="rows to measure; default: all")
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES), choices=DTYPES)
    parser.add_argument("--limit", type=float, default=600, help="seconds for one export and its comparison")
    parser.add_argument("--results", default=ROOT / "runs" / "runtimes.jsonl")
    parser.add_argument("--page", default=ROOT / "docs" / "other_runtimes.md")
    parser.add_argument("--list", action="store_true", help="only say how much is measured")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(arguments)
    if arguments.child:
        return child(arguments.dtypes[0], arguments.only)
    results, names = recording.Results(arguments.results), rows()
    keys = {
        (name, dtype, runtime): key_of(name, dtype, runtime)
        for name in names
        for dtype in DTYPES
        for runtime in RUNTIMES
    }
    for dtype in arguments.dtypes:
        chosen = arguments.only or names
        missing = [
            (name, runtime) for name in chosen for runtime in RUNTIMES if not results.of(keys[name, dtype, runtime])
        ]
        print(f"{dtype}: {len(missing)} of {len(chosen) * len(RUNTIMES)} to measure", flush=True)
        for name, runtime, found in [] if arguments.list else measured(missing, dtype, arguments.limit):
            print(f"  {name}, {runtime}: {found}", flush=True)
            today = datetime.date.today().isoformat()
            results.add({"key": keys[name, dtype, runtime], "date": today, "took": 0, "results": found})
    records = {place: results.of(key) for place, key in keys.items()}
    if not arguments.list and all(records.values()):
        write_page(pathlib.Path(arguments.page), records)
    return 0


def rows():
    """The names of the rows: the first case of each layer and of each model."""
    code = "from tests.export.subjects import FACTORIES, LAYERS\nprint(*[x.name for x in (*LAYERS, *FACTORIES)])"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    names, first = names.stdout.split(), {}
    for name in names:
        first.setdefault(name.partition("-")[0], name)
    return list(first.values())


def environment():
    """That of a child: the repository can be imported, and TensorFlow says little."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}


def key_of(name, dtype, runtime):
    """All that a result depends on."""
    return {
        "benchmark": "runtimes",
        "labels": [name, dtype, runtime],
        "machine": recording.machine(os.cpu_count()),
        "versions": versions(),
        "code": code(),
    }


def versions():
    """Version of each package, `None` if it is not installed."""
    import importlib.metadata as metadata

    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def code():
    """A hash of what is exported and how."""
    total = hashlib.sha256()
    folders = [recording.PACKAGE / name for name in ("ops", "layers", "models", "export")]
    cases = [*(ROOT / "tests" / "layers").glob("*case*.py"), ROOT / "tests" / "export" / "subjects.py"]
    for path in (*sorted(path for folder in folders for path in folder.rglob("*.py")), *sorted(cases)):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def measured(missing, dtype, limit, command=(sys.executable, __file__, "--child")):
    """Yields (name, runtime, result) of all that is missing, from children that are replaced when they fail."""
    missing = list(missing)
    while missing:
        names = list(dict.fromkeys(name for name, _ in missing))
        arguments = [*command, "--dtypes", dtype, "--only", *names]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
        try:
            for name, runtime, found in answers(process.stdout, limit):
                if (name, runtime) in missing:
                    missing.remove((name, runtime))
                    yield name, runtime, found
            failed = {"reason": "the process died"}
        except TimeoutError:
            failed = {"reason": f"longer than {limit:g} s"}
        finally:
            process.kill()
            process.wait()
        if missing:
            yield *missing.pop(0), failed


def answers(stream, limit):
    """Yields the lines of JSON of a child; raises a `TimeoutError` if one takes longer than `limit` seconds."""
    buffer, deadline = b"", time.monotonic() + limit
    while True:
        if not select.select([stream], [], [], max(0, deadline - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(stream.fileno(), 65536)
        if not part:
            return
        *lines, buffer = (buffer + part).split(b"\n")
        for line in lines:
            if line.startswith(b"["):
                yield json.loads(line)
                deadline = time.monotonic() + limit


def child(dtype, names):
    """Prints a line of JSON, [name, runtime, result], for each runtime of each row."""
    import keras

    # Before the cases are imported, some of which hold layers.
    keras.config.set_dtype_policy("float32" if dtype == "int8" else dtype)
    from runtime_files import compared

    from tests.export.subjects import FACTORIES, LAYERS

    subjects = {subject.name: subject for subject in (*LAYERS, *FACTORIES)}
    for name in names:
        for runtime, found in compared(subjects[name], dtype):
            if "error" in found:
                found = {"reason": reason(found["error"])}
            print(json.dumps([name, runtime, found]), flush=True)
    return 0


def reason(message):
    """An error message in short."""
    for pattern, short in REASONS.items():
        if match := re.search(pattern, message):
            return short.format(match[1].strip())
    return textwrap.shorten(re.sub(r"0x\w+|/tmp/\S+", "", message), 120)


def write_page(page, records):
    """Writes the table between its markers."""
    first = next(iter(records.values()))
    days = sorted({record["date"] for record in records.values()})
    machine, packages = first["key"]["machine"], first["key"]["versions"]
    where = ", ".join(f"{name} {version}" for name, version in packages.items())
    when = " to ".join(dict.fromkeys((days[0], days[-1])))
    text = textwrap.fill(f"{machine['cpu']}; {where}; {when}; `.venv/bin/python benchmarks/runtimes.py`.", 120)
    tables.write(page, tables.between(page.read_text(), "runtimes", f"{text}\n\n{table(records)}"))


def table(records):
    """Markdown: a row for each layer or model, a cell for each runtime with the results by dtype, and the reasons."""
    names, reasons = list(dict.fromkeys(name for name, _, _ in records)), {}
    lines = [tables.head(("", *RUNTIMES))]
    for name in names:
        cells = (
            ", ".join(cell(records[name, dtype, runtime]["results"], reasons) for dtype in DTYPES)
            for runtime in RUNTIMES
        )
        lines.append(tables.row_of((name, *cells)))
    notes = [f"- {mark}: {text}" for text, mark in reasons.items()]
    return "\n".join(lines) + ("\n\n" + "\n".join(notes) if notes else "")


def cell(found, reasons):
    """A difference, a dash for what is not there, or the mark of a reason."""
    if "difference" in found:
        text = f"{found['difference']:.0e}".replace("e-0", "e-").replace("e+00", "") if found["difference"] else "0"
        return f"**{text}**" if found["difference"] > WRONG else text
    if found["reason"] == NOTHING:
        return "–"
    return reasons.setdefault(found["reason"], f"({len(reasons) + 1})")


if __name__ == "__main__":
    sys.exit(main())
