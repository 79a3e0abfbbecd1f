"""A Transformer learns to read dates as people write them, in 31 languages, and writes ISO 8601.

    python examples/transformer_dates.py                       # learns, shows, saves, exports: about five minutes
    python examples/transformer_dates.py "den 3. Juni 2019"    # asks the model exported by the last run

Everything is kept in `runs/transformer_dates/` (see `--output`): attention.png, model.keras, export/1, export/2 ...
What is learned from what, and what is examined: `dates_split.py` and docs/examples/transformer_dates.md.
"""

import argparse
import logging
import os
import pathlib
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a model are faster on a core each than each on all cores.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import dates_served
from runs import describe, heading, minutes, positive, save_figure, save_whole

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "transformer_dates"
SIZES = {"num_layers": 2, "model_dim": 128, "num_heads": 4, "intermediate_dim": 512, "dropout": 0.0, "norm_first": True}
DRAWN = ("Montag, den 3. Juni 2019", "2019-06-03")
ASKED = [
    "den 3. Juni 2019",
    "3 juin 2019",
    "6/3/19 US",
    "3/6/19 GB",
    "Monday, June 3rd, 2019",
    "2019年6月3日",
    "понедельник, 3 июня 2019 г.",
    "الاثنين، ٣ يونيو ٢٠١٩",
    "vineri, 3. Januar 1997",
    "",
]


