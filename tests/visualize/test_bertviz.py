import json
import sys
import types

import numpy as np
import pytest

from keras_attention.visualize import to_bertviz

T, S, N = 4, 6, 3
RNG = np.random.default_rng(0)
SELF = {f"net/{name}/look": RNG.dirichlet(np.ones(T), (1, N, T)) for name in "ab"}
CROSS = [RNG.dirichlet(np.ones(S), (N, T)) for _ in range(2)]
TOKENS, KEYS = ["a", "<b>", " ", "猫"], ["k", "e", "y", "s", "#", "."]


def test_tensors_of_layers_and_tokens(monkeypatch):
    if "torch" not in sys.modules:  # its import takes seconds; the test below takes PyTorch itself
        monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(from_numpy=np.asarray))
    given = to_bertviz(SELF, TOKENS)
    assert list(given) == ["attention", "tokens"]
    assert given["tokens"] == ["a", "<b>", "\N{OPEN BOX}", "猫"]
    for tensor, scores in zip(given["attention"], SELF.values(), strict=True):
        np.testing.assert_allclose(np.asarray(tensor), scores, rtol=1e-6)
    given = to_bertviz(CROSS, "abcd", KEYS)
    assert (given["decoder_tokens"], given["encoder_tokens"]) == (list("abcd"), KEYS)
    for tensor, scores in zip(given["cross_attention"], CROSS, strict=True):
        np.testing.assert_allclose(np.asarray(tensor), np.expand_dims(scores, 0), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([np.ones((2, 4, 4)), np.ones((3, 4, 4))], "abcd"), r"one N, one T and one S.*\(2, 4, 4\), \(3, 4, 4\)"),
        ((CROSS, "abcd"), "`tokens` must be 6 labels"),
        ((CROSS, "abcd", "ab"), "`key_tokens` must be 6 labels"),
        ((np.ones((2, 4)), "abcd"), "`scores` must be those of one sample"),
    ],
)
def test_wrong_arguments_raise_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        to_bertviz(*arguments)


def test_without_pytorch_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="bertviz takes tensors of PyTorch: pip install torch bertviz"):
        to_bertviz(SELF, TOKENS)


@pytest.mark.slow
@pytest.mark.parametrize("view", ["head_view", "model_view"])
def test_bertviz_draws_them(view):
    bertviz = pytest.importorskip("bertviz", reason="pip install bertviz")
    for given, scores, left, right in (
        (to_bertviz(SELF, list("abcd")), list(SELF.values()), list("abcd"), list("abcd")),
        (to_bertviz(CROSS, list("abcd"), KEYS), CROSS, list("abcd"), KEYS),
    ):
        page = getattr(bertviz, view)(**given, html_action="return").data
        parameters, _ = json.JSONDecoder().raw_decode(page, page.index("const params = {") + len("const params = "))
        [data] = parameters["attention"]
        assert (data["left_text"], data["right_text"]) == (left, right)
        np.testing.assert_allclose(data["attn"], np.reshape(scores, (2, N, T, -1)), rtol=1e-6)
