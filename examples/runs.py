"""Shared by the examples: how they end, printed output, and the folder of the results."""

import importlib
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

from fetching import UnavailableError


class OtherRunError(Exception):
    """The folder is of a run with other settings, or of none; or the settings do not fit each other."""


def ended(run, options, room=None):
    """The exit status of `run(options)`; after an error of the user's machine or input, one line on stderr and 1.

    At the end of a run with results, its time and their folder are printed.

    Such errors are: an argument that is not UTF-8, an output that cannot be written, too little room on the disk (both
    before the run), data that are not available, settings that do not fit, a missing package, a file that cannot be
    read or written, and training that diverges. Ctrl-C gives one line, and 130. Other errors are bugs, and raised.

    Args:
        run: Function of `options`; it returns the exit status, or `None` for 0.
        options: Parsed arguments.
        room: Number of bytes that the run writes into `options.output`, at most; `None`: it writes nothing there.
    """
    try:
        require_utf8(options)
        if room is not None:
            require_room(options.output, room)
        began = time.perf_counter()
        status = run(options) or 0
        if room is not None and not status:
            heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
        return status
    except KeyboardInterrupt:
        # After the "^C" of the terminal, or a progress bar.
        print("\nInterrupted.", kept(options, room), file=sys.stderr)
        return 130
    except (UnavailableError, OtherRunError, FloatingPointError) as error:
        print(error, file=sys.stderr)
    except ImportError as error:
        print(f"{error}. Install what the examples need: {install(error.name)}", file=sys.stderr)
    except UnicodeError as error:
        print(f"The input is not UTF-8: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(map(str, error.cmd))} ended with status {error.returncode}", file=sys.stderr)
    except OSError as error:
        reason = f"{error.filename or 'Error'}: {error.strerror}." if error.strerror else str(error)
        print(reason, kept(options, room), file=sys.stderr)
    return 1


def require_utf8(options):
    """Raises `OtherRunError` for text arguments with bytes that are not UTF-8, which Python decodes to surrogates."""
    for name, value in vars(options).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and any("\ud800" <= c <= "\udfff" for c in text):
                raise OtherRunError(f"`{name}` must be UTF-8. Received: {os.fsencode(text)!r}")


def require_room(folder, room):
    """Raises `OtherRunError` if the folder cannot be written, or its disk has too little room; creates nothing."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        reason = "it is a file" if folder.is_file() else error.strerror
        raise OtherRunError(f"--output {folder} cannot be written: {reason}") from error
    free = shutil.disk_usage(there).free
    if free < room:
        raise OtherRunError(
            f"--output {folder} needs {room / 1e6:.0f} MB, and its disk has {free / 1e6:.0f} MB left: free some, or "
            "give another --output"
        )


def kept(options, room):
    """What an ended run has saved, and how it resumes, for a message."""
    if room is None:
        return ""
    saved = sorted(path.name for path in options.output.glob("*") if not path.name.startswith("."))
    resumes = " The same command resumes from its last checkpoint." if hasattr(options, "fresh") and saved else ""
    return (f"Saved in {options.output}: {', '.join(saved)}." if saved else "Nothing is saved yet.") + resumes


def install(package=None):
    """The command that installs what an import of `package` lacks, for the interpreter that runs."""
    extra = package if package in ("jax", "torch") else "examples"
    root = pathlib.Path(__file__).resolve().parents[1]
    pip = [sys.executable, "-m", "pip"]
    if next(importlib.metadata.distributions(name="pip"), None) is None:
        pip = ["python3", "-m", "pip", "--python", sys.executable]
    return shlex.join([*pip, "install", "-e", f"{root}[{extra}]"])


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def describe(seed=None, **versions):
    """Prints the seed, the machine and the versions of packages."""
    import keras

    import keras_attention

    print(f"{'' if seed is None else f'seed {seed}; '}{os.cpu_count()} cores, {processor()}")
    backend = keras.backend.backend()
    usual = {"Python": platform.python_version(), backend: importlib.import_module(backend).__version__}
    usual |= {"Keras": keras.__version__, "keras_attention": keras_attention.__version__}
    versions = {**usual, **versions}
    print(", ".join(f"{name} {version}" for name, version in versions.items()))


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


def minutes(seconds):
    return "{} min {:02d} s".format(*divmod(round(seconds), 60))


def folder_of(options, name, seed):
    """The folder of the checkpoints of a network of this name and seed."""
    return options.output / file_name(name) / f"seed-{seed}"


def file_name(name):
    """The name of a network as part of a path."""
    return re.sub(r"\W+", "-", name)


def save_whole(path, save):
    """Writes a file atomically, `save(beside)`, then a rename; creates its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        save(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def save_figure(path, figure, dpi=150):
    save_whole(path, lambda beside: figure.savefig(beside, dpi=dpi, format="png"))


def save_json(path, table):
    save_whole(path, lambda beside: beside.write_text(json.dumps(table, indent=1)))


def record(path, update, results):
    """Adds the results of an examination during training to those of earlier updates, {update: results}.

    Results of later updates are dropped: they are of a run that was cut off after its last checkpoint.
    """
    save_json(path, {k: v for k, v in recorded(path).items() if k < update} | {update: results})


def recorded(path):
    """The results that `record` has saved: {update: results}; empty if there are none."""
    return {int(k): v for k, v in json.loads(path.read_text()).items()} if path.is_file() else {}


def settle(options, fixed, learned):
    """Creates the output folder, or checks that what was trained in it has the same settings.

    Args:
        options: Parsed arguments; `output` is the folder, `fresh` deletes the checkpoints of an earlier run.
        fixed: Names of the arguments that must be those of an earlier run, to resume it.
        learned: Patterns of the checkpoints and other trained files in the folder.

    Raises:
        OtherRunError: If the folder holds trained files of a run with other settings.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    path, settings = options.output / "settings.json", {name: getattr(options, name) for name in fixed}
    trained = [file for pattern in learned for file in options.output.glob(pattern)]
    if options.fresh:
        for file in trained:
            file.unlink()
    elif trained and path.is_file():
        before = json.loads(path.read_text())
        differ = [
            f"--{k.replace('_', '-')} {before.get(k)}, not {v}" for k, v in settings.items() if before.get(k) != v
        ]
        if differ:
            raise OtherRunError(
                f"{options.output} holds a run with {', '.join(differ)}: give --fresh or another --output"
            )
    save_json(path, settings)
