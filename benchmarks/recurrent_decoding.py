"""Decoding with RNNsearch, beside a PyTorch loop, and with Luong's LSTM, on a CPU.

    python benchmarks/recurrent_decoding.py [--repeat 5] [--cores 0,1] [--only RNNsearch]

Both decoders are an `AttentionRNN`. Vocabulary 8000, source 32, 128 new tokens, random weights, TensorFlow in a graph
and with XLA; `ours, exported` is loaded from a SavedModel. Beside beam search stands greedy decoding of as many rows.
Each candidate runs in its own process on the same pinned cores. Needs Linux, and torch for its rows.
"""

import decoding
import pictures
import side_by_side
from decoding import OURS, SEARCH, SOURCE, TOKENS, VOCABULARY

SIZES = {
    "RNNsearch": {"embedding_dim": 256, "units": 512, "attention_units": 512, "maxout_units": 256},
    "Luong LSTM": {"embedding_dim": 512, "units": 512, "num_layers": 2},
}
ROWS = [
    (("RNNsearch", "batch 1", "greedy"), {"kind": "RNNsearch", "batch": 1}, (*OURS, "PyTorch")),
    (("RNNsearch", "batch 16", "greedy"), {"kind": "RNNsearch", "batch": 16}, (*OURS, "PyTorch")),
    (("RNNsearch", "batch 4", "beam 4"), {"kind": "RNNsearch", "batch": 4, "beam": 4}, SEARCH),
    (("Luong LSTM", "batch 1", "greedy"), {"kind": "Luong LSTM", "batch": 1}, OURS),
    (("Luong LSTM", "batch 16", "greedy"), {"kind": "Luong LSTM", "batch": 16}, OURS),
]
COLUMNS = ("model", *decoding.COLUMNS)
REPEAT = 5
NEEDS = {"PyTorch": "torch"}


def step_of(candidate, kind, batch, beam=None):
    """A callable that decodes one batch, compiled but not yet run."""
    if candidate == "PyTorch":
        return torch_step(batch, **SIZES[kind])
    from keras_attention import models

    factory = {"RNNsearch": models.rnn_search, "Luong LSTM": models.luong_lstm}[kind]
    model = factory(VOCABULARY, VOCABULARY, **SIZES[kind])
    if "greedy" in candidate:
        batch, beam = batch * beam, None
    return decoding.compiled(candidate, model, decoding.our_step(model, TOKENS, beam), batch)


def torch_step(batch, embedding_dim, units, attention_units, maxout_units):
    """Greedy decoding with RNNsearch written by hand; what only the source determines is random."""
    import torch
    from torch.nn.functional import linear

    torch.manual_seed(0)

    def weight(*shape):
        return torch.randn(shape) * 0.03

    table, read = weight(VOCABULARY, embedding_dim), embedding_dim + 2 * units
    ask, score = weight(attention_units, units), weight(attention_units)
    inputs, gates, candidate = weight(3 * units, read), weight(2 * units, units), weight(units, units)
    readout, logits = weight(2 * maxout_units, units + read), weight(VOCABULARY, maxout_units)

    @torch.no_grad()
    def decode():
        memory, keys = torch.randn(batch, SOURCE, 2 * units), torch.randn(batch, SOURCE, attention_units)
        state, token = torch.randn(batch, units), torch.ones(batch, dtype=torch.long)
        written = torch.zeros(batch, TOKENS, dtype=torch.long)
        for index in range(TOKENS):
            probs = torch.softmax(torch.tanh(linear(state, ask)[:, None] + keys) @ score, -1)
            x = torch.cat([table[token], (probs[:, None] @ memory)[:, 0]], -1)
            pieces = linear(torch.cat([state, x], -1), readout).unflatten(-1, (maxout_units, 2)).amax(-1)
            of_gates, of_candidate = linear(x, inputs).split([2 * units, units], -1)
            update, reset = torch.sigmoid(of_gates + linear(state, gates)).chunk(2, -1)
            proposed = torch.tanh(of_candidate + linear(reset * state, candidate))
            state = (1 - update) * state + update * proposed
            token = written[:, index] = linear(pieces, logits).argmax(-1)
        return written

    return decode


def show(results, kind, **options):
    return decoding.show(results, **options)


def draw(found):
    greedy = [(row, results) for row, results in found if "beam" not in row[1]]
    return pictures.bars(decoding.speeds(greedy), "tokens per second")


if __name__ == "__main__":
    side_by_side.main(__file__)
