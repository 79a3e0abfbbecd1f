import types

import cross_view_data as data
import numpy as np


def test_every_class_has_its_own_colour():
    colors = data.painted(np.arange(len(data.KINDS)))
    assert colors.shape == (7, 3) and len(np.unique(colors, axis=0)) == 7
    assert data.painted(np.zeros((2, 5, 4), "uint8")).shape == (2, 5, 4, 3)
    assert list(data.KINDS)[data.FLOOR] == "floor" and list(data.KINDS)[data.CEILING] == "ceiling"
    assert list(data.KINDS)[data.DECORATION] == "decoration"


def test_semantic_classes_of_a_view():
    labels = np.zeros((120, 160), "uint8")
    labels[:30] = labels[90:] = 1
    labels[40:60, 60:80], labels[60:70, 100:120], labels[100:110, 20:50] = 25, 51, 200
    labels[:, :20] = labels[:, 140:] = 200  # beyond the middle
    found = data.kinds(labels, {25: "Monster", 51: "Ammo", 200: "Tree"})
    assert found.shape == (64, 64) and found.dtype == "uint8"
    assert set(np.unique(found)) == {0, 1, 2, 3, 4, 6}
    assert (found[:16] == data.CEILING).all(), "flat and above the horizon"
    assert (found[58:, 40:] == data.FLOOR).all()
    # Rows and columns 40 to 60 of 120 are 21 to 32 of 64; columns are counted from the twentieth.
    assert (found[22:31, 22:31] == 3).all() and (found[22:31, 34:] == data.WALL).all()
    assert (found[55:58, 1:15] == data.DECORATION).all()


def test_unusable_views_are_left_out():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3))
    semantics = np.zeros((64, 64), int)
    assert not data.telling(image, semantics), "a wall alone"
    semantics[50:] = data.FLOOR
    assert data.telling(image, semantics)
    assert not data.telling(image // 3, semantics), "dark"
    semantics[:40] = 3
    assert not data.telling(image, semantics), "a monster alone"


def test_the_void_around_the_map_is_detected():
    automap = np.random.default_rng(0).integers(0, 60, (120, 160, 3)).astype("uint8")
    assert not data.outside(automap)
    automap[:56] = data.VOID
    assert not data.outside(automap), "a wall ahead"
    automap[50:70, 70:90] = data.VOID + 2
    assert data.outside(automap)


TRAINED = (1.5 * data.CELL, 0.5 * data.CELL)  # a place of training, the middle of a square


def test_an_eighth_of_the_squares_is_for_the_test_and_none_is_beside_another():
    middles = data.CELL * (np.arange(-16, 16) + 0.5)
    squares = np.array([[data.in_test(x, y) for x in middles] for y in middles])
    assert squares.mean() == 1 / 8
    for other in (
        np.roll(squares, 1, 0),
        np.roll(squares, 1, 1),
        np.roll(squares, (1, 1), (0, 1)),
        np.roll(squares, (1, -1), (0, 1)),
    ):
        assert not (squares & other).any()
    assert data.in_test(-1, 0.5 * data.CELL) == data.in_test(-0.9 * data.CELL, 0.1 * data.CELL)


def test_views_of_training_and_of_the_test_are_of_different_places():
    tested = (0.5 * data.CELL, 0.5 * data.CELL)
    for place, wanted in ((TRAINED, False), (tested, True)):
        assert data.look(Game(), place, 0, np.random.default_rng(0), wanted) is not None
        assert data.look(Game(), place, 0, np.random.default_rng(0), not wanted) is None


class Game:
    """Stand-in for the engine: floor below, a wall above, and gray screens."""

    def __init__(self, torn=0):
        self.commands, self.torn = [], torn

    def send_game_command(self, command):
        self.commands.append(command.split()[0] + " " + command.split()[1])

    def make_action(self, action, tics):
        self.commands.append("move")

    def get_state(self):
        labels = np.zeros((120, 160), "uint8")
        labels[60:] = 1
        screens = {"screen_buffer": np.full((120, 160, 3), 64, "uint8")}
        screens["automap_buffer"] = np.where(np.arange(160)[:, None] < self.torn, screens["screen_buffer"], 32)
        return types.SimpleNamespace(labels=[], labels_buffer=labels, **screens)


def test_map_and_view_are_lit_and_brightened_alike():
    game = Game()
    view = data.look(game, TRAINED, 0, np.random.default_rng(0), False)
    assert game.commands[0] == "give Infrared" and game.commands[-1] == "move"
    # 255 (64 / 255)^(1 / 1.6), and of 32.
    assert (view["image"] == 107).all() and (view["source"] == 70).all()
    np.testing.assert_array_equal(data.brightened(np.array([0, 255], "uint8")), [0, 255])


def test_views_with_parts_of_the_map_are_left_out():
    assert data.look(Game(torn=3), TRAINED, 0, np.random.default_rng(0), False) is not None, "2 % are a coincidence"
    assert data.look(Game(torn=8), TRAINED, 0, np.random.default_rng(0), False) is None


def label(category, name):
    return types.SimpleNamespace(object_category=category, object_name=name)


def test_unwanted_objects():
    assert data.unwanted(label("Gore", "Pool")) and data.unwanted(label("Monster", "Spectre"))
    assert data.unwanted(label("Decoration", "DeadImp"))
    assert not data.unwanted(label("Monster", "DoomImp"))
