"""Clips of a player who walks through a game's maps, labeled by the motion, which no single frame shows.

Rendered by ViZDoom (MIT) from the maps and textures of Freedoom (BSD), which its package includes. pip downloads it
into a cache folder; nothing of it is part of this repository.
"""

import functools

import game_maps
import numpy as np
from game_maps import shrink

# Action of each class: (forwards, step to the right, turn to the right), in units of a step.
KINDS = {
    "forwards": (1, 0, 0),
    "backwards": (-1, 0, 0),
    "step left": (0, -1, 0),
    "step right": (0, 1, 0),
    "turn left": (0, 0, -1),
    "turn right": (0, 0, 1),
}
MIRRORED = (0, 1, 3, 2, 5, 4)  # the class of a flipped clip
FRAMES, TICKS = 8, 2


def load(number, maps, seed, folder=None):
    """`number` clips of these maps, as many of each class; rendered once and cached.

    Args:
        number: Int N.
        maps: Tuple of names of maps.
        seed: Int.
        folder: Folder of downloaded and rendered data; `None`: the user's cache folder.

    Returns:
        Clips, uint8 [N, FRAMES, SIZE, SIZE, 3], and labels, int32 [N].

    Raises:
        UnavailableError: If the game cannot be downloaded.
    """
    name = f"clips-{maps[0]}-{maps[-1]}-{number}-{seed}"
    data = game_maps.load(name, functools.partial(make, number=number, maps=maps, seed=seed), folder)
    return data["clips"], data["labels"]


def make(vizdoom, number, maps, seed):
    """Renders the clips, of all classes in turn."""
    rng = np.random.default_rng(seed)
    clips = list(game_maps.pictures(vizdoom, maps, number, rng, functools.partial(settings, vizdoom), walk))
    return {"clips": np.stack(clips), "labels": np.arange(number, dtype="int32") % len(KINDS)}


def settings(vizdoom, game):
    """No monsters, a view that does not bob, and buttons to walk and turn."""
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


def walk(game, location, number, rng):
    """Clip `number` from near this location, in a random direction at a random speed; `None` if blocked."""
    x, y = np.array(location) + rng.uniform(-96, 96, 2)
    game.send_game_command(f"warp {x:.0f} {y:.0f}")
    game.make_action([0, 0, float(rng.uniform(-180, 180))], 1)
    forwards, sideways, turn = list(KINDS.values())[number % len(KINDS)]
    step, angle = rng.uniform(12, 30), rng.uniform(2, 5)
    action = [forwards * step, sideways * step, turn * angle]
    game.make_action([0, 0, 0], 4)  # until earlier actions have no effect
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
    """Whether the position, or the angle if `turn`, changes from frame to frame, the first one excepted."""
    change = np.diff(states[1:], axis=0)
    if turn:
        return bool((np.abs(change[:, 2]) > 1).all())
    return bool((np.hypot(change[:, 0], change[:, 1]) > 2).all())


def seen(frames):
    """Whether the frames are neither dark nor equal."""
    frames = frames.astype("float32")
    return bool(frames.mean() > 18 and np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)).min() > 1)
