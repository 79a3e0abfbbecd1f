"""The run with the published weights, on the stored recording."""

import shutil

import numpy as np
import pytest
import speech_data
import whisper_speech

from tests.backend import BACKEND
from tests.examples.test_speech_data import written
from tests.goldens import cases

pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="exports are of TensorFlow")


def test_a_text_and_a_recording_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        whisper_speech.parse(["--text", "a", "--speech", "a.wav"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_file_that_is_no_speech_is_a_clear_error(tmp_path, capsys):
    (tmp_path / "a.wav").write_bytes(b"none")
    arguments = ["--speech", str(tmp_path / "a.wav"), "--cache", str(tmp_path), "--output", str(tmp_path / "runs")]
    assert whisper_speech.main(arguments) == 1
    assert "is not a WAV file" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_recording_without_a_frame_of_the_spectrogram_is_a_clear_error(tmp_path, capsys):
    path = written(tmp_path / "a.wav", bytes(2 * 160))
    assert whisper_speech.main(["--speech", str(path), "--output", str(tmp_path / "runs")]) == 1
    assert "must be of 0.02 to 30 seconds. It is of 0.010: 160 samples" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("spoken", [False, True])
def test_a_run_from_end_to_end(spoken, tmp_path, capfd):
    if spoken and shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    arguments = ["--output", str(tmp_path / "runs")]
    if not spoken:
        golden = cases("whisper_tiny_en")["whisper_tiny_en"]
        speech_data.write_wav(tmp_path / "a.wav", golden["audio"].astype(np.float64) / 32768)
        arguments += ["--speech", str(tmp_path / "a.wav")]
    assert whisper_speech.main(arguments) == 0
    output = capfd.readouterr().out
    assert output.count("propose a new simple network architecture.") == 2 + spoken
    assert output.count("Attention is all you need.") == 3 * spoken
    for part in ("37,764,864 weights", "TensorFlow only", "Done in"):
        assert part in output
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"speech.wav", "words.png", "export"}
