"""Time and memory of the attention core beside Keras on TensorFlow and PyTorch, on a CPU.

    python benchmarks/attention_core.py [--repeat 9] [--cores 0,1] [--only 4096]

B1 N8 H64. Every candidate is a process of its own on the same pinned cores. The candidates of a table row take turns,
one run each, so that a slow moment of the machine meets them all; the others sleep meanwhile. Memory is the growth of
the process's peak over what it held with its inputs before the first run. Needs Linux, and torch for its rows.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

CANDIDATES = ("ours", "keras", "torch")
ROWS = [
    # name, length, options, candidates
    ("forward", 4096, {}, CANDIDATES),
    ("forward + backward", 4096, {"gradient": True}, CANDIDATES),
    ("causal forward", 4096, {"causal": True}, CANDIDATES),
    ("causal forward + backward", 4096, {"causal": True, "gradient": True}, CANDIDATES),
    ("bfloat16 forward", 4096, {"dtype": "bfloat16"}, CANDIDATES),
    ("bfloat16 forward + backward", 4096, {"dtype": "bfloat16", "gradient": True}, CANDIDATES),
    ("forward", 16384, {}, ("ours", "torch")),
    ("forward + backward", 16384, {"gradient": True}, ("ours", "torch")),
]


def tensorflow_step(candidate, arrays, gradient, causal, dtype):
    """A callable that runs one step, compiled to a graph but not yet run."""
    import keras
    import tensorflow as tf

    from keras_attention import ops

    def attend(query, key, value):
        if candidate == "ours":
            return ops.attend(query, key, value, causal=causal)
        return keras.ops.dot_product_attention(query, key, value, is_causal=causal)

    def forward(query, key, value, _):
        return attend(query, key, value)

    def both(query, key, value, upstream):
        with tf.GradientTape() as tape:
            tape.watch((query, key, value))
            context = attend(query, key, value)
        return context, tape.gradient(context, (query, key, value), upstream)

    tensors = [tf.cast(a, dtype) for a in arrays]
    step = tf.function(both if gradient else forward).get_concrete_function(*tensors)
    return lambda: step(*tensors)


def torch_step(candidate, arrays, gradient, causal, dtype):
    """The same for PyTorch, whose layout is [B, N, T, H]."""
    import torch

    tensors = [torch.tensor(a).transpose(1, 2).contiguous().to(getattr(torch, dtype)) for a in arrays]
    attend = torch.nn.functional.scaled_dot_product_attention

    def forward():
        with torch.no_grad():
            return attend(*tensors[:3], is_causal=causal)

    def both():
        inputs = [t.detach().requires_grad_() for t in tensors[:3]]
        attend(*inputs, is_causal=causal).backward(tensors[3])
        return [t.grad for t in inputs]

    return both if gradient else forward


def memory(name):
    """VmRSS or VmHWM of this process in MB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def work(candidate, length, gradient=False, causal=False, dtype="float32"):
    """A worker: prints the memory of its first run, then the seconds of a run for each line it reads."""
    import numpy as np

    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((1, length, 8, 64)).astype("float32") for _ in range(4)]
    step = (torch_step if candidate == "torch" else tensorflow_step)(candidate, arrays, gradient, causal, dtype)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    before = memory("VmRSS")
    step()
    print(memory("VmHWM") - before, flush=True)
    step()
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def measure(length, options, candidates, repeat, cores):
    """{candidate: (best, median, memory)} of a row."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores))}
    workers = {}
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
    parser.add_argument("--repeat", type=int, default=9, help="runs of each candidate (default 9)")
    parser.add_argument("--cores", default="0,1", help="cores to pin all processes to (default 0,1)")
    parser.add_argument("--only", type=int, help="only rows of this length")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(**json.loads(arguments.worker))
        return
    cores = {int(core) for core in arguments.cores.split(",")}
    print(f"{platform.machine()}, cores {sorted(cores)}, {arguments.repeat} runs, {time.ctime()}")
    print("| run | T = S | candidate | best ms | median ms | best / ours | peak growth MB |")
    print("|---|---|---|---|---|---|---|")
    for name, length, options, candidates in ROWS:
        if arguments.only in (None, length):
            results = measure(length, options, candidates, arguments.repeat, cores)
            for candidate, (best, median, growth) in results.items():
                ratio = best / results["ours"][0]
                print(
                    f"| {name} | {length} | {candidate} | {best * 1e3:.0f} | {median * 1e3:.0f} "
                    f"| {ratio:.2f} | {growth:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
