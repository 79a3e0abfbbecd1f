import itertools

import numpy as np
import pairs_data
import pytest


@pytest.fixture(scope="module")
def made():
    draw = pairs_data.sampler("textures")
    return pairs_data.clips(draw, 400, np.random.default_rng(0))


def test_half_of_the_pairs_are_of_one_kind_and_the_answer_is_theirs(made):
    _, same, kinds, _ = made
    np.testing.assert_array_equal(same, kinds[:, 0] == kinds[:, 1])
    assert 0.4 < same.mean() < 0.6
    assert set(kinds.flat) == set(range(pairs_data.KINDS))


def test_patches_lie_where_it_says_one_in_each_half_and_the_rest_is_noise(made):
    clips, _, _, corners = made
    size = pairs_data.PATCH
    assert (corners[..., 0] // 2 == [0, 1]).all()
    rest = clips[..., 0].copy()
    for clip, places in zip(rest, corners):
        for frame, top, left in places:
            patch = clip[frame, top : top + size, left : left + size]
            assert patch.std() > 0.3
            patch[...] = np.nan
    assert np.nanstd(rest) == pytest.approx(pairs_data.NOISE, rel=0.02)
    assert np.nanmax(np.abs(rest)) < 7 * pairs_data.NOISE


def test_a_texture_is_its_wave():
    kinds = np.array([[6, 3]])
    [[long, short]] = pairs_data.textures(kinds, np.random.default_rng(0))
    for patch, (length, angle) in zip((long, short), ((6.0, np.pi / 5), (3.2, np.pi * 3 / 5))):
        y, x = np.mgrid[: pairs_data.PATCH, : pairs_data.PATCH]
        along = 2 * np.pi / length * (np.cos(angle) * x + np.sin(angle) * y)
        waves = np.stack([np.sin(along).ravel(), np.cos(along).ravel()], axis=1)
        error = patch.ravel() - waves @ np.linalg.lstsq(waves, patch.ravel(), rcond=None)[0]
        assert np.abs(error).max() < 1e-9


def test_digits_are_of_their_kind_in_half_their_size():
    images = np.repeat(np.arange(0, 200, 20, dtype="uint8"), 2)[:, None, None, None] + np.zeros((1, 28, 28, 1), "uint8")
    draw = pairs_data.sampler("digits", (images, np.arange(20) // 2))
    patches = draw(np.array([[3, 9], [0, 3]]), np.random.default_rng(0))
    assert patches.shape == (2, 2, pairs_data.PATCH, pairs_data.PATCH)
    np.testing.assert_allclose(patches[..., 5, 5], np.array([[60, 180], [0, 60]]) / 127.5)


def test_no_sum_over_patches_beats_the_best_without_pairs(monkeypatch):
    """Random evidence u, and every threshold between sums; for four kinds, so that chance reaches the best."""
    monkeypatch.setattr(pairs_data, "KINDS", 4)
    best, rng = 0, np.random.default_rng(0)
    pairs = list(itertools.product(range(4), repeat=2))
    weights = np.array([0.5 / 4 if a == b else 0.5 / 12 for a, b in pairs])
    for _ in range(300):
        u = rng.normal(size=4)
        sums = np.array([u[a] + u[b] for a, b in pairs])
        for t in sums - 1e-9:
            best = max(best, weights @ [(s > t) == (a == b) for s, (a, b) in zip(sums, pairs)])
    assert best == pytest.approx(pairs_data.best_without_pairs())
    assert best < 0.68