def main(arguments=None):
    options = parse(arguments)
    if options.texts:
        return ask(options)
    return run(options)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="*", help="dates to read with the export of the last run (nothing is trained)")
    parser.add_argument("--steps", type=positive, default=3000, help="training steps (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=64, help="dates in a step (default: %(default)s)")
    parser.add_argument(
        "--held-out", type=positive, default=1000, help="dates examined of each kind (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split, the data and the weights (default: 0)")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    return parser.parse_args(arguments)


def ask(options):
    """Answers with the export of the last run; imports TensorFlow alone."""
    try:
        dates_served.main(options.output / "export", *options.texts)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run(options):
    """Learns, examines, shows, draws, saves, exports, and asks the export from a fresh process."""
    began = time.perf_counter()
    with dates_served.quiet():
        import babel
        import dates_learning
        import keras

    # Dates are short: without the branch for long texts the graph is built in half the time.
    keras.config.disable_flash_attention()
    heading("A Transformer that reads dates")
    describe(options.seed, Babel=babel.__version__)
    options.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(options.seed)
    split, text, source, target = prepare(options)
    model = learn(options, text, source, target)
    read = dates_learning.reader(model, text)
    exact = examine(options, read, split)
    draw(options, model, text)
    keep(options, model, read)
    ask_fresh_process(options)
    heading(f"Done in {minutes(time.perf_counter() - began)}: {exact:.2%} of the held-out dates exactly right")
    print(f'Ask it: python {os.path.relpath(__file__)} "den 3. Juni 2019"')
    return 0


def prepare(options):
    from dates_learning import numbers
    from dates_split import Split
    from dates_text import DateText

    heading("Dates")
    split = Split(options.seed)
    samples = split.training(options.steps * options.batch, options.seed)
    text = DateText.of([sample.text for sample in samples])
    languages = {sample.form.names[:2] for sample in samples}
    print(f"{len(samples):,} dates to learn from, each seen once, in {len(languages)} languages:")
    for sample in samples[:: max(1, len(samples) // 6)][:6]:
        print(f"    {sample.iso}  {sample.text}")
    print(
        f"Kept back: {len(split.held_out_years)} years of 200, {len(split.held_out_home)} formats of "
        f"{len(split.held_out_home) + len(split.trained_home)}, {len(split.held_out_pairs)} mixtures of two locales."
    )
    return split, text, *numbers(text, samples)


def learn(options, text, source, target):
    import dates_learning

    from keras_attention import models

    model = models.transformer(text.vocabulary_size, **SIZES, seed=options.seed)
    heading(f"Learning: {model.count_params():,} weights, {options.steps} steps of {options.batch} dates")
    dataset = dates_learning.batches(source, target, options.batch, options.seed)
    dates_learning.learn(model, dataset, options.steps)
    return model


def examine(options, read, split):
    """Accuracy by kind of held-out date, clean and as typed in a hurry; examples. Returns the part that is exact."""
    from dates_learning import answers
    from dates_split import KINDS

    heading("Held-out dates, exactly right (greedy decoding)")
    count, results = options.held_out, []
    for kind in KINDS:
        samples = split.held_out(kind, count, options.seed)
        dates = answers(read, [sample.text for sample in samples])
        results += [(kind, sample, date, date == sample.iso) for sample, date in zip(samples, dates)]
    meaning = {
        "years": "trained forms, years never trained",
        "formats": "formats never trained in their language",
        "mixtures": "names of one language in the format of another, a pair never trained",
        "all new": "such a format or mixture, and such a year",
    }
    for kind in KINDS:
        print(f"    {share(r for r in results if r[0] == kind)}  {kind}: {meaning[kind]}")
    careless = {"slip", "no accents", "no punctuation"}
    mistyped = [bool(careless & set(r[1].noise)) for r in results]
    print(
        f"    {share(r for r, m in zip(results, mistyped) if m)}  of all these, mistyped: a slip, no accents, no points"
    )
    print(f"    {share(r for r, m in zip(results, mistyped) if not m)}  of all these, typed with care")
    right, wrong = [r for r in results if r[3]], [r for r in results if not r[3]]
    heading("Right")
    show(right[:: max(1, len(right) // 12)][:12])
    heading(f"Wrong ({len(wrong)})")
    show(wrong[:: max(1, len(wrong) // 12)][:12])
    return len(right) / len(results)


def share(results):
    exact = [result[3] for result in results]
    return f"{sum(exact) / max(1, len(exact)):7.2%} of {len(exact):4}"


def show(results):
    for kind, sample, date, exact in results:
        print(f"    {date:10}  {sample.text:40}  {kind}{'' if exact else f'; it is {sample.iso}'}")
    if not results:
        print("    none")


def draw(options, model, text):
    """A picture: which characters of the date each character of the answer was written from."""
    import numpy as np
    import tensorflow as tf
    from dates_text import START, normalise

    from keras_attention import visualize

    written, iso = DRAWN
    source, _ = text.encode(tf.constant([written]))
    target, _ = text.encode(tf.constant([iso]))
    decoder_input = tf.concat([[[START]], target[:, :-1]], axis=1)
    scores = model.attention_scores({"source": source, "target": decoder_input})["decoder_memory"]
    characters = normalise(tf.constant(written)).numpy().decode()
    figure = visualize.plot_attention(
        np.mean(scores[-1][0], axis=0),
        iso,
        characters,
        title=f"{written} → {iso}",
        query_title="written",
        key_title="read",
    )
    path = options.output / "attention.png"
    save_figure(path, figure)
    heading("Where it looks")
    print(f"    {path}: the cross-attention of the last block, mean over its heads")


def keep(options, model, read):
    """Saves the model for Keras and exports it for everything else; each file appears whole or not at all."""
    import dates_learning

    from keras_attention import export

    heading("Kept")
    path = options.output / "model.keras"
    # A copy without the optimizer: it loads wherever keras_attention is, and is a third of the size.
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    save_whole(path, copy.save)
    print(f"    {path}")
    # The export is loaded to verify it, and TensorFlow notes that the gradients were left out.
    logging.getLogger("absl").setLevel(logging.ERROR)
    signature = (read, dates_learning.TEXTS)
    version = export.export_saved_model(model, options.output / "export", signatures={"serving_default": signature})
    print(f"    {version}: texts [B] string -> dates [B] string")


def ask_fresh_process(options):
    heading("A fresh process, with TensorFlow only (Keras, keras_attention and Babel cannot be imported in it)")
    command = [sys.executable, dates_served.__file__, str(options.output / "export"), *ASKED]
    sys.stdout.flush()
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
