"""Cross-view data for SelectionGAN: locations of a game seen from above and in first person, with semantic maps.

Rendered by ViZDoom (MIT) from the maps and textures of Freedoom (BSD), which its package includes. pip downloads it
into a cache folder, as in `video_data.py`; nothing of it is part of this repository.
"""

import functools

import game_maps
import numpy as np
from game_maps import SIZE, shrink

# Semantic classes and their colors.
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
# The engine's categories of objects.
CATEGORIES = {"Monster": 3, "LightSource": 5}
CATEGORIES |= dict.fromkeys(("Ammo", "Armor", "Health", "Key", "Powerup", "Weapon"), 4)
# Views of them are left out: the first are unpleasant, the last are invisible or change all colors.
UNWANTED_KINDS = ("Gore", "Self", "Powerup")
UNWANTED_NAMES = ("Spectre", "Dead", "Blood", "Gib")
# The game is dark by design: views and maps are rendered with its light amplification, then brightened by this gamma.
GAMMA = 1.6
CELL = 256  # side of the squares of training and of test places, in units of the game: four widths of a corridor


def load(number, maps, tested, seed, folder=None):
    """`number` views of these maps, as many of each map; rendered once and cached.

    Args:
        number: Int N.
        maps: Tuple of names of maps.
        tested: Whether the places are those of the test, see `in_test`.
        seed: Int.
        folder: Folder of downloaded and rendered data; `None`: the user's cache folder.

    Returns:
        Dict: "source", the map from above with the view's direction up, uint8 [N, SIZE, SIZE, 3]; "image", the
        first-person view, uint8 [N, SIZE, SIZE, 3]; "semantics", indices of `KINDS` in the view, uint8 [N, SIZE, SIZE].

    Raises:
        UnavailableError: If the game cannot be downloaded.
    """
    name = f"{'test' if tested else 'training'}-places-{maps[0]}-{maps[-1]}-{number}-{seed}"
    making = functools.partial(make, number=number, maps=maps, tested=tested, seed=seed)
    return game_maps.load(name, making, folder)


def painted(kinds):
    """Indices of `KINDS` [...] -> their colors, uint8 [..., 3]."""
    return np.array(list(KINDS.values()), "uint8")[kinds]


def make(vizdoom, number, maps, tested, seed):
    """Renders the views."""
    rng, looking = np.random.default_rng(seed), functools.partial(look, tested=tested)
    views = list(game_maps.pictures(vizdoom, maps, number, rng, functools.partial(settings, vizdoom), looking))
    return {name: np.stack([view[name] for view in views]) for name in ("source", "image", "semantics")}


def settings(vizdoom, game):
    """Enables the map from above, the labels of the pixels, and turning."""
    game.set_labels_buffer_enabled(True)
    game.set_automap_buffer_enabled(True)
    game.set_automap_mode(vizdoom.AutomapMode.OBJECTS)
    game.set_automap_rotate(True)
    game.set_automap_render_textures(True)
    game.set_automap_render_objects_as_sprites(True)
    game.add_game_args("+viz_am_scale 2")
    game.add_available_button(vizdoom.Button.TURN_LEFT_RIGHT_DELTA, 1000)


def in_test(x, y):
    """Whether a place is in one of the squares whose views are for the test: one of eight, none beside another."""
    column, row = int(x // CELL), int(y // CELL)
    return (column + 3 * row) % 8 == 0


def look(game, location, number, rng, tested):
    """A view from near this location in a random direction; `None` if it is unusable, or not of the test as wanted."""
    x, y = np.array(location) + rng.uniform(-96, 96, 2)
    if in_test(x, y) != tested:
        return None
    game.send_game_command("give Infrared")  # the light amplification, for two minutes of the game
    game.send_game_command(f"warp {x:.0f} {y:.0f}")
    game.make_action([float(rng.uniform(-180, 180))], 2)
    state = game.get_state()
    if state is None or outside(state.automap_buffer) or torn(state.screen_buffer, state.automap_buffer):
        return None
    if any(unwanted(label) for label in state.labels):
        return None
    semantics = kinds(state.labels_buffer, {label.value: label.object_category for label in state.labels})
    image = brightened(shrink(state.screen_buffer))
    if not telling(image, semantics):
        return None
    return {"source": brightened(shrink(state.automap_buffer)), "image": image, "semantics": semantics}


def brightened(image):
    """Gamma correction of uint8: black and white stay."""
    return np.rint(255 * (image / 255) ** (1 / GAMMA)).astype("uint8")


def unwanted(label):
    return label.object_category in UNWANTED_KINDS or any(name in label.object_name for name in UNWANTED_NAMES)


def outside(automap, distance=7):
    """Whether the player stands in the void around the map, which has one color."""
    Y, X = automap.shape[0] // 2, automap.shape[1] // 2
    around = [automap[Y + y, X + x] for y in (-distance, 0, distance) for x in (-distance, 0, distance) if x or y]
    return sum(np.abs(color.astype(int) - VOID).max() <= 8 for color in around) > 3


VOID = np.array((111, 87, 67))


def torn(screen, automap):
    """Whether the view has positions without a surface, where the engine leaves the map from above on the screen."""
    return bool((screen == automap).all(axis=-1).mean() > 0.03)


def kinds(labels, categories):
    """The index of `KINDS` at each position of the middle of labels [120, 160]: uint8 [SIZE, SIZE].

    categories: {label: the engine's category}. Label 0 is walls and sky, 1 floor or ceiling.
    """
    rows = ((np.arange(SIZE) + 0.5) * 120 / SIZE).astype(int)
    labels = labels[rows][:, 20 + rows]
    lower = rows[:, None] >= 60  # the horizon is in the middle
    found = np.where(labels == 1, np.where(lower, FLOOR, CEILING), WALL)
    for value, category in categories.items():
        found = np.where(labels == value, CATEGORIES.get(category, DECORATION), found)
    return found.astype("uint8")


def telling(image, semantics):
    """Whether the view is neither dark, nor only a wall, nor filled by an object."""
    share = np.bincount(semantics.ravel(), minlength=len(KINDS)) / semantics.size
    return bool(image.mean() > 60 and share[FLOOR] > 0.08 and share[CEILING + 1 :].sum() < 0.4)
