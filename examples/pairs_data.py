"""Clips of two patches, one in each half of the frames, at any place: are they of the same kind?

The kinds are ten textures, each with a random phase and contrast, or the ten digits of MNIST in half their size.
Generated for each batch.
"""

import numpy as np

FRAMES, SIDE, PATCH, KINDS = 4, 32, 12, 10
NOISE = 0.1  # standard deviation
TASKS = ("textures", "digits")
WAVES = (3.2, 6.0)  # pixels; each in five directions


def sampler(task, digits=None):
    """A function of kinds, int [B, 2], and a generator that draws a patch of each, [B, 2, PATCH, PATCH].

    Args:
        task: A name of `TASKS`.
        digits: Pair of digits uint8 [N, 28, 28, 1] and labels [N], of `"digits"`.
    """
    if task == "textures":
        return textures
    from digits_data import small

    images, labels = digits
    patches = 2 * small(images)
    of_kind = [np.flatnonzero(labels == kind) for kind in range(KINDS)]
    return lambda kinds, rng: np.stack([[patches[rng.choice(of_kind[k])] for k in pair] for pair in kinds])


def textures(kinds, rng):
    """Sine waves of the kind's direction and length, with a random phase and contrast: [B, 2, PATCH, PATCH]."""
    y, x = np.mgrid[:PATCH, :PATCH]
    length, angle = np.array(WAVES)[kinds // 5], np.pi * (kinds % 5) / 5
    phase, contrast = rng.uniform(0, 2 * np.pi, kinds.shape), rng.uniform(0.6, 1, kinds.shape)
    length, angle, phase, contrast = (values[..., None, None] for values in (length, angle, phase, contrast))
    return contrast * np.sin(2 * np.pi / length * (np.cos(angle) * x + np.sin(angle) * y) + phase)


def clips(draw, number, rng):
    """Clips of two patches in random frames, one in each half, at random places, in noise; half of one kind.

    Args:
        draw: A `sampler`.
        number: Int B.
        rng: `numpy.random.Generator`.

    Returns:
        Clips, float32 [B, FRAMES, SIDE, SIDE, 1]; whether both patches are of one kind, int32 [B]; the kinds, int
        [B, 2]; the frame, and the row and column of the corner, of both, int [B, 2, 3].
    """
    same = rng.integers(0, 2, number).astype("int32")
    first = rng.integers(0, KINDS, number)
    other = (first + rng.integers(1, KINDS, number)) % KINDS
    kinds = np.stack([first, np.where(same, first, other)], axis=1)
    corners = rng.integers(0, SIDE - PATCH + 1, (number, 2, 3))
    corners[..., 0] = np.array([0, FRAMES // 2]) + rng.integers(0, FRAMES // 2, (number, 2))
    canvas = rng.normal(0, NOISE, (number, FRAMES, SIDE, SIDE)).astype("float32")
    for clip, patches, places in zip(canvas, draw(kinds, rng), corners):
        for patch, (frame, top, left) in zip(patches, places):
            clip[frame, top : top + PATCH, left : left + PATCH] += patch
    return canvas[..., None], same, kinds, corners


def limit_without_pairs():
    """A limit of the accuracy of a network that adds up evidence of single patches, over all clips: 0.75.

    It answers "the same" for x + y > t, where x depends on one patch and y on the other. Take two such patches of each
    kind, and let it answer "the same" for m of these K pairs. For two of these m, x + y + x' + y' > 2 t, so that
    x + y' > t or x' + y > t: of the K (K - 1) pairs of different kinds, it answers at least m (m - 1) / 2 wrongly.
    """
    return max((1 + m / KINDS - m * (m - 1) / (2 * KINDS * (KINDS - 1))) / 2 for m in range(KINDS + 1))
