"""The page of `visualize.html` in headless Chromium, with a real pointer: `pytest -m browser`."""

import numpy as np
import pytest

from keras_attention import visualize
from tests.visualize.browser import browser, installed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(installed() is None, reason="no Chromium or Chrome in the path (apt-get install chromium)"),
]

T, S = 4, 6
RNG = np.random.default_rng(0)
SCORES = {"net/a/look": RNG.dirichlet(np.ones(S), (2, T)), "net/b/look": RNG.dirichlet(np.ones(S), (3, T))}
KEYS = ["k", "שלום", "猫", "<b>", "e", "f"]
SHOWN = "[...document.getElementById('keys').children].map(span => Number(span.title))"
SHADES = "[...document.getElementById('keys').children].map(span => getComputedStyle(span).backgroundColor)"
SAYS = "document.getElementById('says').textContent"


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def page(tab, tmp_path):
    visualize.html(SCORES, "abcd", KEYS, title="Test", path=tmp_path / "page.html")
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    tab.open((tmp_path / "page.html").as_uri())
    return tab


def close(shown, expected):
    # Bytes of the maximum of the head, written with two digits.
    np.testing.assert_allclose(shown, expected, atol=0.006, rtol=0.05)


def query(t):
    return f"document.getElementById('queries').children[{t}]"


def test_the_pointer_on_a_query_shows_its_scores(page):
    first, _ = SCORES.values()
    close(page.evaluate(SHOWN), first[0, 0])
    page.point(query(2))
    close(page.evaluate(SHOWN), first[0, 2])
    assert "of “c”, a, head 0" in page.evaluate(SAYS)
    blue = [int(shade.strip("rgb()").split(",")[0]) for shade in page.evaluate(SHADES)]
    assert np.argsort(blue).tolist() == np.argsort(-first[0, 2]).tolist()  # the darkest key has the highest score
    page.point("document.querySelector('h1')")
    close(page.evaluate(SHOWN), first[0, 0])


def test_a_click_keeps_a_query_and_chooses_a_head_of_a_layer(page):
    first, second = SCORES.values()
    page.point(query(3), click=True)
    page.point("document.querySelector('h1')")
    close(page.evaluate(SHOWN), first[0, 3])
    page.point("document.querySelector('canvas[data-at=\"1,2\"]')", click=True)
    close(page.evaluate(SHOWN), second[2, 3])
    assert "of “d”, b, head 2" in page.evaluate(SAYS)
    pressed = "[...document.querySelectorAll('canvas[aria-pressed=true]')].map(c => c.dataset.at)"
    assert page.evaluate(pressed) == ["1,2"]
    page.point(query(1))
    close(page.evaluate(SHOWN), second[2, 1])


def test_the_keyboard_reaches_queries_and_heads(page):
    page.evaluate("document.querySelector('canvas[data-at=\"0,1\"]').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter")
    page.evaluate(f"{query(2)}.focus()")
    close(page.evaluate(SHOWN), SCORES["net/a/look"][1, 2])


def test_tokens_are_written_as_they_are(page):
    assert page.evaluate("[...document.getElementById('keys').children].map(span => span.textContent)") == KEYS
    assert page.evaluate("document.querySelectorAll('b').length") == 0


def test_no_request_leaves_the_page(page, tmp_path):
    for t in range(T):
        page.point(query(t), click=True)
    assert page.requests == [(tmp_path / "page.html").as_uri()]
    # A page that asks for more would be noticed.
    asking = (
        (tmp_path / "page.html").read_text().replace("default-src 'none';", "").replace("<h1", "<img src='x.png'><h1")
    )
    (tmp_path / "asking.html").write_text(asking)
    page.open((tmp_path / "asking.html").as_uri())
    assert len(page.requests) == 2
