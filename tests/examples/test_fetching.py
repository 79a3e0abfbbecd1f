import importlib
import importlib.metadata
import pathlib
import re
import shutil
import sys

import fetching
import numpy as np
import pytest

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


MODULES = ("digits_data", "emoji_data", "offline_features", "sentence_vectors", "speech_data", "translation_data")


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Fetches a package into the folder "cache" from an index that sends these bytes, or an error message."""
    package = fetching.Package("lamp==1.0", "PyPI", "3 MB", "lamp.whl", HELLO)

    def fetch(sent=None):
        def download(requirement, folder):
            assert requirement == "lamp==1.0" and sent is not None
            if isinstance(sent, str):
                return sent
            (pathlib.Path(folder) / "lamp.whl").write_bytes(sent)
            return ""

        monkeypatch.setitem(fetching.DOWNLOADS, "PyPI", download)
        return package.fetch(tmp_path / "cache")

    return fetch


def test_a_file_is_downloaded_once(fetch):
    path = fetch(b"hello")
    assert path.read_bytes() == b"hello"
    assert fetch() == path
    assert [p.name for p in path.parent.iterdir()] == ["lamp.whl"]


def test_a_damaged_file_is_downloaded_again(fetch, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "lamp.whl").write_bytes(b"hel")
    assert fetch(b"hello").read_bytes() == b"hello"


def test_a_file_with_another_checksum_is_refused_and_not_kept(fetch, tmp_path):
    with pytest.raises(fetching.UnavailableError, match="has the SHA-256 0ebdc331"):
        fetch(b"hell")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("problem", ["no index", ""])
def test_the_error_for_unavailable_data_says_what_to_do(fetch, tmp_path, problem):
    with pytest.raises(fetching.UnavailableError) as error:
        fetch(problem)
    for part in (problem or "another file", "lamp==1.0 of PyPI (3 MB)", "lamp.whl", HELLO, str(tmp_path / "cache")):
        assert part in str(error.value)


@pytest.mark.parametrize("module", MODULES)
def test_each_package_is_fetched_from_its_index(module, tmp_path, monkeypatch):
    package, commands = importlib.import_module(module).PACKAGE, []
    monkeypatch.setattr(fetching, "run", lambda command, folder=None: commands.append(command) or "no index")
    index = "npm" if "@" in package.requirement else "PyPI"
    told = f"could not be fetched: no index(.|\n)*{re.escape(package.requirement)} of {index}"
    with pytest.raises(fetching.UnavailableError, match=told):
        package.fetch(tmp_path)
    [command] = commands
    assert command[-1] == package.requirement
    assert ("npm" if index == "npm" else "download") in command
    assert not list(tmp_path.iterdir())


def test_a_failing_command_returns_the_end_of_its_error_message():
    code = "import sys; print('one'); print('two\\nthree\\nfour\\nfive', file=sys.stderr); sys.exit(int(sys.argv[1]))"
    assert fetching.run([sys.executable, "-c", code, "0"]) == ""
    assert fetching.run([sys.executable, "-c", code, "1"]) == "three\nfour\nfive"
    assert fetching.run([sys.executable, "-c", "import sys; sys.exit(3)"]).endswith("ended with status 3")
    assert fetching.run(["there-is-no-such-command"]) == "there is no there-is-no-such-command here"


def test_a_package_of_npm_is_put_into_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fetching.npm_pack("lamp@1.0", tmp_path) == "there is no npm here"
    (tmp_path / "npm").write_text("#!/bin/sh\necho $*, in $PWD >&2\nexit 2\n")
    (tmp_path / "npm").chmod(0o755)
    told = fetching.npm_pack("lamp@1.0", tmp_path)
    assert told == f"pack --silent --pack-destination {tmp_path} lamp@1.0, in {tmp_path}"


def test_an_environment_without_pip_uses_another_pip(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: iter([]))
    monkeypatch.setattr(shutil, "which", {"pip": "/bin/pip"}.get)
    assert fetching.pip() == ["/bin/pip"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert fetching.run([*fetching.pip(), "download"]) == "there is no pip here"
    monkeypatch.setattr(importlib.metadata, "distributions", lambda name: iter([name]))
    assert fetching.pip() == [sys.executable, "-m", "pip"]


def test_the_default_cache_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetching.cache_folder() == tmp_path / "keras_attention"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert fetching.cache_folder() == tmp_path / ".cache" / "keras_attention"
    assert fetching.cache_folder("here").name == "here"


def test_a_relative_cache_folder_is_of_the_folder_where_the_example_runs(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def npm(command, folder):
        monkeypatch.chdir(tmp_path / "elsewhere")  # npm runs in another folder
        into = pathlib.Path(command[command.index("--pack-destination") + 1])
        (into / "lamp.tgz").write_bytes(b"hello")

    monkeypatch.setattr(fetching, "run", npm)
    path = fetching.Package("lamp@1.0", "npm", "3 MB", "lamp.tgz", HELLO).fetch("cache")
    assert path == tmp_path / "cache" / "lamp.tgz" and path.read_bytes() == b"hello"


def test_an_array_in_the_idx_format():
    array = np.random.default_rng(0).integers(0, 256, (3, 4, 5)).astype("uint8")
    content = bytes([0, 0, 8, 3]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()
    np.testing.assert_array_equal(fetching.idx_array(content), array)


def test_keras_datasets_come_before_a_package(capsys):
    assert fetching.keras_first(lambda: "of Keras", pytest.fail) == "of Keras"

    def unreachable():
        raise Exception("URL fetch failure on https://server/mnist.npz")

    assert fetching.keras_first(unreachable, lambda: "of a package") == "of a package"
    assert "https://server/mnist.npz" in capsys.readouterr().out
