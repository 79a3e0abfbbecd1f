"""Candidates side by side: a process for each on the same pinned cores, one run each in turn. Needs Linux.

A benchmark names its candidates and makes a step of one; `main` starts itself once more for each candidate as a worker.
Memory is the growth of the worker's peak during the first run over what it held with its inputs.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

SECONDS = ("best s", "median s", "peak growth MB")  # headings of the cells that `seconds` yields


def middle(times):
    """The median of an odd number of times; of an even number, the greater of the two in the middle."""
    return sorted(times)[len(times) // 2]


def seconds(results):
    """The usual cells of a row: the best time, the median, and the memory."""
    for times, growth in results.values():
        yield f"{min(times):.2f}", f"{middle(times):.2f}", f"{growth:.0f}"


def main(description, rows, step_of, columns, repeat, show=seconds):
    """Measures the rows and prints a table; as a worker, runs one candidate.

    Args:
        description: String, for `--help`.
        rows: List of (labels, options, candidates): what the row is called, a tuple of strings; keyword arguments for
            `step_of`; and its candidates.
        step_of: `step_of(candidate, **options)` returns a callable that runs one step.
        columns: Headings: of the labels, of the candidate, and of the cells.
        repeat: Int, runs of each candidate unless `--repeat` says otherwise.
        show: `show({candidate: (seconds of each run, MB)})` yields the cells of each candidate's line: strings.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--repeat", type=int, default=repeat, help=f"runs of each candidate (default {repeat})")
    parser.add_argument("--cores", default="0,1", help="cores to pin all processes to (default 0,1)")
    parser.add_argument("--only", help="only rows with this label")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        candidate, options = json.loads(arguments.worker)
        _serve(step_of(candidate, **options))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    _print_row(columns)
    print("|---" * len(columns) + "|")
    for labels, options, candidates in rows:
        if arguments.only is None or arguments.only in labels:
            results = _measure(options, candidates, arguments.repeat, cores)
            for candidate, cells in zip(candidates, show(results), strict=True):
                _print_row((*labels, candidate, *cells))


def _print_row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def _serve(step):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = _memory("VmRSS")
    step()
    print(_memory("VmHWM") - before, flush=True)
    step()
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def _memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def _measure(options, candidates, repeat, cores):
    """{candidate: (seconds of each run, MB)} of a row."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers, times = {}, {candidate: [] for candidate in candidates}
    for candidate in candidates:
        workers[candidate] = subprocess.Popen(
            [sys.executable, sys.argv[0], "--worker", json.dumps([candidate, options])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        workers[candidate].growth = float(workers[candidate].stdout.readline())
    for _ in range(repeat):
        for candidate, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            times[candidate].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {candidate: (times[candidate], workers[candidate].growth) for candidate in candidates}
