"""Attention over candidate images: closed forms."""

import numpy as np
import pytest
from keras import ops

from keras_attention.ops import select_candidates
from tests.backend import COMPILED, value_and_gradients
from tests.layers.helpers import numpy, random

CANDIDATES, LOGITS = random(2, 3, 5, 4, 6), random(2, 3, 5, 4, seed=1)


def mixed(candidates, logits):
    powers = np.exp(logits.astype("float64"))
    attention = powers / powers.sum(-1, keepdims=True)
    return np.einsum("byxm,byxmc->byxc", attention, candidates), attention


def test_attention_sums_to_one_and_weights_the_candidates():
    image, attention = (numpy(x) for x in select_candidates(CANDIDATES, 3 * LOGITS))
    np.testing.assert_allclose(attention.sum(-1), 1, atol=1e-6)
    expected = mixed(CANDIDATES, 3 * LOGITS)
    np.testing.assert_allclose(image, expected[0], atol=1e-5)
    np.testing.assert_allclose(attention, expected[1], atol=1e-6)


@pytest.mark.parametrize("chosen", range(4))
def test_one_hot_attention_selects_one_candidate(chosen):
    """Up to rounding: the max of a softmax is 1 or, without oneDNN, just below."""
    logits = np.full((2, 3, 5, 4), -200.0, "float32")
    logits[..., chosen] = 0
    image, _ = select_candidates(CANDIDATES, logits)
    np.testing.assert_allclose(numpy(image), CANDIDATES[..., chosen, :], rtol=2.0**-22)


def test_uniform_attention_is_the_mean():
    image, _ = select_candidates(CANDIDATES, np.full((2, 3, 5, 4), 7.0, "float32"))
    np.testing.assert_allclose(numpy(image), CANDIDATES.mean(-2), atol=1e-6)


def test_single_candidate_is_returned():
    image, attention = select_candidates(CANDIDATES[..., :1, :], LOGITS[..., :1])
    np.testing.assert_array_equal(numpy(attention), np.ones((2, 3, 5, 1)))
    np.testing.assert_array_equal(numpy(image), CANDIDATES[..., 0, :])


@pytest.mark.parametrize("how", COMPILED)
def test_values_and_gradients_match_the_equation(how):
    cotangent = random(2, 3, 5, 6, seed=2)

    def select(candidates, logits):
        return select_candidates(candidates, logits)[0]

    value, [of_candidates, of_logits] = value_and_gradients(select, [CANDIDATES, LOGITS], cotangent, how)
    image, attention = mixed(CANDIDATES, LOGITS)
    np.testing.assert_allclose(value, image, atol=1e-5)
    np.testing.assert_allclose(of_candidates, attention[..., None] * cotangent[..., None, :], atol=1e-5)
    gain = np.einsum("byxmc,byxc->byxm", CANDIDATES - image[..., None, :], cotangent)
    np.testing.assert_allclose(of_logits, attention * gain, atol=1e-5)


def test_large_half_precision_logits_stay_finite():
    logits = ops.cast(60000 * np.sign(LOGITS), "float16")
    image, attention = select_candidates(ops.cast(CANDIDATES, "float16"), logits)
    assert np.isfinite(numpy(image)).all()
    np.testing.assert_allclose(numpy(attention).astype("float32").sum(-1), 1, atol=1e-3)


@pytest.mark.parametrize("candidates, logits", [((2, 3, 5, 4, 6), (2, 3, 5, 3)), ((2, 3, 5, 4), (2, 3, 5, 4))])
def test_wrong_shapes_are_refused(candidates, logits):
    with pytest.raises(ValueError, match="`candidates` must be .* Received: candidates.shape="):
        select_candidates(random(*candidates), random(*logits))
