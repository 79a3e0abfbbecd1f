"""Every network lowers by `jax.export` for CPU, CUDA and TPU, with symbols as batch and lengths."""

import keras
import numpy as np
import pytest

from tests.backend import BACKEND
from tests.layers.helpers import numpy
from tests.models.factories import INPUTS, NETWORKS, of_class

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="`jax.export` needs the JAX backend")
# Otherwise JAX cannot tell that the positions of the halved feature maps are not fewer than none.
BOUNDS = {"NonLocalResNet": ["axis2 >= 5", "axis3 >= 5"]}


def sizes(name):
    """The static sizes of each input of the model, without the batch; `None` is unknown."""
    inputs = of_class(name).input
    return {key: x.shape[1:] for key, x in (inputs if isinstance(inputs, dict) else {"x": inputs}).items()}


def symbols(name, x):
    """Specs with symbols for the batch and unknown sizes. Images are concatenated, and must have the same rows."""
    import jax

    scope, specs = jax.export.SymbolicScope(BOUNDS.get(name, ())), {}
    for key, known in sizes(name).items():
        kind = {"segments": "tokens"}.get(key, key) if len(known) == 1 else "axis"
        dims = [f"{kind}{axis}" if size is None else str(size) for axis, size in enumerate(known, 1)]
        shape = jax.export.symbolic_shape(", ".join(["batch", *dims, ""]), scope=scope)
        specs[key] = jax.ShapeDtypeStruct(shape, x[key].dtype)
    return specs


def enlarged(name, x):
    """The inputs with two more in the batch; unknown sizes grow, no two of them alike."""
    more = {
        key: [(0, 2), *((0, (axis + (key == "target")) * (size is None)) for axis, size in enumerate(known, 1))]
        for key, known in sizes(name).items()
    }
    return {key: np.pad(array, more[key], mode="wrap") for key, array in x.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_lowers_for_cpu_cuda_and_tpu(name):
    import jax

    model, x = of_class(name), INPUTS[name]
    x = x if isinstance(x, dict) else {"x": x}
    x = {key: array.astype("int32" if array.dtype.kind == "i" else "float32") for key, array in x.items()}
    call = jax.jit(lambda x: model(x.get("x", x)))
    lowered = jax.export.export(call, platforms=("cpu", "cuda", "tpu"))(symbols(name, x))
    assert set(lowered.platforms) == {"cpu", "cuda", "tpu"}
    x = enlarged(name, x)
    for found, expected in zip(*(keras.tree.flatten(f(x)) for f in (lowered.call, call)), strict=True):
        np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-5)
