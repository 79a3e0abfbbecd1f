"""What SE and CBAM cost in a step of ResNet-50 on a CPU: TensorFlow, in a graph, compiled by XLA or not.

    python benchmarks/attention_resnet.py [--repeat 5] [--cores 0,1] [--batch 4] [--size 224]

Every candidate is a process of its own on the same pinned cores; they take turns, one run each. A step of training is
forward, backward and an update by SGD with momentum. Memory is the growth of the process's peak during the first run
over what it held with its weights. Needs Linux.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

CANDIDATES = (None, "se", "cbam")
ROWS = [("forward", False, False), ("training step", True, False), ("training step, XLA", True, True)]


def step_of(attention, training, jit, batch, size):
    """A callable that runs one step, built but not yet run."""
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_attention import models

    keras.utils.set_random_seed(0)
    model = models.attention_resnet(50, attention)
    images = tf.constant(np.random.default_rng(0).standard_normal((batch, size, size, 3)).astype("float32"))
    labels = tf.constant(np.arange(batch) % 1000)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function(jit_compile=jit)
    def run(images):
        if not training:
            return model(images, training=False)
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, model.trainable_variables), model.trainable_variables)
        return value

    return lambda: run(images).numpy()


def memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def work(**settings):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    step = step_of(**settings)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    step()
    print(memory("VmHWM") - before, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def measure(settings, repeat, cores):
    """{attention: (times, memory)} of a row."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers, times = {}, {attention: [] for attention in CANDIDATES}
    for attention in CANDIDATES:
        workers[attention] = subprocess.Popen(
            [sys.executable, __file__, "--worker", json.dumps({"attention": attention, **settings})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        workers[attention].growth = float(workers[attention].stdout.readline())
    for _ in range(repeat):
        for attention, worker in workers.items():
            worker.stdin.write("\n")
            worker.stdin.flush()
            times[attention].append(float(worker.stdout.readline()))
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return {attention: (times[attention], workers[attention].growth) for attention in CANDIDATES}


def middle(values):
    return sorted(values)[len(values) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs of each candidate (default 5)")
    parser.add_argument("--cores", default="0,1", help="cores to pin all processes to (default 0,1)")
    parser.add_argument("--batch", type=int, default=4, help="images in a step (default 4)")
    parser.add_argument("--size", type=int, default=224, help="rows and columns of an image (default 224)")
    parser.add_argument("--only", help="only rows whose name begins so")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(**json.loads(arguments.worker))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print(f"{arguments.batch} images of {arguments.size} × {arguments.size}")
    print("| run | attention | best s | median s | median over that without, run by run | peak growth MB |")
    print("|---|---|---|---|---|---|")
    for name, training, jit in ROWS:
        if not name.startswith(arguments.only or ""):
            continue
        settings = {"training": training, "jit": jit, "batch": arguments.batch, "size": arguments.size}
        results = measure(settings, arguments.repeat, cores)
        for attention, (times, growth) in results.items():
            # Neighbouring runs share whatever else the machine does.
            more = middle([a / b - 1 for a, b in zip(times, results[None][0])])
            columns = f"{min(times):.3f} | {middle(times):.3f} | {more:+.1%} | {growth:.0f}"
            print(f"| {name} | {attention or 'none'} | {columns} |", flush=True)


if __name__ == "__main__":
    main()
