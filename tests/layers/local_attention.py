"""What the tests of local attention share: its weights in the paper's loops, and sequences written step by step."""

import numpy as np

from tests.backend import value_and_gradients
from tests.layers.helpers import numpy, weights_of
from tests.reference.multi_head_attention import multi_head


def dense(layer, x, seen):
    """Output and scores of the paper's loops for flat inputs [B, places, D], of which `seen` says who sees whom."""
    sees = np.broadcast_to(seen, (len(x), layer.num_heads, *seen.shape))
    return multi_head(x, x, x, weights_of(layer), sees)


def written(layer, cache, x, steps, mask=None):
    """The outputs of steps of so many positions of x [B, places, D], and the last cache."""
    outputs, start = [], 0
    for count in steps:
        part = slice(start, start + count)
        call = {} if mask is None else {"mask": mask[:, part]}
        output, cache = layer(x[:, part], cache=cache, cache_index=start, **call)
        outputs.append(numpy(output))
        start += count
    return np.concatenate(outputs, 1), cache


def seen_by(layer, x, places):
    """For each of `places`, on which places of x [1, ..., D] what `layer` gives there depends: booleans."""
    changed = []
    for place in places:
        cotangent = np.zeros_like(x)  # not of ones: the gradient of their sum may vanish
        cotangent[(0, *place)] = 1 + np.arange(x.shape[-1])
        _, [gradient] = value_and_gradients(layer, [x], cotangent)
        changed.append((gradient[0] != 0).any(-1))
    return np.array(changed)
