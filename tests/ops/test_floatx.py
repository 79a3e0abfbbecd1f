"""Results do not depend on Keras's global float type, only on the inputs."""

import keras
import numpy as np
import pytest

from keras_attention import ops
from keras_attention.ops import block_local
from keras_attention.ops.block_local.masks import Blocks
from tests.backend import at_once, numpy

RNG = np.random.default_rng(0)
QUERY, KEY, VALUE, IMAGE = (
    RNG.standard_normal(s).astype("float32") for s in ((2, 5, 3), (2, 7, 3), (2, 7, 4), (2, 6, 5, 3))
)
MASKS = {"query_mask": RNG.random((2, 5)) < 0.7, "key_mask": RNG.random((2, 7)) < 0.7}
MASK = {"mask": RNG.random((2, 5, 7)) < 0.7, **MASKS}
CENTER, VECTOR = (RNG.random((2, 5)) * 7).astype("float32"), RNG.standard_normal(6).astype("float32")
CHOOSE, LOCATIONS = RNG.random((2, 7)).astype("float32"), RNG.uniform(-1, 1, (2, 2)).astype("float32")
HEADS = [RNG.standard_normal((2, 9, 1, 2, size)).astype("float32") for size in (3, 3, 4)]
BLOCKS, PADDING = Blocks.of_sequence(3, 2, True, 1), RNG.random((2, 9, 1)) < 0.7

CALLS = {
    "additive": lambda: [ops.additive_attend(QUERY, KEY, VALUE, VECTOR[:3], block_size=n, **MASK) for n in (0, 2)],
    "local": lambda: [ops.windowed_attend(QUERY, KEY, VALUE, CENTER, 2.2, block_size=n, **MASK) for n in (0, 2)],
    "non_local": lambda: [
        *(ops.non_local(QUERY, KEY, VALUE, pairwise, **MASKS) for pairwise in ("gaussian", "dot_product")),
        *(ops.non_local(QUERY, KEY, VALUE, "concatenation", vector=VECTOR, block_size=n, **MASKS) for n in (0, 1)),
    ],
    "blocks": lambda: [block_local.attend(*HEADS, BLOCKS, mask=PADDING, dropout=rate, seed=3) for rate in (0.0, 0.4)],
    "monotonic": lambda: [ops.monotonic_alignment(CHOOSE, CHOOSE, m) for m in ("recursive", "parallel")],
    "window": lambda: [ops.gaussian_window(CENTER, 7, 2.2)],
    "pool": lambda: [ops.channel_pool(IMAGE, pool, mask=IMAGE[..., 0] > 0) for pool in ("avg", "max", "lp", "lse")],
    "images": lambda: [
        ops.resize_align_corners(IMAGE, (3, 8)),
        *(look(IMAGE, LOCATIONS, 3, scales=2, factor=1.5) for look in (ops.glimpses, ops.soft_glimpses)),
    ],
    "positions": lambda: [ops.rotate(QUERY[:, :, None, :2], np.arange(5)), ops.sinusoidal(np.arange(5), 6)],
    "spectral": lambda: list(ops.spectral_norm(QUERY[0], VECTOR[:3])),
}


# On JAX, Keras itself makes floats of all integers where the global type is bfloat16.
FLOATX = ("float16", "float64", *(() if keras.backend.backend() == "jax" else ("bfloat16",)))


@pytest.mark.parametrize("call", CALLS)
def test_global_float_type_has_no_effect(call):
    expected, before = [numpy(x) for x in at_once(CALLS[call])], keras.config.floatx()
    for floatx in FLOATX:
        keras.config.set_floatx(floatx)
        try:
            actual = at_once(CALLS[call])
        finally:
            keras.config.set_floatx(before)
        for one, other in zip(actual, expected, strict=True):
            assert keras.backend.standardize_dtype(one.dtype) == "float32", floatx
            np.testing.assert_allclose(numpy(one), other, atol=1e-6, err_msg=floatx)
