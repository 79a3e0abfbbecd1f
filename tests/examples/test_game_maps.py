import os
import sys
import types

import game_maps
import numpy as np
import pytest
from fetching import UnavailableError


def test_training_and_test_maps_are_disjoint():
    assert not set(game_maps.LEARNED) & set(game_maps.EXAMINED)


def test_frames_are_resized_by_area(monkeypatch):
    screen = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype("uint8")
    monkeypatch.setattr(game_maps, "SIZE", 40)
    means = screen[:, 20:140].reshape(40, 3, 40, 3, 3).mean(axis=(1, 3))
    # Pillow epochs along one axis, and then along the other.
    assert np.abs(game_maps.shrink(screen) - means).max() <= 1
    monkeypatch.setattr(game_maps, "SIZE", 64)
    assert game_maps.shrink(screen).shape == (64, 64, 3)
    assert (game_maps.shrink(np.full_like(screen, 77)) == 77).all()


def test_arrays_are_computed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(game_maps, "game_package", lambda folder, download: "engine")
    calls = []

    def make(vizdoom):
        calls.append(vizdoom)
        return {"views": np.full((3, 4), len(calls)), "labels": np.arange(3)}

    for name in ("one", "one", "other"):
        arrays = game_maps.load(name, make, tmp_path / "new")
        assert arrays["labels"].tolist() == [0, 1, 2] and arrays["views"][0, 0] == (1 if name == "one" else 2)
    assert calls == ["engine", "engine"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["one.npz", "other.npz"]


class CrashError(Exception):
    pass


class Engine:
    """A stand-in engine, of maps with 3 objects, one of which crashes the true engine."""

    started = []

    def __init__(self):
        self.name, self.ended, self.closed, self.folder = None, False, False, None

    def set_doom_map(self, name):
        self.name = name

    def init(self):
        self.folder = os.getcwd()
        Engine.started.append(self)

    def get_state(self):
        names = [("Shell", 1.0), ("SuperShotgun", 2.0), ("Column", 3.0)]
        objects = [types.SimpleNamespace(name=name, position_x=x, position_y=-x) for name, x in names]
        return types.SimpleNamespace(objects=objects)

    def new_episode(self):
        self.ended = False

    def is_episode_finished(self):
        return self.ended

    def get_available_buttons_size(self):
        return 2

    def close(self):
        self.closed = True

    def __getattr__(self, name):  # settings and commands
        return lambda *_: None


@pytest.fixture
def vizdoom(monkeypatch):
    monkeypatch.setattr(Engine, "started", [])
    constant = types.SimpleNamespace(RES_160X120=1, RGB24=2)
    parts = {"DoomGame": Engine, "ScreenResolution": constant, "ScreenFormat": constant}
    return types.SimpleNamespace(**parts, ViZDoomErrorException=CrashError, __file__="vizdoom/__init__.py")


def seen(vizdoom, look, number=7, maps=("map01", "map02")):
    here = os.getcwd()
    found = list(game_maps.pictures(vizdoom, maps, number, np.random.default_rng(0), lambda game: None, look))
    assert os.getcwd() == here and all(engine.closed for engine in Engine.started)
    assert not any(os.path.exists(engine.folder) for engine in Engine.started), "its files are removed"
    return found


def test_each_map_has_its_share_of_images_and_none_are_of_the_weapon(vizdoom):
    found = seen(vizdoom, lambda game, place, number, rng: (game.name, place[0], number))
    assert [name for name, *_ in found] == ["map01"] * 3 + ["map02"] * 4
    assert [number for *_, number in found] == list(range(7))
    assert {x for _, x, _ in found} == {1.0, 3.0}


def test_a_crashed_engine_and_a_finished_episode_are_started_again(vizdoom):
    tried = []

    def look(game, place, number, rng):
        tried.append(number)
        if len(tried) == 2:
            raise CrashError
        if len(tried) == 4:
            game.ended = True
            return None
        assert not game.ended and not game.closed
        return number

    assert seen(vizdoom, look, number=4, maps=("map01",)) == [0, 1, 2, 3]
    assert tried == [0, 1, 1, 2, 2, 3] and len(Engine.started) == 2


def test_a_map_without_usable_images_is_an_error(vizdoom):
    tried = []
    with pytest.raises(RuntimeError, match="Too few usable images in map01. Received: 2 too few"):
        list(
            game_maps.pictures(
                vizdoom, ("map01",), 2, np.random.default_rng(0), lambda game: None, lambda *_: tried.append(1)
            )
        )
    assert len(tried) == 60 * 2 + 600


def absent(monkeypatch):
    monkeypatch.setattr(game_maps.importlib.util, "find_spec", lambda name: None)


def test_the_error_for_an_unavailable_package_says_what_to_do(tmp_path, monkeypatch):
    absent(monkeypatch)
    with pytest.raises(UnavailableError, match=r"no index(.|\n)*vizdoom==1.3.2"):
        game_maps.game_package(tmp_path, lambda folder: "no index")
    assert not list(tmp_path.iterdir())


def test_a_downloaded_package_is_used_from_the_cache(tmp_path, monkeypatch):
    absent(monkeypatch)
    monkeypatch.setattr(sys, "path", list(sys.path))
    game = types.ModuleType("vizdoom")
    monkeypatch.setattr(game_maps.importlib, "import_module", {"vizdoom": game}.get)

    def download(folder):
        os.makedirs(f"{folder}/vizdoom")
        return ""

    assert game_maps.game_package(tmp_path, download) is game
    assert game_maps.game_package(tmp_path, None) is game
    assert sys.path[-1].startswith(str(tmp_path))
