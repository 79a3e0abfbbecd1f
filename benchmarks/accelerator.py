"""Time and device memory of attention on one GPU (or TPU), on JAX or PyTorch.

    KERAS_BACKEND=jax python benchmarks/accelerator.py [--repeat 5] [--only core] [--small]

Candidates of a row are compiled first, then run by turns in one process, since they share the device anyway: a time is
the median over the turns of a batch of calls that is waited for once. On JAX memory is what the compiled program
allocates beside its inputs and outputs, on PyTorch the peak above them. Groups:

    core    attention beside that of Keras and of the backend
    budget  how many bytes of logits a tile should hold, see docs/devices.md
    paths   the same for additive, local and two-dimensional attention
    layers  `MultiHeadAttention` beside Keras's
"""

import argparse
import contextlib
import datetime
import time

import keras
import numpy as np
import tables
from keras import ops as k

from keras_attention import layers, ops
from keras_attention.ops.paths import plan

BACKEND = keras.backend.backend()
MEGABYTES = (32, 128, 512, 2048)
CORE = [(8, 1024), (4, 4096), (1, 16384)]
KINDS = [  # dtype, causal, gradient
    ("bfloat16", False, False),
    ("bfloat16", False, True),
    ("bfloat16", True, True),
    ("float32", False, False),
    ("float32", False, True),
]
BUDGETS = [  # B, T, dtype, gradient
    (4, 4096, "bfloat16", True),
    (4, 4096, "float32", True),
    (1, 16384, "float32", False),
    (1, 16384, "float32", True),
]
HEADS, SIZE = 16, 64


def array(*shape, dtype="float32", seed=0):
    return k.convert_to_tensor(np.random.default_rng(seed + sum(shape)).standard_normal(shape), dtype)


@contextlib.contextmanager
def budget(megabytes):
    """Context in which a tile holds as many bytes; programs are traced in it."""
    before, plan.BUDGET = plan.BUDGET, megabytes * 2**20
    try:
        yield
    finally:
        plan.BUDGET = before


class OnJax:
    """A function of arrays, compiled."""

    def __init__(self, function, arrays, gradient):
        import jax

        def loss(*arrays):
            return (function(*arrays).astype("float32") ** 2).mean()

        everything = tuple(range(len(arrays)))
        whole = jax.grad(loss, argnums=everything) if gradient else function
        self.step = jax.jit(whole).lower(*arrays).compile()
        self.arrays = arrays
        self.megabytes = self.step.memory_analysis().temp_size_in_bytes / 2**20
        self.wait(self.call())

    def call(self):
        return self.step(*self.arrays)

    def wait(self, result):
        import jax

        jax.block_until_ready(result)


class OnTorch:
    def __init__(self, function, arrays, gradient):
        import torch

        self.function, self.gradient = function, gradient
        self.arrays = [a.detach().requires_grad_(gradient) for a in arrays]
        self.cuda = torch.cuda.is_available()
        self.wait(self.call())
        before = torch.cuda.memory_allocated() if self.cuda else 0
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
        self.wait(self.call())
        self.megabytes = (torch.cuda.max_memory_allocated() - before) / 2**20 if self.cuda else float("nan")

    def call(self):
        import torch

        if not self.gradient:
            with torch.no_grad():
                return self.function(*self.arrays)
        return torch.autograd.grad((self.function(*self.arrays).float() ** 2).mean(), self.arrays)

    def wait(self, result):
        import torch

        if self.cuda:
            torch.cuda.synchronize()


def measure(candidates, arrays, gradient, repeat):
    """{name: (milliseconds, MB)} or {name: message}."""
    programs, found = {}, {}
    for name, (function, context) in candidates.items():
        try:
            with context:
                programs[name] = (OnJax if BACKEND == "jax" else OnTorch)(function, arrays, gradient)
        except Exception as error:  # no memory, no such kernel: said in the table
            found[name] = str(error).strip().splitlines()[0][:60] or type(error).__name__
    times = {name: [] for name in programs}
    for _ in range(repeat):
        for name, program in programs.items():
            times[name].append(timed(program))
    return {name: (tables.median(t) * 1e3, programs[name].megabytes) for name, t in times.items()} | found


def timed(program, least=0.02):
    """Seconds of a call, over as many calls as take `least` seconds."""
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            result = program.call()
        program.wait(result)
        seconds = time.perf_counter() - start
        if seconds >= least or calls >= 256:
            return seconds / calls
        calls *= 4


