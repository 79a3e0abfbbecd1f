"""Which files the served network takes; the whole run is in test_whisper_speech."""

import subprocess
import sys

import numpy as np
import pytest
import speech_data
import speech_served
from runs import OtherRunError

from tests.examples.test_speech_data import written


def test_samples_of_a_file(tmp_path):
    audio = np.linspace(-1, 0.9, 50)
    speech_data.write_wav(tmp_path / "a.wav", audio)
    np.testing.assert_allclose(speech_served.samples(tmp_path / "a.wav"), audio, atol=2**-15)


@pytest.mark.parametrize("kind", [{"rate": 22050}, {"channels": 2}, {"width": 4}])
def test_other_files_are_refused(tmp_path, kind):
    with pytest.raises(OtherRunError, match="1 channel of 16 bits, 16000 samples a second. It has"):
        speech_served.samples(written(tmp_path / "a.wav", bytes(80), **kind))


def test_the_whole_samples_of_a_file_that_is_cut_off(tmp_path):
    path = written(tmp_path / "a.wav", np.arange(9, dtype="<i2").tobytes())
    path.write_bytes(path.read_bytes()[:-1])
    assert speech_served.samples(path) == [i / 2**15 for i in range(8)]


STEREO = (
    "must have 1 channel of 16 bits, 16000 samples a second. It has 2 of 16, 44100. examples/whisper_speech.py conv"
)


@pytest.mark.parametrize(
    ("frames", "kind", "content", "message"),
    [
        (bytes(80), {"rate": 44100, "channels": 2}, None, STEREO),
        (bytes(0), {}, None, "must have 1 to 480000 samples. It has 0."),
        (bytes(960_002), {}, None, "must have 1 to 480000 samples. It has 480001."),
        (None, {}, b"no sound", "is not a WAV file of integers: file does not start with RIFF id"),
        (None, {}, b"", "is not a WAV file of integers: it is cut off"),
    ],
    ids=["stereo", "empty", "long", "no WAV", "nothing"],
)
def test_the_script_ends_with_one_line_for_a_file_that_it_does_not_take(tmp_path, frames, kind, content, message):
    path = tmp_path / "a.wav"
    if content is None:
        written(path, frames, **kind)
    else:
        path.write_bytes(content)
    command = [sys.executable, speech_served.__file__, tmp_path, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{path} {message}")


def test_without_an_export_the_error_says_what_to_do(tmp_path):
    path = written(tmp_path / "a.wav", bytes(80))
    with pytest.raises(FileNotFoundError, match="run examples/whisper_speech.py first"):
        speech_served.ask(tmp_path, path)
