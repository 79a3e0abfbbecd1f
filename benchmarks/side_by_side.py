"""Benchmark runner: one process per candidate on the same pinned cores, runs in alternation. Needs Linux.

A benchmark is a module of this folder that imports nothing large at the top and has these names:

    ROWS            [(labels, options, candidates)]: strings that name the row, keyword arguments, names
    COLUMNS         headings of the labels, of the candidate and of its cells
    REPEAT          runs of each candidate
    step_of         `step_of(candidate, **options)` returns a callable that runs one step
    show            `show({candidate: (seconds of each run, MB)}, **options)` yields the cells of each candidate
    NEEDS           optional, {candidate: package}: those that need more than this library
    compact, draw   optional, `all.py`: `compact([(row, results)])` returns columns and lines of the table of the page
                    in place of those above, `draw([(row, results)])` its figure

`main` runs one, `all.py` all of them. Memory is the peak of the worker during the first run minus what it held with
its inputs.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import tables

LONG = 2.0  # seconds; a step that takes as long is warm after its first run


def load(path):
    """The module of a benchmark."""
    path = pathlib.Path(path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(path):
    """Measures the rows of the benchmark in this file and prints them as a table."""
    benchmark = load(path)
    parser = argparse.ArgumentParser(description=benchmark.__doc__.splitlines()[0])
    add_arguments(parser)
    parser.set_defaults(repeat=benchmark.REPEAT)
    parser.add_argument("--only", metavar="LABEL", help="only rows with this label")
    arguments = parser.parse_args()
    rows = [row for row in benchmark.ROWS if arguments.only in (None, *row[0])]
    if not rows:
        names = ", ".join(dict.fromkeys(label for row in benchmark.ROWS for label in row[0]))
        parser.error(f"`--only` must be a label of a row: {names}. Received: {arguments.only!r}")
    cores = arguments.cores
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print(tables.head(benchmark.COLUMNS), flush=True)
    for row in rows:
        results = measure(benchmark, row, arguments.repeat, cores)
        for cells in tables.lines(benchmark, row, results):
            print(tables.row_of(cells), flush=True)
        for candidate, result in results.items():
            if "error" in result:
                print(f"{candidate}: {result['error']}", file=sys.stderr, flush=True)


def add_arguments(parser):
    """`--repeat` and `--cores`."""
    parser.add_argument("--repeat", type=_number, metavar="N", help="runs of each candidate")
    parser.add_argument("--cores", type=_cores, default="0,1", help="cores to pin all processes to (default 0,1)")


def _number(text):
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1. Received: {text!r}")
    return int(text)


def _cores(text):
    available = os.sched_getaffinity(0)
    cores = {int(core) if core.isdecimal() else None for core in text.split(",")}
    if not cores <= available:
        raise argparse.ArgumentTypeError(f"must be among the cores {sorted(available)}. Received: {text!r}")
    return cores


def measure(benchmark, row, repeat, cores):
    """{candidate: result} of a row, as `tables` describes them."""
    _, options, candidates = row
    needs = getattr(benchmark, "NEEDS", {})
    results, workers = {}, {}
    try:
        for name in candidates:
            if name in needs and importlib.util.find_spec(needs[name]) is None:
                results[name] = {"needs": needs[name]}
                continue
            workers[name] = Worker([benchmark.__file__, json.dumps([name, options])], cores)
        # They import and build at the same time, and run one at a time.
        for worker in workers.values():
            worker.answer()
        for name, worker in workers.items():
            results[name] = {"seconds": [], "growth": worker.run()}
        for _ in range(repeat):
            for name, worker in workers.items():
                results[name]["seconds"].append(worker.run())
    finally:
        for worker in workers.values():
            worker.end()
    failed = {name: {"error": worker.error} for name, worker in workers.items() if worker.error is not None}
    return {name: {**results, **failed}[name] for name in candidates}


class Worker:
    """Process that holds one candidate, and runs it when told to. After a failure `error` has its message.

    Args:
        arguments: Those of this script.
        cores: Set of the cores it runs on.
    """

    def __init__(self, arguments, cores):
        # What decides about threads comes from the cores alone.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TF_NUM_")}
        kept |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
        self.error, self.messages = None, tempfile.TemporaryFile("w+")  # noqa: SIM115 (until `end`)
        self.process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.messages,
            text=True,
            env=kept,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def run(self):
        """What one run reports: the first its memory in MB, others their seconds; `None` if it failed."""
        if self.error is not None:
            return None
        # A process that has ended meanwhile is found out by its missing answer.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return self.answer()

    def answer(self):
        """The next number that the process reports, or `None` if it failed."""
        line = self.process.stdout.readline()
        if line:
            return float(line)
        status = self.process.wait()
        self.messages.seek(0)
        said = [text.strip() for text in self.messages if text.strip()]
        self.error = said[-1][:300] if said and status > 0 else f"ended with exit status {status}"
        return None

    def end(self):
        self.process.kill()
        self.process.communicate()
        self.messages.close()


def serve(path, candidate, options):
    """The worker: reports that it is built, and for each line read a run: of the first the memory, then the seconds."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    step = load(path).step_of(candidate, **options)
    print(0, file=answers, flush=True)
    sys.stdin.readline()
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before, start = _memory("VmRSS"), time.perf_counter()
    step()
    print(_memory("VmHWM") - before, file=answers, flush=True)
    if time.perf_counter() - start < LONG:
        step()
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, file=answers, flush=True)


def _memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


if __name__ == "__main__":
    serve(sys.argv[1], *json.loads(sys.argv[2]))
