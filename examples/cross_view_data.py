"""Places of a game's maps seen from above and from within, with a semantic map of the view: pairs for SelectionGAN.

Rendered by ViZDoom (MIT) from the maps and pictures of Freedoom (BSD), which its package brings along; it is fetched by
pip into a cache folder and used from there, as in `video_data.py`. Nothing of it is part of this repository.
"""

import os
import pathlib
import sys
import tempfile

import numpy as np
from fetching import cache_folder
from video_data import EXAMINED, LEARNED, SIZE, game_package, shrink

__all__ = ["EXAMINED", "KINDS", "LEARNED", "SIZE", "load", "painted"]

# What there is to be seen, and its colour in a semantic map.
KINDS = {
    "wall or sky": (70, 70, 90),
    "floor": (130, 90, 50),
    "ceiling": (60, 130, 170),
    "monster": (220, 40, 40),
    "thing to take": (250, 210, 40),
    "lamp": (255, 255, 220),
    "decoration": (60, 170, 70),
}
WALL, FLOOR, CEILING, DECORATION = 0, 1, 2, 6
# The engine's categories of things.
CATEGORIES = {"Monster": 3, "LightSource": 5}
CATEGORIES |= dict.fromkeys(("Ammo", "Armor", "Health", "Key", "Powerup", "Weapon"), 4)
# Views of them are left out: the first are unpleasant, the last cannot be seen, or turn all colours into others.
UNWANTED_KINDS = ("Gore", "Self", "Powerup")
UNWANTED_NAMES = ("Spectre", "Dead", "Blood", "Gib")


def load(number, maps, seed, folder=None, download=None):
    """`number` places of these maps, as many of each map; made once and kept.

    Args:
        number: Int N.
        maps: Tuple of names of maps.
        seed: Int.
        folder: Of fetched and made data; `None` means the user's cache folder.
        download: `download(folder)` in place of pip.

    Returns:
        Dict: "source", the map from above with the view's direction up, uint8 [N, SIZE, SIZE, 3]; "image", the view
        from within, uint8 [N, SIZE, SIZE, 3]; "semantics", the numbers of `KINDS` in the view, uint8 [N, SIZE, SIZE].

    Raises:
        UnavailableError: If the package cannot be fetched.
    """
    folder = cache_folder(folder)
    path = folder / f"views-{maps[0]}-{maps[-1]}-{number}-{seed}.npz"
    if not path.is_file():
        made = make(game_package(folder, download), number, maps, seed)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as beside:
            np.savez_compressed(pathlib.Path(beside) / path.name, **made)
            os.replace(pathlib.Path(beside) / path.name, path)
    with np.load(path) as kept:
        return dict(kept)


def painted(kinds):
    """Numbers of `KINDS` [...] as their colours, uint8 [..., 3]."""
    return np.array(list(KINDS.values()), "uint8")[kinds]


def make(vizdoom, number, maps, seed):
    """Renders the places, and tells how far it is."""
    import tqdm

    rng, made = np.random.default_rng(seed), []
    with tqdm.tqdm(total=number, unit=" views", disable=not sys.stderr.isatty()) as bar:
        for i, name in enumerate(maps):
            share = number * (i + 1) // len(maps) - number * i // len(maps)
            for view in in_a_map(vizdoom, name, rng, share):
                made.append(view)
                bar.update()
    return {name: np.stack([view[name] for view in made]) for name in ("source", "image", "semantics")}


def in_a_map(vizdoom, name, rng, number):
    """Yields so many views of a map."""
    # The engine writes a file where it is started.
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        try:
            game = start(vizdoom, name, int(rng.integers(2**31)))
        finally:
            os.chdir(before)
        try:
            places = [(o.position_x, o.position_y) for o in game.get_state().objects]
            made = tried = 0
            while made < number:
                tried += 1
                if tried > 60 * number + 600:
                    raise RuntimeError(f"Hardly a view of {name} is of use. Received: {made} of {number} views")
                view = look(game, places[rng.integers(len(places))], rng)
                if view is not None:
                    made += 1
                    yield view
        finally:
            game.close()


def start(vizdoom, name, seed):
    """The engine, in this map, with nobody moving, nothing but the view on the screen, and the map from above."""
    game = vizdoom.DoomGame()
    game.set_doom_game_path(os.path.join(os.path.dirname(vizdoom.__file__), "freedoom2.wad"))
    game.set_doom_map(name)
    game.set_seed(seed)
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    for part in ("window_visible", "sound_enabled", "render_hud", "render_weapon", "render_crosshair"):
        getattr(game, f"set_{part}")(False)
    game.set_render_messages(False)
    game.set_objects_info_enabled(True)
    game.set_labels_buffer_enabled(True)
    game.set_automap_buffer_enabled(True)
    game.set_automap_mode(vizdoom.AutomapMode.OBJECTS)
    game.set_automap_rotate(True)
    game.set_automap_render_textures(True)
    game.set_automap_render_objects_as_sprites(True)
    game.add_game_args("+viz_am_scale 2 +cl_showsecretmessage 0")
    game.add_available_button(vizdoom.Button.TURN_LEFT_RIGHT_DELTA, 1000)
    game.set_episode_timeout(0)
    game.init()
    for command in ("freeze", "god", "notarget"):
        game.send_game_command(command)
    game.make_action([0], 1)
    return game


def look(game, place, rng):
    """The view from about this place into any direction; `None` if it is of no use."""
    x, y = np.array(place) + rng.uniform(-96, 96, 2)
    game.send_game_command(f"warp {x:.0f} {y:.0f}")
    game.make_action([float(rng.uniform(-180, 180))], 2)
    state = game.get_state()
    if state is None or outside(state.automap_buffer) or any(unwanted(label) for label in state.labels):
        return None
    semantics = kinds(state.labels_buffer, {label.value: label.object_category for label in state.labels})
    image = shrink(state.screen_buffer)
    if not telling(image, semantics):
        return None
    return {"source": shrink(state.automap_buffer), "image": image, "semantics": semantics}


def unwanted(label):
    return label.object_category in UNWANTED_KINDS or any(name in label.object_name for name in UNWANTED_NAMES)


def outside(automap, distance=7):
    """Whether it is the void around the map, of one colour, that surrounds the middle."""
    Y, X = automap.shape[0] // 2, automap.shape[1] // 2
    around = [automap[Y + y, X + x] for y in (-distance, 0, distance) for x in (-distance, 0, distance) if x or y]
    return sum(np.abs(color.astype(int) - VOID).max() <= 8 for color in around) > 3


VOID = np.array((111, 87, 67))


def kinds(labels, categories):
    """The number of the kind at each place of the middle of labels [120, 160]: uint8 [SIZE, SIZE].

    categories: {label: the engine's category}. Label 0 is walls and sky, 1 the flat parts: floor or ceiling.
    """
    places = ((np.arange(SIZE) + 0.5) * 120 / SIZE).astype(int)
    labels = labels[places][:, 20 + places]
    lower = places[:, None] >= 60  # the horizon is in the middle
    found = np.where(labels == 1, np.where(lower, FLOOR, CEILING), WALL)
    for value, category in categories.items():
        found = np.where(labels == value, CATEGORIES.get(category, DECORATION), found)
    return found.astype("uint8")


def telling(image, semantics):
    """Whether the view is neither dark, nor of a wall alone, nor filled by a thing."""
    share = np.bincount(semantics.ravel(), minlength=len(KINDS)) / semantics.size
    return bool(image.mean() > 25 and share[FLOOR] > 0.08 and share[CEILING + 1 :].sum() < 0.4)
