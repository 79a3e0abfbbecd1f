"""The maps of a game, for pictures of places in them: the engine is fetched, started, and led about.

ViZDoom (MIT) with the maps and pictures of Freedoom (BSD), which its package brings along. It is fetched by pip into a
cache folder and used from there; nothing of it is part of this repository.
"""

import contextlib
import importlib
import os
import shutil
import sys
import tempfile

import numpy as np
from dates_served import quiet
from fetching import UnavailableError, cache_folder, pip, run
from PIL import Image

REQUIREMENT = "vizdoom==1.3.2"
SIZE = 64
# To learn from, and to examine.
LEARNED, EXAMINED = tuple(f"map{i:02d}" for i in range(1, 13)), tuple(f"map{i:02d}" for i in range(13, 19))


def load(name, make, folder=None, download=None):
    """The arrays that `make(vizdoom)` returns, a dict; made once and kept as `name` in the cache folder.

    Args:
        name: String.
        make: Function.
        folder: Of fetched and made data; `None` means the user's cache folder.
        download: `download(folder)` in place of pip.

    Raises:
        UnavailableError: If the package cannot be fetched.
    """
    path = cache_folder(folder) / f"{name}.npz"
    if not path.is_file():
        vizdoom = game_package(path.parent, download)
        # The engine says at length when it has to be started again.
        with quiet():
            made = make(vizdoom)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as beside:
            np.savez_compressed(f"{beside}/{path.name}", **made)
            os.replace(f"{beside}/{path.name}", path)
    with np.load(path) as kept:
        return dict(kept)


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
                if not os.path.isdir(f"{beside}/package/vizdoom"):
                    raise UnavailableError(_advice(problem or "pip fetched another package"))
                shutil.move(f"{beside}/package", place)
        sys.path.append(str(place))
        importlib.invalidate_caches()
    try:
        return importlib.import_module("vizdoom")
    except ImportError as error:
        raise UnavailableError(_advice(f"it cannot be loaded here: {error}")) from error


def pip_install(folder):
    """Lets pip unpack the package into `folder`. Returns the last of what it says if it fails, else ""."""
    wanted = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", folder]
    return run([*pip(), "install", *wanted, REQUIREMENT])


def _advice(problem):
    return (
        f"The pictures cannot be made: {problem}\n"
        f"They are rendered by the package {REQUIREMENT} of PyPI (39 MB, for Linux and macOS). Try again where pip "
        "reaches an index, or install the package."
    )


def pictures(vizdoom, maps, number, rng, settings, look):
    """Yields what is seen at `number` places of these maps, about as many of each.

    Args:
        vizdoom: The package.
        maps: Tuple of names of maps.
        number: Int.
        rng: `numpy.random.Generator`.
        settings: `settings(game)` says what else than the view is wanted, before the engine starts.
        look: `look(game, place, made, rng)` returns a picture from about that place, of which `made` there are already,
            or `None` if it is of no use.
    """
    import tqdm

    made = 0
    with tqdm.tqdm(total=number, unit=" pictures", file=sys.stdout, disable=not sys.stdout.isatty()) as bar:
        for i, name in enumerate(maps):
            upto = number * (i + 1) // len(maps)
            for picture in _in_a_map(vizdoom, name, rng, made, upto, settings, look):
                made += 1
                bar.update()
                yield picture


def _in_a_map(vizdoom, name, rng, made, upto, settings, look):
    """Yields the pictures of a map, number `made` to `upto`."""
    with tempfile.TemporaryDirectory() as folder:
        game = _start(vizdoom, name, rng, folder, settings)
        try:
            # The engine does not survive that this weapon is picked up.
            objects = [o for o in game.get_state().objects if o.name != "SuperShotgun"]
            places, tries = [(o.position_x, o.position_y) for o in objects], 60 * (upto - made) + 600
            while made < upto:
                if not tries:
                    raise RuntimeError(f"Hardly a place of {name} is of use. Received: {upto - made} too few")
                tries -= 1
                try:
                    picture = look(game, places[rng.integers(len(places))], made, rng)
                except vizdoom.ViZDoomErrorException:
                    game.close()
                    game, picture = _start(vizdoom, name, rng, folder, settings), None
                if picture is not None:
                    made += 1
                    yield picture
                elif game.is_episode_finished():  # one has found the exit
                    _begin(game)
        finally:
            game.close()


def _start(vizdoom, name, rng, folder, settings):
    """The engine, in this map, alone, and nothing but the view on the screen; it writes its files into `folder`."""
    game = vizdoom.DoomGame()
    game.set_doom_game_path(os.path.join(os.path.dirname(vizdoom.__file__), "freedoom2.wad"))
    game.set_doom_map(name)
    game.set_seed(int(rng.integers(2**31)))
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    for part in ("window_visible", "sound_enabled", "render_hud", "render_weapon", "render_crosshair"):
        getattr(game, f"set_{part}")(False)
    game.set_render_messages(False)
    game.set_objects_info_enabled(True)
    # The view does not say that a secret was found.
    game.add_game_args("+cl_showsecretmessage 0")
    settings(game)
    game.set_episode_timeout(0)
    with contextlib.chdir(folder):
        game.init()
    _begin(game)
    return game


def _begin(game):
    """A new round, in which nothing moves or hurts."""
    game.new_episode()
    for command in ("freeze", "god", "notarget"):
        game.send_game_command(command)
    game.make_action([0] * game.get_available_buttons_size(), 1)


def shrink(screen):
    """The middle of [120, 160, 3], as [SIZE, SIZE, 3]; each pixel is the mean of the area that it covers."""
    middle = Image.fromarray(np.ascontiguousarray(screen[:, 20:140]))
    return np.asarray(middle.resize((SIZE, SIZE), Image.Resampling.BOX))
