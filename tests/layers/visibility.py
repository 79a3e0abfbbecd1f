"""Helpers of the tests of visibility: all masks and biases of a layer, slices of them, the order of positions."""

import inspect

import numpy as np

from tests.layers.conformance import arrays, built


def padding(case):
    """Padding masks: the last position of the first sample is padding, the last two of the second."""
    masks = []
    for shape in case.inputs:
        dims = shape[: 1 + len(case.dynamic)]
        mask = np.ones(dims, bool)
        mask[0, ..., -1] = False
        mask[1, ..., -2:] = False
        masks.append(mask)
    return masks


def takes(case, name):
    return name in inspect.signature(case.layer.call).parameters


def scores_shape(case):
    """Shape of the scores that `attention_mask` applies to."""
    return case.scores["self"] if isinstance(case.scores, dict) else case.scores


def everything(case):
    """All masks and biases of a call, hiding nothing: {name: array}."""
    rest = {name: np.ones_like(mask) for name, mask in zip(case.masks, padding(case))}
    if takes(case, "attention_mask"):
        rest["attention_mask"] = np.ones(scores_shape(case), bool)
    if takes(case, "attention_bias"):
        rest["attention_bias"] = np.zeros(scores_shape(case), "float32")
    return rest


def hidings(case):
    """Yields (name, masks and biases, the positions whose queries are fully masked, weights of the values).

    The positions are a mask over `case.positions`.
    """
    rest = everything(case)
    if "attention_mask" in rest:
        yield "attention_mask", *_row(case, "attention_mask", np.s_[0, ..., 2, :], False, np.s_[0, ..., 2]), case.values
    if "attention_bias" in rest:
        nobody = _row(case, "attention_bias", np.s_[1, ..., 3, :], -np.inf, np.s_[1, ..., 3])
        yield "attention_bias", *nobody, case.values
        # Causality hides the later keys: -inf for all others must not move the probability to them.
        earlier = _row(case, "attention_bias", np.s_[1, ..., 3, :4], -np.inf, np.s_[1, ..., 3])
        if case.causal:
            yield "attention_bias of all that causality leaves", *earlier, case.values
    memory = case.memory_values or case.values
    for name in case.masks:
        hidden = np.zeros(case.positions, bool)
        if case.pooled or name in ("value_mask", "key_mask", "memory_mask"):
            hidden[1] = True
            yield name, {**rest, name: _with(rest[name], 1, False)}, hidden, memory
        elif name == "query_mask" and len(case.inputs) > 1:
            hidden[0, ..., 1] = True
            yield name, {**rest, name: _with(rest[name], np.s_[0, ..., 1], False)}, hidden, memory


def _row(case, name, at, value, rows):
    rest = everything(case)
    hidden = np.zeros(case.positions, bool)
    hidden[rows] = True
    return {**rest, name: _with(rest[name], at, value)}, hidden


def _with(x, at, value):
    x = x.copy()
    x[at] = value
    return x


def blind(case, values):
    """(layer, inputs) with which every context is zero, whatever is visible."""
    layer, x = built(case), arrays(case)
    if not values:
        x[1 if len(x) > 1 else 0][:] = 0
        return layer, x
    of_values = [weight for weight in layer.weights if weight.path.endswith(values)]
    assert of_values, values
    for weight in of_values:
        weight.assign(np.zeros(weight.shape))
    return layer, x


def order(case, shape):
    """The rank of each position in the generation order: ints of the shape without batch and features."""
    dims = shape[1:-1]
    if "attention_axes" in case.init:
        return np.broadcast_to(np.arange(dims[-1]), dims)
    block = case.init.get("query_block")
    if not isinstance(block, tuple):
        return np.arange(np.prod(dims)).reshape(dims)
    positions = [(y, x) for y in range(dims[0]) for x in range(dims[1])]
    positions.sort(key=lambda at: (at[0] // block[0], at[1] // block[1], at))
    ranks = np.zeros(dims, int)
    for rank, at in enumerate(positions):
        ranks[at] = rank
    return ranks


def resized(case, batch=2, queries=None, keys=None):
    """The inputs, masks and biases, cut to the first samples, queries and keys."""
    last = max(case.dynamic)
    keys = queries if len(case.inputs) == 1 else keys
    lengths = [queries if i == 0 else keys for i in range(len(case.inputs))]
    x = [a[:batch].swapaxes(last, -1)[..., :n].swapaxes(last, -1) for a, n in zip(arrays(case), lengths, strict=True)]
    rest = everything(case)
    for name, n in zip(case.masks, lengths):
        rest[name] = rest[name][:batch, ..., :n]
    for name in set(rest) - set(case.masks):
        of_itself = isinstance(case.scores, dict)  # as the first attention of a decoder
        rest[name] = rest[name][:batch, ..., :queries, : queries if of_itself else keys]
    return x, rest


def pools(case):
    """Whether the keys are pooled by two: there must be two of them on each axis."""
    non_local = "NonLocal" in str(case) and case.init.get("extent") != "time" and case.init.get("pool", "after")
    return non_local or str(case) == "SelfAttention2D"


def hide_all_but(case, length):
    """All masks and biases, with padding from this length on in all inputs."""
    rest = everything(case)
    for name in case.masks:
        rest[name][..., length:] = False
    return rest


def first(x, case, length):
    """The output, cut to the first positions, if it has any."""
    if case.pooled:
        return x
    last = max(case.dynamic)
    return x.swapaxes(last, -1)[..., :length].swapaxes(last, -1)
