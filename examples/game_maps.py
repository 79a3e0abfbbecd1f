"""Images rendered in the maps of a game: downloads the engine, starts it, and moves through the maps.

ViZDoom (MIT) with the maps and textures of Freedoom (BSD), which its package includes. pip downloads it into a cache
folder; nothing of it is part of this repository.
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

REQUIREMENT = "vizdoom==1.3.2"
SIZE = 64
# Training and test maps.
LEARNED, EXAMINED = tuple(f"map{i:02d}" for i in range(1, 13)), tuple(f"map{i:02d}" for i in range(13, 19))


def load(name, make, folder=None, download=None):
    """The dict of arrays that `make(vizdoom)` returns; computed once and cached as `name`.

    Args:
        name: String.
        make: Function.
        folder: Folder of downloaded and rendered data; `None`: the user's cache folder.
        download: `download(folder)` in place of pip.

    Raises:
        UnavailableError: If the package cannot be downloaded.
    """
    path = cache_folder(folder) / f"{name}.npz"
    if not path.is_file():
        vizdoom = game_package(path.parent, download)
        # The engine logs a lot when it is restarted.
        with quiet():
            arrays = make(vizdoom)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=path.parent) as beside:
            np.savez_compressed(f"{beside}/{path.name}", **arrays)
            os.replace(f"{beside}/{path.name}", path)
    with np.load(path) as kept:
        return dict(kept)


def game_package(folder, download=None):
    """The module `vizdoom`: the installed one, or one downloaded into the cache folder.

    Raises:
        UnavailableError: If it cannot be downloaded.
    """
    if importlib.util.find_spec("vizdoom") is None:
        package = folder / f"{REQUIREMENT.replace('==', '-')}-py{sys.version_info[0]}{sys.version_info[1]}"
        if not package.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            print(f"Fetching {REQUIREMENT} (39 MB) into {folder}", flush=True)
            with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as beside:
                problem = (download or pip_install)(f"{beside}/package")
                if not os.path.isdir(f"{beside}/package/vizdoom"):
                    raise UnavailableError(_advice(problem or "pip downloaded another package"))
                shutil.move(f"{beside}/package", package)
        sys.path.append(str(package))
        importlib.invalidate_caches()
    try:
        return importlib.import_module("vizdoom")
    except ImportError as error:
        raise UnavailableError(_advice(f"it cannot be loaded here: {error}")) from error


def pip_install(folder):
    """Unpacks the package into `folder` with pip. Returns the end of its error message if it fails, else ""."""
    wanted = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", folder]
    return run([*pip(), "install", *wanted, REQUIREMENT])


def _advice(problem):
    return (
        f"The images cannot be rendered: {problem}\n"
        f"They are rendered by the package {REQUIREMENT} of PyPI (39 MB, for Linux and macOS). Try again where pip "
        "reaches an index, or install the package."
    )


def pictures(vizdoom, maps, number, rng, settings, look):
    """Yields `number` images (or clips) of random locations of these maps, about as many of each.

    Args:
        vizdoom: The package.
        maps: Tuple of names of maps.
        number: Int.
        rng: `numpy.random.Generator`.
        settings: `settings(game)` configures the engine before it starts.
        look: `look(game, location, done, rng)` renders image number `done` near that location, or returns `None` if it
            is unusable.
    """
    import tqdm

    done = 0
    with tqdm.tqdm(total=number, unit=" images", file=sys.stdout, disable=not sys.stdout.isatty()) as bar:
        for i, name in enumerate(maps):
            upto = number * (i + 1) // len(maps)
            for image in _in_a_map(vizdoom, name, rng, done, upto, settings, look):
                done += 1
                bar.update()
                yield image


def _in_a_map(vizdoom, name, rng, done, upto, settings, look):
    """Yields images `done` to `upto`, all of one map."""
    with tempfile.TemporaryDirectory() as folder:
        game = _start(vizdoom, name, rng, folder, settings)
        try:
            # Picking up this weapon crashes the engine.
            objects = [o for o in game.get_state().objects if o.name != "SuperShotgun"]
            locations, tries = [(o.position_x, o.position_y) for o in objects], 60 * (upto - done) + 600
            while done < upto:
                if not tries:
                    raise RuntimeError(f"Too few usable images in {name}. Received: {upto - done} too few")
                tries -= 1
                try:
                    image = look(game, locations[rng.integers(len(locations))], done, rng)
                except vizdoom.ViZDoomErrorException:
                    game.close()
                    game, image = _start(vizdoom, name, rng, folder, settings), None
                if image is not None:
                    done += 1
                    yield image
                elif game.is_episode_finished():  # at the exit
                    _begin(game)
        finally:
            game.close()


def _start(vizdoom, name, rng, folder, settings):
    """Starts the engine in this map, with only the view on the screen; it writes its files into `folder`."""
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
    # No message in the view about secrets.
    game.add_game_args("+cl_showsecretmessage 0")
    settings(game)
    game.set_episode_timeout(0)
    with contextlib.chdir(folder):
        game.init()
    _begin(game)
    return game


def _begin(game):
    """Starts an episode in which nothing moves or hurts."""
    game.new_episode()
    for command in ("freeze", "god", "notarget"):
        game.send_game_command(command)
    game.make_action([0] * game.get_available_buttons_size(), 1)


def shrink(screen):
    """The middle of [120, 160, 3], resized to [SIZE, SIZE, 3] by area."""
    from PIL import Image

    middle = Image.fromarray(np.ascontiguousarray(screen[:, 20:140]))
    return np.asarray(middle.resize((SIZE, SIZE), Image.Resampling.BOX))
