import re

import keras
import layers_tour
import pytest

from keras_attention import layers

NAMES = {name for name in layers.__all__ if isinstance(getattr(layers, name), type)}
QUICK = ("CBAM", "NonLocalBlock", "ScaledDotProductAttention")


def test_every_public_layer_has_a_picture():
    assert all(issubclass(getattr(layers, name), keras.Layer) for name in NAMES)
    assert set(layers_tour.pictures()) == NAMES, "a new layer needs an entry in the `PICTURES` of a topic of the tour"
    assert {path.stem for path in layers_tour.OUTPUT.iterdir()} == NAMES, "run examples/layers_tour.py LAYER"


def test_the_gallery_shows_every_picture():
    docs = layers_tour.OUTPUT.parents[1]
    shown = [docs / path for path in re.findall(r"!\[.*?\]\((\S+)\)", (docs / "gallery.md").read_text())]
    assert {path.stem for path in shown if path.parent == layers_tour.OUTPUT} == NAMES
    assert all(path.is_file() for path in shown)


def test_topics_share_no_layer():
    assert sum(len(topic.PICTURES) for topic in layers_tour.topics()) == len(layers_tour.pictures())


def test_pictures_are_small():
    from PIL import Image

    for path in layers_tour.OUTPUT.iterdir():
        assert path.stat().st_size <= layers_tour.LARGEST, path.name
        assert max(Image.open(path).size) < 800, path.name


def require_drawn(folder, names):
    """The files are pictures with content, and nothing else is there."""
    from PIL import Image

    assert {path.stem for path in folder.iterdir()} == set(names)
    for path in folder.iterdir():
        shades = Image.open(path).convert("L").getextrema()
        assert shades[1] - shades[0] > 100, path.name


def test_some_layers_are_drawn(tmp_path):
    assert layers_tour.main([*QUICK, "--output", str(tmp_path)]) == 0
    require_drawn(tmp_path, QUICK)


def test_an_unknown_layer_is_refused(tmp_path, capsys):
    assert layers_tour.main(["CBAM", "Attend", "--output", str(tmp_path)]) == 1
    assert "unknown layers: Attend" in capsys.readouterr().err


@pytest.mark.slow
def test_all_layers_are_drawn(tmp_path):
    assert layers_tour.main(["--output", str(tmp_path)]) == 0
    require_drawn(tmp_path, NAMES)
