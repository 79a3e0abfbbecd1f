"""Clips of somebody who walks through a game's maps, and of what they did: a label that no single frame gives away.

Rendered by ViZDoom (MIT) from the maps and pictures of Freedoom (BSD), which its package brings along. The package is
fetched by pip into a cache folder and used from there; nothing of it is part of this repository.
"""

import functools

import game_maps
import numpy as np
from game_maps import shrink

# What is pressed: forwards or backwards, to the right or left, turned to the right or left; in units of a step.
KINDS = {
    "forwards": (1, 0, 0),
    "backwards": (-1, 0, 0),
    "step left": (0, -1, 0),
    "step right": (0, 1, 0),
    "turn left": (0, 0, -1),
    "turn right": (0, 0, 1),
}
MIRRORED = (0, 1, 3, 2, 5, 4)  # the kind of a clip seen in a mirror
FRAMES, TICKS = 8, 2


def load(number, maps, seed, folder=None):
    """`number` clips of these maps, as many of each kind; made once and kept.

    Args:
        number: Int N.
        maps: Tuple of names of maps.
        seed: Int.
        folder: Of fetched and made data; `None` means the user's cache folder.

    Returns:
        Clips, uint8 [N, FRAMES, SIZE, SIZE, 3], and labels, int32 [N].

    Raises:
        UnavailableError: If the game cannot be fetched.
    """
    name = f"clips-{maps[0]}-{maps[-1]}-{number}-{seed}"
    made = game_maps.load(name, functools.partial(make, number=number, maps=maps, seed=seed), folder)
    return made["clips"], made["labels"]


def make(vizdoom, number, maps, seed):
    """Renders the clips; the kinds take turns."""
    rng = np.random.default_rng(seed)
    clips = list(game_maps.pictures(vizdoom, maps, number, rng, functools.partial(settings, vizdoom), walk))
    return {"clips": np.stack(clips), "labels": np.arange(number, dtype="int32") % len(KINDS)}


def settings(vizdoom, game):
    """Nobody else is there, the view does not bob with the steps, and the walker can walk and turn."""
    game.add_game_args("-nomonsters +movebob 0")
    delta = vizdoom.Button
    for button in (
        delta.MOVE_FORWARD_BACKWARD_DELTA,
        delta.MOVE_LEFT_RIGHT_DELTA,
        delta.TURN_LEFT_RIGHT_DELTA,
    ):
        game.add_available_button(button, 1000)
    variables = vizdoom.GameVariable
    game.set_available_game_variables([variables.POSITION_X, variables.POSITION_Y, variables.ANGLE])


def walk(game, place, number, rng):
    """Clip `number` from about this place, into any direction and at any speed; `None` if the way was blocked."""
    x, y = np.array(place) + rng.uniform(-96, 96, 2)
    game.send_game_command(f"warp {x:.0f} {y:.0f}")
    game.make_action([0, 0, float(rng.uniform(-180, 180))], 1)
    forwards, sideways, turn = list(KINDS.values())[number % len(KINDS)]
    step, angle = rng.uniform(12, 30), rng.uniform(2, 5)
    action = [forwards * step, sideways * step, turn * angle]
    game.make_action([0, 0, 0], 4)  # what was pressed before has no effect any more
    frames, states = [], []
    for _ in range(FRAMES):
        state = game.get_state()
        if state is None:
            return None
        frames.append(shrink(state.screen_buffer))
        states.append(state.game_variables)
        game.make_action(action, TICKS)
    frames = np.stack(frames)
    return frames if moved(np.array(states), bool(turn)) and seen(frames) else None


def moved(states, turn):
    """Whether something changed from each frame to the next but the first: the place or, if `turn`, the angle."""
    change = np.diff(states[1:], axis=0)
    if turn:
        return bool((np.abs(change[:, 2]) > 1).all())
    return bool((np.hypot(change[:, 0], change[:, 1]) > 2).all())


def seen(frames):
    """Whether the frames are neither dark nor all the same."""
    frames = frames.astype("float32")
    return bool(frames.mean() > 18 and np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).min() > 1)
