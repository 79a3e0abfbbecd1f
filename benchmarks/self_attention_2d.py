"""Time and memory of the self-attention of SAGAN over large maps, on a CPU.

    python benchmarks/self_attention_2d.py [--repeat 3] [--cores 0,1] [--only 128]

`SelfAttention2D` of 64 channels over one map, forward and backward to its weights and its input, TensorFlow in a graph,
float32. "ours" is what the layer does by itself; "whole map" the same layer asked for its scores, which needs all of
them at once. Every candidate is a process of its own on the same pinned cores; those of a row take turns, one run each.
Memory is the growth of the process's peak during the first run over what it held with its input; beside it stands what
the scores alone would take. Needs Linux. The whole unpooled map of 128 x 128 would take 1074 MB a tensor, and is left
out.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

CHANNELS = 64
ROWS = [
    # rows and columns, variant, candidates
    (64, "reference", ("ours", "whole map")),
    (64, "paper", ("ours", "whole map")),
    (128, "reference", ("ours", "whole map")),
    (128, "paper", ("ours",)),
]


def step_of(candidate, size, variant):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import numpy as np
    import tensorflow as tf

    from keras_attention import SelfAttention2D

    x = tf.constant(np.random.default_rng(0).standard_normal((1, size, size, CHANNELS)).astype("float32"))
    layer = SelfAttention2D(variant)
    layer.build(x.shape)
    layer.gamma.assign(1.0)  # at zero nothing would flow back

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x) if candidate == "ours" else layer(x, return_attention_scores=True)[0]
            loss = tf.reduce_mean(y * y)
        return tape.gradient(loss, [x, *layer.trainable_variables])

    step = tf.function(run).get_concrete_function(x)
    return lambda: step(x)


def memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def work(candidate, size, variant):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    step = step_of(candidate, size, variant)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    step()
    print(memory("VmHWM") - before, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def measure(size, variant, candidates, repeat, cores):
    """{candidate: (best, median, memory)} of a row."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers, times = {}, {candidate: [] for candidate in candidates}
    for candidate in candidates:
        argument = json.dumps({"candidate": candidate, "size": size, "variant": variant})
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
    parser.add_argument("--only", type=int, choices=(64, 128), help="only maps of so many rows")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(**json.loads(arguments.worker))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print("| map | variant | positions × keys | scores MB | candidate | best s | median s | peak growth MB |")
    print("|---|---|---|---|---|---|---|---|")
    for size, variant, candidates in ROWS:
        if arguments.only not in (None, size):
            continue
        places = size * size
        keys = places // 4 if variant == "reference" else places
        row = (f"{size} × {size}", variant, f"{places} × {keys}", f"{4 * places * keys / 1e6:.0f}")
        for candidate, (best, median, growth) in measure(
            size, variant, candidates, arguments.repeat, cores
        ).items():
            figures = (candidate, f"{best:.2f}", f"{median:.2f}", f"{growth:.0f}")
            print("| " + " | ".join((*row, *figures)) + " |", flush=True)


if __name__ == "__main__":
    main()
