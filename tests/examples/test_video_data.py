import sys
import types

import numpy as np
import pytest
import video_data
from fetching import UnavailableError


def test_a_mirror_turns_left_into_right():
    kinds = list(video_data.KINDS)
    for kind, (forwards, sideways, turn) in video_data.KINDS.items():
        mirrored = kinds[video_data.MIRRORED[kinds.index(kind)]]
        assert video_data.KINDS[mirrored] == (forwards, -sideways, -turn)


def test_maps_to_examine_are_others_than_those_to_learn_from():
    assert not set(video_data.LEARNED) & set(video_data.EXAMINED)


def test_a_clip_without_motion_is_left_out():
    along = np.array([[0, 0, 0], [0, 0, 0], [5, 0, 0], [9, 3, 0]], float)
    turning = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 4], [0, 0, 8]], float)
    assert video_data.moved(along, turn=False) and not video_data.moved(along, turn=True)
    assert video_data.moved(turning, turn=True) and not video_data.moved(turning, turn=False)
    along[3] = along[2]
    assert not video_data.moved(along, turn=False), "a wall stops the last step"


def test_dark_and_still_clips_are_left_out():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (8, 6, 6, 3)).astype("uint8")
    assert video_data.seen(frames)
    assert not video_data.seen(frames // 20)
    frames[4] = frames[3]
    assert not video_data.seen(frames)


def test_frames_are_shrunk_by_area(monkeypatch):
    screen = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype("uint8")
    monkeypatch.setattr(video_data, "SIZE", 40)
    means = screen[:, 20:140].reshape(40, 3, 40, 3, 3).mean(axis=(1, 3))
    # Pillow rounds along one axis, and then along the other.
    assert np.abs(video_data.shrink(screen) - means).max() <= 1
    monkeypatch.setattr(video_data, "SIZE", 64)
    assert video_data.shrink(screen).shape == (64, 64, 3)
    assert (video_data.shrink(np.full_like(screen, 77)) == 77).all()


def test_clips_are_made_once(tmp_path, monkeypatch):
    calls = []

    def make(vizdoom, number, maps, seed):
        calls.append(seed)
        return np.full((number, 8, 4, 4, 3), seed, "uint8"), np.arange(number, dtype="int32") % 6

    monkeypatch.setattr(video_data, "make", make)
    monkeypatch.setattr(video_data, "game_package", lambda folder, download: None)
    for seed in (3, 3, 4):
        clips, labels = video_data.load(7, ("map01",), seed, tmp_path)
        assert (clips == seed).all() and labels.tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert calls == [3, 4]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".npz", ".npz"]


def absent(monkeypatch):
    monkeypatch.setattr(video_data.importlib.util, "find_spec", lambda name: None)


def test_without_an_index_the_message_says_what_to_do(tmp_path, monkeypatch):
    absent(monkeypatch)
    with pytest.raises(UnavailableError, match=r"no index(.|\n)*vizdoom==1.3.2"):
        video_data.game_package(tmp_path, lambda folder: "no index")
    assert not list(tmp_path.iterdir())


def test_what_was_fetched_is_used_from_the_cache(tmp_path, monkeypatch):
    absent(monkeypatch)
    monkeypatch.setattr(sys, "path", list(sys.path))
    game = types.ModuleType("vizdoom")
    monkeypatch.setattr(video_data.importlib, "import_module", {"vizdoom": game}.get)

    def download(folder):
        (video_data.pathlib.Path(folder) / "vizdoom").mkdir(parents=True)
        return ""

    assert video_data.game_package(tmp_path, download) is game
    assert video_data.game_package(tmp_path, None) is game
    assert sys.path[-1].startswith(str(tmp_path))
