"""Which files the served network takes; the whole run is in test_whisper_speech."""

import numpy as np
import pytest
import speech_data
import speech_served

from tests.examples.test_speech_data import written


def test_samples_of_a_file(tmp_path):
    audio = np.linspace(-1, 0.9, 50)
    speech_data.write_wav(tmp_path / "a.wav", audio)
    np.testing.assert_allclose(speech_served.samples(tmp_path / "a.wav"), audio, atol=2**-15)


@pytest.mark.parametrize("kind", [{"rate": 22050}, {"channels": 2}, {"width": 4}])
def test_other_files_are_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="1 channel of 16 bits, 16000 samples a second. It has"):
        speech_served.samples(written(tmp_path / "a.wav", bytes(80), **kind))


def test_without_an_export_the_error_says_what_to_do(tmp_path):
    path = written(tmp_path / "a.wav", bytes(80))
    with pytest.raises(FileNotFoundError, match="run examples/whisper_speech.py first"):
        speech_served.ask(tmp_path, path)
