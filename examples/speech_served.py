"""Runs an exported Whisper with TensorFlow alone: no Keras, no keras_attention.

python examples/speech_served.py runs/whisper_speech/export recording.wav

The signature `serving_default` takes `audio` [B, N], floats from -1 to 1, 16,000 a second, of at most 30 seconds, and
`audio_lengths` [B], the number of samples of each row; it returns `text` [B] and `tokens` [B, 224].
"""

import array
import os
import sys
import wave

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from dates_served import latest, quiet
from runs import OtherRunError, ended

RATE, SECONDS = 16000, 30  # samples a second, and at most so many seconds


def samples(path):
    """A WAV file of one channel of 16-bit integers, 16,000 a second, as a list of floats.

    Raises:
        OtherRunError: If it is of another kind, empty, or longer than 30 seconds.
    """
    try:
        with wave.open(str(path)) as file:
            kind = file.getnchannels(), 8 * file.getsampwidth(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (EOFError, wave.Error) as error:
        raise OtherRunError(f"{path} is not a WAV file of integers: {str(error) or 'it is cut off'}") from error
    if kind != (1, 16, RATE):
        raise OtherRunError(
            f"{path} must have 1 channel of 16 bits, {RATE} samples a second. It has {kind[0]} of {kind[1]}, {kind[2]}."
            " examples/whisper_speech.py converts a recording, and writes it as speech.wav."
        )
    whole = array.array("h", content[: len(content) // 2 * 2])  # a file that is cut off can end in half a sample
    if not 0 < len(whole) <= SECONDS * RATE:
        raise OtherRunError(f"{path} must have 1 to {SECONDS * RATE} samples. It has {len(whole)}.")
    return [x / 2**15 for x in whole]


def ask(directory, path):
    """The text of a WAV file, by the latest export in `directory`."""
    audio, export = samples(path), latest(directory, "whisper_speech.py")
    with quiet():
        import tensorflow as tf

        serve = tf.saved_model.load(str(export)).signatures["serving_default"]
    answer = serve(audio=tf.constant([audio], "float32"), audio_lengths=tf.constant([len(audio)]))
    return answer["text"].numpy()[0].decode()


if __name__ == "__main__":
    # TensorFlow imports Keras where it is installed. Blocked, to show that the export needs neither.
    sys.modules.update(dict.fromkeys(("keras", "keras_attention")))
    import argparse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="folder of the exports")
    parser.add_argument("speech", help="a WAV file of one channel, 16,000 samples of 16 bits a second")
    sys.exit(ended(lambda options: print(ask(options.export, options.speech)), parser.parse_args()))
