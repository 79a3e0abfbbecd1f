"""Time per token of greedy decoding against the number of tokens, one row, beside a PyTorch loop, on a CPU.

    python benchmarks/decoding_lengths.py [--repeat 3] [--cores 0,1] [--only 2048]

The base Transformer and the loop of `decoding.py`. Beside the weights, the work of a token grows with the tokens before
it, whose keys and values it reads: 50 MB at 2048 tokens. Each candidate runs in its own process on the same pinned
cores. Needs Linux, and torch for its rows.
"""

import decoding
import pictures
import side_by_side

LENGTHS = (32, 128, 512, 2048)
CANDIDATES = ("ours", "ours, XLA", "PyTorch")
ROWS = [((str(n),), {"batch": 1, "tokens": n}, CANDIDATES[: 3 if n < 2048 else 2]) for n in LENGTHS]
COLUMNS = ("new tokens", *decoding.COLUMNS[2:])
REPEAT = 3
NEEDS = {"PyTorch": "torch"}
step_of, show = decoding.step_of, decoding.show


def draw(found):
    points = pictures.points(found, lambda _, options: ("", options["tokens"]))
    each = [(panel, name, tokens, time / tokens, growth) for panel, name, tokens, time, growth in points]
    return pictures.curves(each, "new tokens", "time per token, ms")


if __name__ == "__main__":
    side_by_side.main(__file__)
