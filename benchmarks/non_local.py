"""Time and memory of non-local blocks over large maps and clips, on a CPU.

    python benchmarks/non_local.py [--repeat 3] [--cores 0,1] [--only map]

A block of 64 channels, forward and backward to its weights and its input, TensorFlow in a graph, float32, one input at
a time: a map of 64 x 64 and a clip of 8 x 56 x 56. "ours" is what the layer does by itself; "all pairs" the same layer
asked for its scores, which needs all of them. Every candidate is a process of its own on the same pinned cores; those
of a row take turns, one run each. Memory is the growth of the process's peak during the first run over what it held
with its input. Needs Linux. All pairs of an unpooled clip would take 2.5 GB a tensor, and are left out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

CHANNELS = 64
INPUTS = {"map": (1, 64, 64, CHANNELS), "clip": (1, 8, 56, 56, CHANNELS)}
PAIRWISE = ("embedded_gaussian", "dot_product", "concatenation")
ROWS = [
    # name of the input, pool, pairwise, candidates
    *[("map", None, pairwise, ("ours", "all pairs")) for pairwise in PAIRWISE],
    *[("clip", "after", pairwise, ("ours", "all pairs")) for pairwise in PAIRWISE],
    *[("clip", None, pairwise, ("ours",)) for pairwise in PAIRWISE],
]


def step_of(candidate, what, pool, pairwise):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    from keras_attention import NonLocalBlock

    x = tf.constant(np.random.default_rng(0).standard_normal(INPUTS[what]).astype("float32"))
    layer = NonLocalBlock(pairwise, pool=pool)
    layer.build(x.shape)
    layer.norm.gamma.assign(np.ones(CHANNELS))  # at zero nothing would flow back

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            if candidate == "ours":
                z = layer(x, training=True)
            else:
                z, _ = layer(x, training=True, return_attention_scores=True)
            loss = tf.reduce_mean(z * z)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    step = tf.function(run).get_concrete_function(x)
    return lambda: step(x)


def memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def work(candidate, what, pool, pairwise):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    step = step_of(candidate, what, pool, pairwise)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    step()
    print(memory("VmHWM") - before, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def measure(what, pool, pairwise, candidates, repeat, cores):
    """{candidate: (best, median, memory)} of a row."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers, times = {}, {candidate: [] for candidate in candidates}
    for candidate in candidates:
        argument = json.dumps({"candidate": candidate, "what": what, "pool": pool, "pairwise": pairwise})
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
    parser.add_argument("--only", choices=INPUTS, help="only rows of this input")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(**json.loads(arguments.worker))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print("| input | positions × keys | pairwise | candidate | best s | median s | peak growth MB |")
    print("|---|---|---|---|---|---|---|")
    for what, pool, pairwise, candidates in ROWS:
        if arguments.only not in (None, what):
            continue
        shape = INPUTS[what]
        positions = shape[-3] * shape[-2] * (shape[1] if len(shape) == 5 else 1)
        keys = positions if pool is None else positions // 4
        for candidate, (best, median, growth) in measure(
            what, pool, pairwise, candidates, arguments.repeat, cores
        ).items():
            row = (what, f"{positions} × {keys}", pairwise, candidate, f"{best:.2f}", f"{median:.2f}", f"{growth:.0f}")
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
