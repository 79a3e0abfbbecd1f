import base64
import html.parser
import json
import re

import numpy as np
import pytest

from keras_attention import layers, visualize

T, S = 5, 7
RNG = np.random.default_rng(0)
TOKENS = ["</script><b>", "<!--", "“a” & \\u003c'\"", "年", "שלום"]
KEYS = ["k", " ", "\n", "$data", "$title", "\u2028", "\\"]


class Page(html.parser.HTMLParser):
    """The tags of a page with their attributes, and the texts inside of each tag."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open.pop() != tag:
            pass

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def data_of(page):
    [data, script] = Page(page).texts["script"]
    assert "JSON.parse" in script
    return json.loads(data)


def scores_of(layer, T, S):
    steps = np.frombuffer(base64.b64decode(layer["scores"]), "uint8").reshape(-1, T, S)
    return steps / 255 * np.reshape(layer["tops"], (-1, 1, 1))


def test_tokens_and_scores_come_back():
    scores = {
        "net/a/look": RNG.random((2, T, S)) * [[[3]], [[0.01]]],
        "net/b/look": RNG.dirichlet(np.ones(S), (1, 3, T)),
    }
    data = data_of(visualize.html(scores, TOKENS, KEYS, title="<i>$data"))
    assert data["queries"] == TOKENS
    assert data["keys"] == ["k", "\N{OPEN BOX}", "\\n", "$data", "$title", "\u2028", "\\"]
    assert [layer["name"] for layer in data["layers"]] == ["a", "b"]
    for layer, expected in zip(data["layers"], scores.values()):
        expected = expected.reshape(-1, T, S)
        error = np.abs(scores_of(layer, T, S) - expected).max(axis=(1, 2))
        assert (error <= 1.001 * expected.max(axis=(1, 2)) / 510).all()


def test_the_page_is_whole_and_asks_for_nothing():
    page = visualize.html([RNG.random((2, T, T))], TOKENS, title="a < $title")
    parsed = Page(page)
    assert parsed.texts["title"] == parsed.texts["h1"] == ["a < $title"]
    assert not parsed.open
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("script") == 2 and not {"link", "img", "iframe", "b", "i"} & set(tags)
    assert not [value for _, attributes in parsed.tags for value in map(attributes.get, ("src", "href")) if value]
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest|import\(", page)
    assert any(a.get("content", "").startswith("default-src 'none'") for tag, a in parsed.tags if tag == "meta")
    # Every element that the script asks for is there.
    ids = {attributes["id"] for _, attributes in parsed.tags if "id" in attributes}
    assert set(re.findall(r'getElementById\("(\w+)"\)', page)) == ids


def test_padding_is_left_out():
    scores = RNG.random((2, T, T))
    data = data_of(visualize.html([scores], TOKENS, query_mask=np.array([1, 1, 0, 1, 0])))
    assert data["queries"] == data["keys"] == [TOKENS[0], TOKENS[1], TOKENS[3]]
    found = scores_of(data["layers"][0], 3, 3)
    np.testing.assert_allclose(found, scores[:, [0, 1, 3]][:, :, [0, 1, 3]], atol=1 / 500)
    data = data_of(visualize.html([scores], TOKENS, "abcde", key_mask=np.arange(T) > 1))
    assert data["queries"] == TOKENS and data["keys"] == list("cde")


def test_the_page_of_a_layer_is_written(tmp_path):
    layer, x = layers.MultiHeadAttention(2, 4), RNG.standard_normal((1, T, 8)).astype("float32")
    scores = visualize.attention_scores(layer, x, value=x)
    page = visualize.html(scores, TOKENS, path=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    [found], [expected] = data_of(page)["layers"], scores.values()
    np.testing.assert_allclose(scores_of(found, T, T), expected[0], atol=1 / 510)


def test_scores_of_zero_are_zero():
    assert scores_of(data_of(visualize.html([np.zeros((2, 3, 3))], "abc"))["layers"][0], 3, 3).max() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ([np.ones((2, T, S)), np.ones((2, T, T))], TOKENS, KEYS),
            r"one T and one S. Received.*\[\(5, 7\), \(5, 5\)\]",
        ),
        (([np.ones((2, T, S))], "ab", KEYS), "`tokens` must be 5 labels.*Received: 2"),
        (([np.ones((2, T, S))], TOKENS), "`key_tokens` must be 7 labels.*Received: 5"),
        ((np.ones((2, T)), TOKENS), "`scores` must be those of one sample"),
    ],
)
def test_wrong_arguments_raise_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        visualize.html(*arguments)
