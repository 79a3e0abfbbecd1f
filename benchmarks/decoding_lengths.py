"""Time per token of greedy decoding against the number of tokens, one row, beside a PyTorch loop, on a CPU.

    python benchmarks/decoding_lengths.py [--repeat 3] [--cores 0,1] [--only 2048]

The base Transformer and the loop of `decoding.py`. The work of a token is constant but for its attention to the tokens
before it, which are 2048 rows of 6 keys and values of 512 features at most. Each candidate runs in its own process on
the same pinned cores. Needs Linux, and torch for its rows.
"""

import decoding
import pictures
import side_by_side

LENGTHS = (32, 128, 512, 2048)
ROWS = [((str(n),), {"batch": 1, "tokens": n}, ("ours", "ours, XLA", "PyTorch")) for n in LENGTHS]
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
