"""Clips of somebody who walks through a game's maps, and of what they did: a label that no single frame gives away.

Rendered by ViZDoom (MIT) from the maps and pictures of Freedoom (BSD), which its package brings along. The package is
fetched by pip into a cache folder and used from there; nothing of it is part of this repository.
"""

import contextlib
import importlib
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np
from dates_served import quiet
from fetching import UnavailableError, cache_folder, pip, run
from PIL import Image

REQUIREMENT = "vizdoom==1.3.2"
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
FRAMES, SIZE, TICKS = 8, 64, 2
LEARNED, EXAMINED = tuple(f"map{i:02d}" for i in range(1, 13)), tuple(f"map{i:02d}" for i in range(13, 19))


def load(number, maps, seed, folder=None, download=None):
    """About `number` clips of these maps, as many of each kind; made once and kept.

    Args:
        number: Int.
        maps: Tuple of names of maps.
        seed: Int.
        folder: Of fetched and made data; `None` means the user's cache folder.
        download: `download(folder)` in place of pip.

    Returns:
        Clips, uint8 [N, FRAMES, SIZE, SIZE, 3], and labels, int32 [N].
    """
    folder = cache_folder(folder)
    path = folder / f"clips-{maps[0]}-{maps[-1]}-{number}-{seed}.npz"
    if not path.is_file():
        made = make(game_package(folder, download), number, maps, seed)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as beside:
            np.savez_compressed(pathlib.Path(beside) / path.name, clips=made[0], labels=made[1])
            os.replace(pathlib.Path(beside) / path.name, path)
    with np.load(path) as kept:
        return kept["clips"], kept["labels"]


def game_package(folder, download=None):
    """The module `vizdoom`: the installed one, or one fetched into the cache folder.

    Raises:
        UnavailableError: If it cannot be fetched.
    """
    if importlib.util.find_spec("vizdoom") is None:
        place = folder / f"{REQUIREMENT.replace('==', '-')}-py{sys.version_info[0]}{sys.version_info[1]}"
        if not place.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            print(f"Fetching {REQUIREMENT} (39 MB) into {folder}", flush=True)
            with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as beside:
                problem = (download or pip_install)(f"{beside}/package")
                if not (pathlib.Path(beside) / "package" / "vizdoom").is_dir():
                    raise UnavailableError(advice(problem or "pip fetched another package"))
                shutil.move(f"{beside}/package", place)
        sys.path.append(str(place))
        importlib.invalidate_caches()
    try:
        return importlib.import_module("vizdoom")
    except ImportError as error:
        raise UnavailableError(advice(f"it cannot be loaded here: {error}")) from error


def pip_install(folder):
    """Lets pip unpack the package into `folder`. Returns the last of what it says if it fails, else ""."""
    wanted = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", folder]
    return run([*pip(), "install", *wanted, REQUIREMENT])


def advice(problem):
    return (
        f"The clips cannot be made: {problem}\n"
        f"They are rendered by the package {REQUIREMENT} of PyPI (39 MB, for Linux and macOS). Try again where pip "
        "reaches an index, or install the package."
    )


def make(vizdoom, number, maps, seed):
    """Renders the clips, as many of each kind and about as many of each map, and tells how far it is."""
    import tqdm

    rng, clips, labels = np.random.default_rng(seed), [], []
    a_map = -(-number // len(maps))
    bar = tqdm.tqdm(total=number, unit=" clips", file=sys.stdout, disable=not sys.stdout.isatty())
    # The engine says at length when it has to be started again.
    with bar, quiet():
        for name in maps:
            for clip, label in in_a_map(vizdoom, name, rng, min(a_map, number - len(clips)), len(clips)):
                clips.append(clip)
                labels.append(label)
                bar.update()
    return np.stack(clips), np.array(labels, "int32")


def in_a_map(vizdoom, name, rng, number, first):
    """Yields (clip, label) of so many clips of a map; the kinds take turns, from number `first` on."""
    with tempfile.TemporaryDirectory() as folder:
        game = start(vizdoom, name, rng, folder)
        try:
            # The engine does not survive that this weapon is picked up.
            objects = [o for o in game.get_state().objects if o.name != "SuperShotgun"]
            places, made, tried = [(o.position_x, o.position_y) for o in objects], 0, 0
            while made < number:
                tried += 1
                if tried > 60 * number + 600:
                    raise RuntimeError(f"Hardly a place of {name} lets one move. Received: {made} of {number} clips")
                label = (first + made) % len(KINDS)
                try:
                    clip = walk(game, places[rng.integers(len(places))], label, rng)
                except vizdoom.ViZDoomErrorException:
                    game.close()
                    game, clip = start(vizdoom, name, rng, folder), None
                if clip is not None:
                    made += 1
                    yield clip, label
                elif game.is_episode_finished():  # one has found the exit
                    begin(game)
        finally:
            game.close()


def start(vizdoom, name, rng, folder):
    """The engine, in this map, alone, and nothing but the view on the screen; it writes its files into `folder`."""
    game = vizdoom.DoomGame()
    game.set_doom_game_path(os.path.join(os.path.dirname(vizdoom.__file__), "freedoom2.wad"))
    game.set_doom_map(name)
    game.set_seed(int(rng.integers(2**31)))
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_objects_info_enabled(True)
    game.set_window_visible(False)
    game.set_sound_enabled(False)
    game.set_render_hud(False)
    game.set_render_weapon(False)
    game.set_render_crosshair(False)
    game.set_render_messages(False)
    # The view neither bobs with the steps nor says that a secret was found.
    game.add_game_args("-nomonsters +movebob 0 +cl_showsecretmessage 0")
    delta = vizdoom.Button
    for button in (
        delta.MOVE_FORWARD_BACKWARD_DELTA,
        delta.MOVE_LEFT_RIGHT_DELTA,
        delta.TURN_LEFT_RIGHT_DELTA,
    ):
        game.add_available_button(button, 1000)
    variables = vizdoom.GameVariable
    game.set_available_game_variables([variables.POSITION_X, variables.POSITION_Y, variables.ANGLE])
    game.set_episode_timeout(0)
    with contextlib.chdir(folder):
        game.init()
    begin(game)
    return game


def begin(game):
    """A new round, in which nothing moves or hurts."""
    game.new_episode()
    for command in ("freeze", "god", "notarget"):
        game.send_game_command(command)
    game.make_action([0, 0, 0], 1)


def walk(game, place, label, rng):
    """A clip from about this place, into any direction and at any speed; `None` if the way was blocked."""
    x, y = np.array(place) + rng.uniform(-96, 96, 2)
    game.send_game_command(f"warp {x:.0f} {y:.0f}")
    game.make_action([0, 0, float(rng.uniform(-180, 180))], 1)
    forwards, sideways, turn = KINDS[tuple(KINDS)[label]]
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


def shrink(screen):
    """The middle of [120, 160, 3], as [SIZE, SIZE, 3]; each pixel is the mean of the area that it covers."""
    middle = Image.fromarray(np.ascontiguousarray(screen[:, 20:140]))
    return np.asarray(middle.resize((SIZE, SIZE), Image.Resampling.BOX))
