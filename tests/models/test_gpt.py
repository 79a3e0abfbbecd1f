"""GPT and Llama: published sizes, decoding, padding, files. Against transformers: tests/migrate/test_gpt.py."""

import keras
import numpy as np
import pytest

from keras_attention import decoding, models
from tests.layers.helpers import numpy
from tests.models.helpers import noisy
from tests.variants import variants

SIZES = {"num_layers": 2, "model_dim": 16, "num_heads": 4, "intermediate_dim": 20}
GROUPED = {"attention": {"num_key_value_heads": 2, "query_key_norm": True}}
NETWORKS = {
    "gpt": lambda **given: models.gpt(23, max_length=12, **SIZES, **given),
    "llama": lambda **given: models.llama(23, **SIZES, **GROUPED, **given),
}
TOKENS = np.random.default_rng(0).integers(0, 23, (2, 7))
each = pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)


def test_gpt2_small_has_its_published_size():
    """Of the formula, with the sizes of the model's defaults: the network itself would take half a gigabyte."""
    V, L, D, F, layers = 50257, 1024, 768, 3072, 12
    block = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    assert V * D + L * D + layers * block + 2 * D == 124_439_808
    V, L, D, F, layers = 23, 12, 16, 20, 2
    block = 4 * (D * D + D) + 2 * D * F + F + D + 4 * D
    assert NETWORKS["gpt"]().count_params() == V * D + L * D + layers * block + 2 * D
    defaults = models.GPT.__init__.__defaults__[:5]
    assert defaults == (12, 768, 12, 3072, 1024)


@pytest.mark.slow
def test_gpt2_small_is_built_with_its_published_size():
    assert models.gpt().count_params() == 124_439_808


def test_llama_has_no_biases_and_a_table_of_its_own_for_the_logits():
    V, D, F, layers, N, K, H = 23, 16, 20, 2, 4, 2, 4
    block = D * H * (2 * N + 2 * K) + 3 * D * F + 2 * D + 2 * H
    assert NETWORKS["llama"]().count_params() == 2 * V * D + layers * block + D
    assert NETWORKS["llama"](tie_embeddings=True).count_params() == V * D + layers * block + D


@each
@pytest.mark.parametrize("prepared", [False, True])
def test_steps_after_a_prompt_are_the_whole_pass(make, prepared):
    model = noisy(make())
    whole, cache = numpy(model(TOKENS)), model.start(TOKENS[:, :3], 5)
    step = model.prepare_step() if prepared else model.step
    for i in range(4):
        tokens = keras.ops.convert_to_tensor(TOKENS[:, 2 + i], "int32")
        logits, cache = step(tokens, cache, keras.ops.convert_to_tensor(i, "int32"))
        np.testing.assert_allclose(numpy(logits), whole[:, 2 + i], atol=1e-5)


@pytest.mark.parametrize("make", variants(NETWORKS, "llama"))
def test_a_left_padded_prompt_is_continued_as_if_alone(make):
    model = noisy(make())
    mask = np.array([[0, 0, 1, 1], [1, 1, 1, 1]], bool)
    prompt = np.where(mask, np.roll(TOKENS[:, :4], 2, axis=1) * [[1], [0]] + TOKENS[:, :4] * [[0], [1]], 9)
    beams, scores = decoding.beam_search(model.step, model.start(prompt, 5, mask), prompt[:, -1], 5, 1, 3)
    for i, first in enumerate((2, 0)):
        alone = prompt[i : i + 1, first:]
        expected = decoding.beam_search(model.step, model.start(alone, 5), alone[:, -1], 5, 1, 3)
        np.testing.assert_array_equal(numpy(beams)[i], numpy(expected[0])[0])
        np.testing.assert_allclose(numpy(scores)[i], numpy(expected[1])[0], rtol=1e-4)
    unmasked = numpy(decoding.greedy(model.step, model.start(prompt, 5), prompt[:, -1], 5, None))
    masked = numpy(decoding.greedy(model.step, model.start(prompt, 5, mask), prompt[:, -1], 5, None))
    assert (unmasked[0] != masked[0]).any(), "padding must matter, or the test would be void"


def test_attention_scores_are_causal_and_sum_to_one():
    for scores in noisy(NETWORKS["llama"]()).attention_scores(TOKENS):
        np.testing.assert_allclose(numpy(scores).sum(-1), 1.0, rtol=1e-5)
        assert not np.triu(numpy(scores), 1).any()


def test_wrong_arguments():
    for given in ({"max_length": None}, {"rotary": {}}):
        with pytest.raises(ValueError, match="Either `max_length` or `rotary` must be given"):
            models.gpt(23, **SIZES, **given)
    with pytest.raises(ValueError, match="`attention` must hold arguments of its layer.*window"):
        models.gpt(23, **SIZES, attention={"window": 3})
    model = NETWORKS["gpt"]()
    assert tuple(model.start(TOKENS, 6)["blocks"][0]["self"]["key"].shape) == (2, 4, 12, 4)
    with pytest.raises(ValueError, match=r"at most 12, the number of learned.*\(2, 7\), max_length=7"):
        model.start(TOKENS, 7)
    with pytest.raises(ValueError, match="`max_length`.*max_length=0"):
        model.start(TOKENS, 0)
    with pytest.raises(ValueError, match="mask"):
        model.start(TOKENS, 3, mask=np.ones((2, 7), "float32"))