def core(small):
    for B, T in CORE:
        B, T = (1, T // 8) if small else (B, T)
        for dtype, causal, gradient in KINDS:
            arrays = [array(B, T, HEADS, SIZE, dtype=dtype, seed=s) for s in range(3)]
            functions = {
                "ours": lambda q, kk, v, causal=causal: ops.attend(q, kk, v, causal=causal),
                "keras": lambda q, kk, v, causal=causal: k.dot_product_attention(q, kk, v, is_causal=causal),
            }
            if BACKEND == "torch":
                functions["torch"] = torch_own(causal)
            elif dtype == "bfloat16":  # Keras's own is the same for float32
                functions["jax, xla"] = jax_xla(causal)
            label = f"B{B} T{T} {dtype}{' causal' * causal}{', gradient' * gradient}"
            yield label, {name: (f, contextlib.nullcontext()) for name, f in functions.items()}, arrays, gradient


def jax_xla(causal):
    import jax

    return lambda q, kk, v: jax.nn.dot_product_attention(q, kk, v, is_causal=causal, implementation="xla")


def torch_own(causal):
    from torch.nn.functional import scaled_dot_product_attention as attend

    def run(*arrays):
        return attend(*(x.transpose(1, 2) for x in arrays), is_causal=causal).transpose(1, 2)

    return run


def budgets(small):
    """A cap of the logits: no kernel has it."""
    for B, T, dtype, gradient in BUDGETS:
        T = T // 8 if small else T
        arrays = [array(B, T, HEADS, SIZE, dtype=dtype, seed=s) for s in range(3)]
        found = scan(lambda *x: ops.attend(*x, logit_cap=30.0), small)
        if T < 16384:
            found["dense"] = (lambda *x: ops.attend(*x, logit_cap=30.0, block_size=0), contextlib.nullcontext())
        yield f"B{B} T{T} {dtype}, capped logits{', gradient' * gradient}", found, arrays, gradient


def scan(function, small):
    """Candidates of one function, planned with tiles of several sizes."""
    return {f"{mb} MB": (function, budget(mb)) for mb in ((1, 2, 8) if small else MEGABYTES)}


def paths(small):
    side, T = (32, 64) if small else (128, 512)
    grid = array(4, side, side, 64)
    map_layer = layers.SelfAttention2D("paper")
    local = layers.LocalAttention2D(8, 8, query_block=(8, 16), memory_block=(24, 32))
    for layer in (map_layer, local):
        layer.build(grid.shape)
        name = f"{type(layer).__name__} B4 {side} x {side}, gradient"
        yield name, scan(lambda x, layer=layer: layer(x), small), [grid], True
    pairs = [array(16, T, 128, seed=s) for s in range(2)] + [array(128)]
    additive = scan(lambda query, value, vector: ops.additive_attend(query, value, value, vector), small)
    yield f"additive B16 T{T} U128, gradient", additive, pairs, True


def whole_layers(small):
    for B, T in ((32, 512), (4, 4096)):
        T = T // (8 if small else 1)
        for dtype in ("mixed_bfloat16", "float32"):
            x = array(B, T, 512, dtype="bfloat16" if "mixed" in dtype else "float32")
            one = layers.MultiHeadAttention(8, 64, dtype=dtype)
            other = keras.layers.MultiHeadAttention(8, 64, dtype=dtype)
            for layer in (one, other):
                layer.build(x.shape, x.shape)
            plain = contextlib.nullcontext()
            candidates = {
                "ours": (lambda x, layer=one: layer(x, x, use_causal_mask=True), plain),
                "keras": (lambda x, layer=other: layer(x, x, use_causal_mask=True), plain),
            }
            yield f"MultiHeadAttention B{B} T{T} {dtype} causal, gradient", candidates, [x], True


GROUPS = {"core": core, "budget": budgets, "paths": paths, "layers": whole_layers}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=GROUPS, action="append")
    parser.add_argument("--small", action="store_true", help="small sizes, to try it on a CPU")
    options = parser.parse_args()
    device = plan.device_kind()
    print(f"{BACKEND}, Keras {keras.__version__}, device {device}, {datetime.date.today()}, {options.repeat} turns")
    print(tables.head(("run", "candidate", "ms", "MB", "ms / first")), flush=True)
    for group in options.only or GROUPS:
        for label, candidates, arrays, gradient in GROUPS[group](options.small):
            found = measure(candidates, arrays, gradient, options.repeat)
            first = next((value[0] for value in found.values() if not isinstance(value, str)), None)
            for name in candidates:
                cells = (found[name], "", "")
                if not isinstance(found[name], str):
                    ms, mb = found[name]
                    cells = (f"{ms:.3f}", f"{mb:.0f}", f"{ms / first:.2f}")
                print(tables.row_of((label, name, *cells)), flush=True)


if __name__ == "__main__":
    main()
