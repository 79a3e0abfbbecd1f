"""Time and memory of `ops.attend`, Keras's attention on TensorFlow and PyTorch's, on a CPU.

    python benchmarks/attention_core.py [--repeat 9] [--cores 0,1] [--only 4096]

B1 N8 H64. Each candidate runs in its own process on the same pinned cores. The candidates of a table row alternate, one
run each, so that a slow phase of the machine affects all; the others sleep meanwhile. Memory is the peak of the process
during the first run minus what it held with its inputs. Needs Linux, and torch for its rows.
"""

import pictures
import side_by_side
import tables

CANDIDATES = ("ours", "keras", "torch")
NEEDS = {"torch": "torch"}
OTHER_LENGTHS = (1024, 2048, 8192)
ROWS = [
    (("forward", "4096"), {"length": 4096}, CANDIDATES),
    (("forward + backward", "4096"), {"length": 4096, "gradient": True}, CANDIDATES),
    (("causal forward", "4096"), {"length": 4096, "causal": True}, CANDIDATES),
    (("causal forward + backward", "4096"), {"length": 4096, "causal": True, "gradient": True}, CANDIDATES),
    (("bfloat16 forward", "4096"), {"length": 4096, "dtype": "bfloat16"}, CANDIDATES),
    (("bfloat16 forward + backward", "4096"), {"length": 4096, "dtype": "bfloat16", "gradient": True}, CANDIDATES),
    (("forward", "16384"), {"length": 16384}, ("ours", "torch")),
    (("forward + backward", "16384"), {"length": 16384, "gradient": True}, ("ours", "torch")),
    *((("forward", str(length)), {"length": length}, CANDIDATES) for length in OTHER_LENGTHS),
    *(
        (("forward + backward", str(length)), {"length": length, "gradient": True}, CANDIDATES)
        for length in OTHER_LENGTHS
    ),
]
COLUMNS = ("run", "T = S", "candidate", "best ms", "median ms", "best / ours", "peak growth MB")
REPEAT = 9


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
    """As `tensorflow_step`, for PyTorch, whose layout is [B, N, T, H]."""
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


def step_of(candidate, length, gradient=False, causal=False, dtype="float32"):
    import numpy as np

    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((1, length, 8, 64)).astype("float32") for _ in range(4)]
    return (torch_step if candidate == "torch" else tensorflow_step)(candidate, arrays, gradient, causal, dtype)


def show(results, **_):
    for times, growth in results.values():
        best, median = min(times), tables.median(times)
        beside = f"{best / min(results['ours'][0]):.2f}" if "ours" in results else ""
        yield f"{best * 1e3:.0f}", f"{median * 1e3:.0f}", beside, f"{growth:.0f}"


def draw(found):
    plain = [(row, results) for row, results in found if row[0][0] in ("forward", "forward + backward")]
    points = pictures.points(plain, lambda labels, options: (labels[0], options["length"]))
    return pictures.curves(points, "queries = keys")


if __name__ == "__main__":
    side_by_side.main(__file__)
