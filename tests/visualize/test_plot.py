import io
import sys
from itertools import pairwise

import matplotlib
import numpy as np
import pytest

from keras_attention.visualize import labels, plot_attention, style

SCORES = np.random.default_rng(0).dirichlet(np.ones(25), 10)


def rendered(figure):
    """Renders the figure; a missing glyph is a warning, and so an error here."""
    figure.savefig(file := io.BytesIO(), format="png", dpi=60)
    assert file.tell() > 1000
    return figure


def texts(labels):
    return [text.get_text() for text in labels]


def test_rows_are_queries_and_columns_are_keys():
    figure = rendered(plot_attention(SCORES, "2019-06-03", "Montag, den 3. Juni 2019.", title="de", key_title="read"))
    panel = figure.axes[0]
    np.testing.assert_allclose(panel.images[0].get_array(), SCORES, rtol=1e-6)
    assert texts(panel.get_yticklabels()) == list("2019-06-03")
    assert "".join(texts(panel.get_xticklabels())) == "Montag,␣den␣3.␣Juni␣2019."
    assert (figure.get_suptitle(), panel.get_xlabel()) == ("de", "read")


def test_neighbouring_labels_do_not_overlap():
    figure = rendered(plot_attention(SCORES, "2019-06-03", "Montag, den 3. Juni 2019."))
    boxes = [text.get_window_extent() for text in figure.axes[0].get_xticklabels()]
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_panels_of_all_heads_share_one_scale():
    scores = np.random.default_rng(0).random((3, 4, 5)) * np.array([1, 2, 3])[:, None, None]
    figure = rendered(plot_attention(scores))
    images = [panel.images[0] for panel in figure.axes if panel.images][:3]
    for head, image in enumerate(images):
        np.testing.assert_allclose(image.get_array(), scores[head], rtol=1e-6)
        assert image.get_clim() == pytest.approx((0, scores.max()))


@pytest.mark.parametrize("text", ["3 июня", "٣ يونيو", "3 Ιουν", "ג׳ ביוני", "$3$_{", "\t\n \x00"])
def test_labels_covered_by_the_default_font(text):
    rendered(plot_attention(np.eye(len(text)), text, text, title="two\nlines"))


def test_characters_without_a_font_become_code_points():
    character = "\U000f1234"  # of the private use area
    with pytest.warns(UserWarning, match="No installed font draws"):
        figure = plot_attention(np.eye(2), "ab", ["c", f"x{character}"], title=character)
    assert texts(rendered(figure).axes[0].get_xticklabels()) == ["c", "xU+F1234"]
    assert figure.get_suptitle() == "U+F1234"


@pytest.mark.filterwarnings("ignore:No installed font")
def test_labels_of_other_scripts_render_with_any_installed_fonts():
    rendered(plot_attention(np.eye(9), "2019年6月3日", "३ जून ไทย한"[:9]))


@pytest.mark.parametrize("scores", [np.ones(3), np.ones((1, 2, 3, 4)), np.ones((0, 3))])
def test_wrong_shape_raises_an_error(scores):
    with pytest.raises(ValueError, match=r"`scores` must be \[T, S\].*Received: scores.shape="):
        plot_attention(scores)


def test_wrong_number_of_labels_raises_an_error():
    with pytest.raises(ValueError, match="`key_labels` must be 25 labels.*Received: 2 labels"):
        plot_attention(SCORES, None, "ab")


@pytest.mark.parametrize("module", ["figure", "font_manager"])
def test_without_matplotlib_the_error_names_the_extra(monkeypatch, module):
    monkeypatch.setitem(sys.modules, f"matplotlib.{module}", None)
    with pytest.raises(ImportError, match=r"-m pip .*install 'keras-attention-layers\[visualize\]'"):
        plot_attention(SCORES)


def test_padding_is_left_out():
    query_mask, key_mask = np.arange(10) < 7, (np.arange(25) > 3).astype("int32")
    labels = [f"{i}!" for i in range(25)]
    figure = rendered(plot_attention(SCORES, None, labels, query_mask=query_mask, key_mask=key_mask))
    panel = figure.axes[0]
    np.testing.assert_allclose(panel.images[0].get_array(), SCORES[:7, 4:], rtol=1e-6)
    assert texts(panel.get_yticklabels()) == list("0123456")
    assert texts(panel.get_xticklabels()) == labels[4:]


@pytest.mark.parametrize("mask", [np.ones(9, bool), np.ones(10), np.zeros(10, bool)])
def test_wrong_mask_raises_an_error(mask):
    with pytest.raises(ValueError, match=r"`query_mask` must be boolean or integer, of shape \(10,\).*Received: query"):
        plot_attention(SCORES, query_mask=mask)


def ink(text, panel_size=(2, 1)):
    """Darkness of the columns of a picture of `text`, from the right edge of the text to the left."""
    figure = style.new_figure(*panel_size)
    labelling, [text] = labels.drawable([text])
    figure.text(0.95, 0.5, text, ha="right", fontsize=20, **labelling)
    figure.savefig(file := io.BytesIO(), format="rgba", dpi=100)
    picture = np.frombuffer(file.getvalue(), "uint8").reshape(100, 200, 4)
    dark = (255 - picture[..., 0].astype(int)).sum(axis=0)
    return dark[np.flatnonzero(dark)[-1] :: -1]


@pytest.mark.skipif(matplotlib.__version_info__ < (3, 11), reason="writes from left to right only")
def test_hebrew_is_written_from_right_to_left():
    both, first, last = ink("\N{HEBREW LETTER ALEF}\N{HEBREW LETTER YOD}"), *map(ink, "\u05d0\u05d9")
    assert np.abs(both[:10] - first[:10]).sum() < np.abs(both[:10] - last[:10]).sum()
