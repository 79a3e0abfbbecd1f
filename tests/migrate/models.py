"""The stored tensorflow-addons decoders, converted to this library."""

import keras
import numpy as np

from keras_attention import decoding, migrate

START, END, LONGEST = 1, 2, 12


def cell(name, **kwargs):
    """A new cell of the type and size of the case `name`."""
    if "stacked" in name:
        return keras.layers.StackedRNNCells([keras.layers.LSTMCell(5), keras.layers.LSTMCell(6)])
    if "lstm" in name:
        return keras.layers.LSTMCell(6)
    return keras.layers.GRUCell(6, reset_after="reset_before" not in name)


def states(case, name, when="initial"):
    """The stored states, in the structure of the cell."""
    flat = [case[f"{when}/{i}"] for i in range(4) if f"{when}/{i}" in case]
    return [flat[:2], flat[2:]] if "stacked" in name else flat


def wrapper(case, name, **kwargs):
    """`AttentionRNN` with the weights of a case."""
    weights = {key: w for key, w in case["weights"].items() if not key.startswith("output_layer")}
    return migrate.attention_wrapper(weights, cell(name), **kwargs)


def decoder(case, name):
    """`step` and `cache` of a case, for `BasicDecoder` and `BeamSearchDecoder`."""
    rnn = wrapper(case, name, output_attention="bahdanau" not in name)
    memory = rnn.project_memory(case["memory"], lengths=case["lengths"])
    step = decoding.decoder_step(rnn, case["embedding"], lambda x: to_logits(case, x))
    return step, {"memory": memory, "state": rnn.start(memory, states(case, name))}


def to_logits(case, outputs):
    kernel, bias = (case["weights"][f"output_layer/{name}:0"] for name in ("kernel", "bias"))
    return keras.ops.add(keras.ops.matmul(outputs, kernel), bias)


def starts(case):
    return np.full(len(case["memory"]), START, "int32")
