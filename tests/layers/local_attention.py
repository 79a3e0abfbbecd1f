"""Helpers of the tests of local attention: the paper's loops, and decoding in steps."""

import numpy as np

from tests.backend import value_and_gradients
from tests.layers.helpers import numpy, weights_of
from tests.reference.multi_head_attention import multi_head


def dense(layer, x, seen):
    """Output and scores of the paper's loops for flat inputs [B, P, D] and a mask `seen` [P, P]."""
    sees = np.broadcast_to(seen, (len(x), layer.num_heads, *seen.shape))
    return multi_head(x, x, x, weights_of(layer), sees)


def decoded(layer, cache, x, steps, mask=None):
    """Decodes x [B, P, D], each step so many positions; returns the outputs and the last cache."""
    outputs, start = [], 0
    for count in steps:
        part = slice(start, start + count)
        call = {} if mask is None else {"mask": mask[:, part]}
        output, cache = layer(x[:, part], cache=cache, cache_index=start, **call)
        outputs.append(numpy(output))
        start += count
    return np.concatenate(outputs, 1), cache


def seen_by(layer, x, positions):
    """For each of `positions`, the mask of positions of x [1, ..., D] that the output of `layer` there depends on."""
    changed = []
    for position in positions:
        cotangent = np.zeros_like(x)  # not of ones: the gradient of their sum may vanish
        cotangent[(0, *position)] = 1 + np.arange(x.shape[-1])
        _, [gradient] = value_and_gradients(layer, [x], cotangent)
        changed.append((gradient[0] != 0).any(-1))
    return np.array(changed)
