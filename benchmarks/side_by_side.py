"""Benchmark runner: one process per candidate on the same pinned cores, runs in alternation. Needs Linux.

A benchmark lists its candidates and builds a step of each; `main` starts the script again as a worker per candidate.
Memory is the peak of the worker during the first run minus what it held with its inputs.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

SECONDS = ("best s", "median s", "peak growth MB")  # headings of the cells that `seconds` yields


def median(times):
    """Upper median: for an even number of times, the larger of the middle two."""
    return sorted(times)[len(times) // 2]


def seconds(results):
    """The usual cells of a row: best time, median time, memory."""
    for times, growth in results.values():
        yield f"{min(times):.2f}", f"{median(times):.2f}", f"{growth:.0f}"


def main(description, rows, step_of, columns, repeat, show=seconds):
    """Measures the rows and prints a table; as a worker, runs one candidate.

    Args:
        description: String, for `--help`.
        rows: List of (labels, options, candidates): a tuple of strings that name the row; keyword arguments for
            `step_of`; and the candidates.
        step_of: `step_of(candidate, **options)` returns a callable that runs one step.
        columns: Headings of the labels, the candidate and the cells.
        repeat: Int, default of `--repeat`: the runs of each candidate.
        show: `show({candidate: (seconds of each run, MB)})` yields the cells of each candidate's row, as strings.
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
    """Runs as a worker: prints the memory of the first run, then the seconds of one run per line read."""
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
