"""Time and memory of additive attention beside Keras's, with the projections that a user adds to it, on a CPU.

    python benchmarks/additive_attention.py [--repeat 3] [--cores 0,1] [--only 1024]

B8, 256 units, queries and memory of 256 features, TensorFlow in a graph. Every candidate is a process of its own on the
same pinned cores; they take turns, one run each. Memory is the growth of the process's peak during the first run over
what it held with its inputs. At 1024, Keras's layer would hold several tensors of 8.6 GB, and is left out. Needs Linux.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

BATCH, UNITS = 8, 256
CANDIDATES = ("ours", "keras")
ROWS = [
    # name, length, options, candidates
    ("forward", 512, {}, CANDIDATES),
    ("forward + backward", 512, {"gradient": True}, CANDIDATES),
    ("forward", 1024, {}, ("ours",)),
    ("forward + backward", 1024, {"gradient": True}, ("ours",)),
]


def attention(candidate):
    """A function (query, value) -> context with weights of its own."""
    import keras

    if candidate == "ours":
        from keras_attention import BahdanauAttention

        return BahdanauAttention(UNITS)
    query, value = keras.Input((None, UNITS)), keras.Input((None, UNITS))
    project = [keras.layers.Dense(UNITS, use_bias=False) for _ in range(2)]
    context = keras.layers.AdditiveAttention()([project[0](query), value, project[1](value)])
    model = keras.Model([query, value], context)
    return lambda query, value: model([query, value])


def step_of(candidate, length, gradient):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    tensors = [tf.constant(rng.standard_normal((BATCH, length, UNITS)).astype("float32")) for _ in range(2)]
    attend = attention(candidate)
    attend(tensors[0][:1, :2], tensors[1][:1, :3])

    def run(query, value):
        with tf.GradientTape() as tape:
            tape.watch((query, value))
            context = attend(query, value)
        weights = tape.watched_variables()
        return (context, tape.gradient(context, [query, value, *weights])) if gradient else context

    step = tf.function(run).get_concrete_function(*tensors)
    return lambda: step(*tensors)


def memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def work(candidate, length, gradient=False):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    step = step_of(candidate, length, gradient)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    step()
    print(memory("VmHWM") - before, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def measure(length, options, candidates, repeat, cores):
    """{candidate: (best, median, memory)} of a row."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers, times = {}, {candidate: [] for candidate in candidates}
    for candidate in candidates:
        argument = json.dumps({"candidate": candidate, "length": length, **options})
        workers[candidate] = subprocess.Popen(
            [sys.executable, __file__, "--worker", argument],
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
    return {c: (min(t), sorted(t)[len(t) // 2], workers[c].growth) for c, t in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each candidate (default 3)")
    parser.add_argument("--cores", default="0,1", help="cores to pin all processes to (default 0,1)")
    parser.add_argument("--only", type=int, help="only rows of this length")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(**json.loads(arguments.worker))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print("| run | T = S | candidate | best s | median s | peak growth MB |")
    print("|---|---|---|---|---|---|")
    for name, length, options, candidates in ROWS:
        if arguments.only in (None, length):
            results = measure(length, options, candidates, arguments.repeat, cores)
            for candidate, (best, median, growth) in results.items():
                print(f"| {name} | {length} | {candidate} | {best:.2f} | {median:.2f} | {growth:.0f} |", flush=True)


if __name__ == "__main__":
    main()
