"""Shared by the examples: arguments, printed output, and the folder of the results."""

import argparse
import importlib
import json
import os
import pathlib
import platform
import sys

from fetching import UnavailableError


class OtherRunError(Exception):
    """The folder is of a run with other settings, or of none; or the settings do not fit each other."""


def ended(run, options):
    """Returns `run(options)`; if data is unavailable or settings do not fit, prints the error and returns 1."""
    try:
        return run(options)
    except (UnavailableError, OtherRunError) as error:
        print(error, file=sys.stderr)
        return 1


def positive(text):
    """A positive int, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive number. Received: {text}")
    return number


def above_zero(text):
    """A positive float, for argparse."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"must be above 0. Received: {text}")
    return number


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


def save_whole(path, save):
    """Writes a file atomically: `save(beside)`, then a rename."""
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


def settle(options, fixed, learned):
    """Creates the output folder, or checks that its run has the same settings.

    Args:
        options: Parsed arguments; `output` is the folder, `fresh` deletes the checkpoints of an earlier run.
        fixed: Names of the arguments that must be those of an earlier run, to resume it.
        learned: Patterns of the checkpoints and other trained files in the folder.

    Raises:
        OtherRunError: If the folder holds a run with other settings.
    """
    options.output.mkdir(parents=True, exist_ok=True)
    path, settings = options.output / "settings.json", {name: getattr(options, name) for name in fixed}
    if options.fresh:
        for pattern in learned:
            for file in options.output.glob(pattern):
                file.unlink()
    elif path.is_file():
        before = json.loads(path.read_text())
        differ = [
            f"--{k.replace('_', '-')} {before.get(k)}, not {v}" for k, v in settings.items() if before.get(k) != v
        ]
        if differ:
            raise OtherRunError(
                f"{options.output} holds a run with {', '.join(differ)}: give --fresh or another --output"
            )
    save_json(path, settings)
