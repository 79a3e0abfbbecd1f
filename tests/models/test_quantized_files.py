"""int8 quantization and LoRA of every network: outputs, decoding steps, and files."""

import keras
import numpy as np
import pytest

from keras_attention import models
from tests.layers.helpers import numpy, random
from tests.models import test_sagan
from tests.models.factories import GLIMPSES, INPUTS, NETWORKS, noisy
from tests.models.image_helpers import in_order

# SAGAN normalizes its kernels by default, which then cannot be replaced.
PLAIN = {"spectral_normalization": False}
NORMALIZED = ("SAGANGenerator", "SAGANDiscriminator")
# Made of the layers of the others.
LONG = ("RNNSearch", "BERT", "Whisper", "NonLocalResNet", "SelectionGANGenerator")
MAKE = {name: make for name, make in NETWORKS.items() if name not in NORMALIZED} | {
    "SAGANGenerator": lambda: test_sagan.small(generator=PLAIN)[0],
    "SAGANDiscriminator": lambda: test_sagan.small(discriminator=PLAIN)[1],
}
WITH_LORA = tuple(getattr(keras.layers, name) for name in ("Dense", "EinsumDense", "Embedding", "Conv2D", "Conv3D"))


def each(names, slow):
    return pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in slow)) for n in names])


def answers(model, inputs, prepared=False):
    """All outputs in one vector. Logits of decoding steps must equal those at their position."""
    outputs = model(inputs)
    if hasattr(model, "step"):
        if isinstance(model, models.ImageTransformer):
            cache, tokens = model.start(inputs.shape[1:3], len(inputs)), numpy(model.to_sequence(inputs))
            tokens, logits = np.roll(tokens, 1, axis=1), in_order(model, outputs)  # the first token is ignored
        else:
            source, tokens = (inputs[:, :1], inputs) if isinstance(model, models.GPT) else inputs.values()
            given = [source, tokens[:, :1]] if isinstance(model, models.Whisper) else [source]
            cache, logits = model.start(*given, max_length=9), numpy(outputs)
        step = model.prepare_step() if prepared and hasattr(model, "prepare_step") else model.step
        for i in range(4):
            one, cache = step(tokens[:, i], cache, i)
            close(numpy(one), logits[:, i], 1e-4)
    return np.concatenate([numpy(x).ravel() for x in keras.tree.flatten(outputs)])


def close(found, expected, atol):
    np.testing.assert_allclose(found, expected, atol=atol * np.abs(expected).max())


@pytest.mark.usefixtures("few_objects")
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
@each([name for name in MAKE if name != "PatchDiscriminator"], slow=(*LONG, "Transformer", "SAGANDiscriminator"))
def test_int8(name, tmp_path):
    model, inputs = noisy(MAKE[name]()), INPUTS[name]
    exact = answers(model, inputs)
    model.quantize("int8")
    quantized = answers(model, inputs)
    assert 1e-4 < np.abs(quantized - exact).max() < 0.2 * np.abs(exact).max()
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    close(answers(twin, inputs), quantized, 1e-6)


@each(MAKE, slow=(*LONG, "ImageTransformer", *NORMALIZED))
def test_lora(name, tmp_path):
    """The file holds the product of the adapter, added to the kernel."""
    model, inputs = noisy(MAKE[name]()), INPUTS[name]
    exact = answers(model, inputs)
    changed = [layer for layer in model._flatten_layers() if isinstance(layer, WITH_LORA)]
    for layer in changed:
        layer.enable_lora(2)
    for i, w in enumerate(model.trainable_variables):
        if "lora" in w.path:
            w.assign(0.3 * random(*w.shape, seed=i))
    adapted = answers(model, inputs, prepared=True)
    assert np.abs(adapted - exact).max() > 0.01 * np.abs(exact).max()
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    close(answers(twin, inputs), adapted, 1e-5)


NEW = pytest.mark.skipif(not hasattr(keras.quantizers, "Int4QuantizationConfig"), reason="this Keras has no int4")


@pytest.mark.parametrize(
    "mode, arguments",
    [
        pytest.param("float8", {}, marks=pytest.mark.slow),
        pytest.param("int4", {}, marks=[NEW, pytest.mark.slow]),
        pytest.param("int8", {"filters": ["action", "baseline"]}, marks=NEW),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_other_modes_and_filters(mode, arguments, tmp_path):
    model, inputs = noisy(MAKE["RecurrentAttention"]()), INPUTS["RecurrentAttention"]
    exact = answers(model, inputs)
    model.quantize(mode, **arguments)
    changed = [layer.name for layer in model._flatten_layers() if layer.quantization_mode == mode]
    assert sorted(changed) == ["action", "baseline"] if arguments else len(changed) > 5
    quantized = answers(model, inputs)
    assert 1e-4 < np.abs(quantized - exact).max() < 0.5 * np.abs(exact).max()
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    close(answers(twin, inputs), quantized, 1e-6)


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_a_model_quantized_before_its_first_call(tmp_path):
    model, x = models.recurrent_attention(**GLIMPSES), random(2, 9, 11, 1)
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    close(answers(twin, x), answers(model, x), 1e-6)
    assert any(w.dtype == "int8" for w in twin.weights)
