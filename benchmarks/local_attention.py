"""Time and memory of local attention beside Keras's sliding window on TensorFlow, on a CPU.

    python benchmarks/local_attention.py [--repeat 5] [--cores 0,1] [--only 8192]

Layers with their projections, B1, D512, N8 H64, window 256: `LocalAttention1D` with blocks and memories of 256, where a
query scores 512 keys if causal and 768 if not, and `keras.layers.MultiHeadAttention(sliding_window=256)`, where it sees
511 and scores all. Forward + backward, to the input and to all weights. Every candidate is a process of its own on the
same cores. The candidates of a length take turns, one run each, so that a slow moment of the machine meets them all;
the others sleep meanwhile. Memory is the growth of the process's peak over what it held with its weights and inputs
before the first run. Needs Linux, and 16 GB of memory for Keras at 8192.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

WINDOW = 256
OURS = ("ours, causal", "ours, both sides")
ROWS = [(8192, (*OURS, "keras")), (16384, OURS), (32768, OURS)]


def layer_of(candidate):
    import keras

    from keras_attention import layers

    if candidate == "keras":
        return keras.layers.MultiHeadAttention(8, 64, sliding_window=WINDOW)
    return layers.LocalAttention1D(8, 64, WINDOW, WINDOW, causal=candidate == "ours, causal")


def step_of(candidate, length):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x, upstream = (tf.constant(rng.standard_normal((1, length, 512)).astype("float32")) for _ in range(2))
    layer = layer_of(candidate)
    layer.build(*[x.shape] * (2 if candidate == "keras" else 1))
    weights = [w.value for w in layer.trainable_variables]

    def both(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, x) if candidate == "keras" else layer(x)
        return output, tape.gradient(output, (x, *weights), upstream)

    step = tf.function(both).get_concrete_function(x, upstream)
    return lambda: step(x, upstream)


def memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def work(candidate, length):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    step = step_of(candidate, length)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    step()
    print(memory("VmHWM") - before, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def measure(length, candidates, repeat, cores):
    """{candidate: (best, median, memory)} of a length."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers = {}
    for candidate in candidates:
        workers[candidate] = subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps({"candidate": candidate, "length": length})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        workers[candidate].growth = float(workers[candidate].stdout.readline())
    times = {candidate: [] for candidate in candidates}
    for _ in range(repeat):
        for candidate, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            times[candidate].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {c: (min(t), sorted(t)[len(t) // 2], workers[c].growth) for c, t in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs of each candidate (default 5)")
    parser.add_argument("--cores", default="0,1", help="cores to pin all processes to (default 0,1)")
    parser.add_argument("--only", type=int, help="only this length")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(**json.loads(arguments.worker))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print("| T | candidate | best s | median s | peak growth MB |")
    print("|---|---|---|---|---|")
    for length, candidates in ROWS:
        if arguments.only in (None, length):
            results = measure(length, candidates, arguments.repeat, cores)
            for candidate, (best, median, growth) in results.items():
                print(f"| {length} | {candidate} | {best:.2f} | {median:.2f} | {growth:.0f} |", flush=True)


if __name__ == "__main__":
    main()
