"""Places of a game's maps seen from above and from within, with a semantic map of the view: pairs for SelectionGAN.

Rendered by ViZDoom (MIT) from the maps and pictures of Freedoom (BSD), which its package brings along; it is fetched by
pip into a cache folder and used from there, as in `video_data.py`. Nothing of it is part of this repository.
"""

import functools

import game_maps
import numpy as np
from game_maps import SIZE, shrink

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


def load(number, maps, seed, folder=None):
    """`number` places of these maps, as many of each map; made once and kept.

    Args:
        number: Int N.
        maps: Tuple of names of maps.
        seed: Int.
        folder: Of fetched and made data; `None` means the user's cache folder.

    Returns:
        Dict: "source", the map from above with the view's direction up, uint8 [N, SIZE, SIZE, 3]; "image", the view
        from within, uint8 [N, SIZE, SIZE, 3]; "semantics", the numbers of `KINDS` in the view, uint8 [N, SIZE, SIZE].

    Raises:
        UnavailableError: If the game cannot be fetched.
    """
    name = f"views-{maps[0]}-{maps[-1]}-{number}-{seed}"
    return game_maps.load(name, functools.partial(make, number=number, maps=maps, seed=seed), folder)


def painted(kinds):
    """Numbers of `KINDS` [...] as their colours, uint8 [..., 3]."""
    return np.array(list(KINDS.values()), "uint8")[kinds]


def make(vizdoom, number, maps, seed):
    """Renders the places."""
    rng = np.random.default_rng(seed)
    made = list(game_maps.pictures(vizdoom, maps, number, rng, functools.partial(settings, vizdoom), look))
    return {name: np.stack([view[name] for view in made]) for name in ("source", "image", "semantics")}


def settings(vizdoom, game):
    """The map from above, what each pixel of the view shows, and the walker can turn."""
    game.set_labels_buffer_enabled(True)
    game.set_automap_buffer_enabled(True)
    game.set_automap_mode(vizdoom.AutomapMode.OBJECTS)
    game.set_automap_rotate(True)
    game.set_automap_render_textures(True)
    game.set_automap_render_objects_as_sprites(True)
    game.add_game_args("+viz_am_scale 2")
    game.add_available_button(vizdoom.Button.TURN_LEFT_RIGHT_DELTA, 1000)


def look(game, place, number, rng):
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
