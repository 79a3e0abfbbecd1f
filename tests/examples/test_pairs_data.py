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


def best_of_sums(first, other, chances):
    """The accuracy of "the same if the sum is above t" with the best t.

    Evidence [K, V] of V patches of each kind, and the chances of these patches.
    """
    kinds, (K, V) = np.indices(first.shape)[0].ravel(), first.shape
    pairs = [*itertools.product(range(K * V), repeat=2)]
    sums = np.array([first.flat[a] + other.flat[b] for a, b in pairs])
    same = np.array([kinds[a] == kinds[b] for a, b in pairs])
    weights = np.array([chances.flat[a] * chances.flat[b] for a, b in pairs])
    weights *= np.where(same, 0.5 / K, 0.5 / (K * (K - 1)))
    order = np.argsort(-sums)
    right = np.cumsum(np.where(same, weights, -weights)[order])
    return weights[~same].sum() + right[np.append(np.diff(sums[order]) < 0, True)].max()


@pytest.mark.parametrize("variants", [1, 3])
def test_no_sum_of_evidence_beats_the_limit_without_pairs(variants, monkeypatch):
    monkeypatch.setattr(pairs_data, "KINDS", 4)
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        evidence, chances = rng.normal(size=(2, 4, variants)), rng.random((4, variants))
        found.append(best_of_sums(*evidence, chances / chances.sum(axis=1, keepdims=True)))
    limit = pairs_data.limit_without_pairs()
    assert limit == pytest.approx(0.75) and 0.6 < max(found) <= limit + 1e-9


def test_evidence_that_is_opposite_for_both_patches_reaches_the_limit():
    kinds = np.arange(pairs_data.KINDS, dtype=float)[:, None]
    assert best_of_sums(kinds, -kinds, np.ones_like(kinds)) == pytest.approx(pairs_data.limit_without_pairs())


def test_evidence_that_is_alike_for_both_patches_and_varies_within_a_kind_stays_below_the_limit():
    # Of kind k, a patch says "the same" strongly, or not at all, and for higher kinds more strongly and more rarely.
    K = pairs_data.KINDS
    strength = 4.0 ** np.arange(K)
    chance = 1 - np.arange(K) / (K - 1)
    evidence, chances = np.stack([1.01 * strength, -strength], 1), np.stack([chance, 1 - chance], 1)
    best = max((1 + m / K - m * (m - 1) / (K * (K - 1))) / 2 for m in range(K))  # of evidence that depends on the kind
    assert best < 0.64 < 0.67 < best_of_sums(evidence, evidence, chances) < pairs_data.limit_without_pairs()
