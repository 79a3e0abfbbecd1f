"""A Transformer converts dates in 31 languages and many formats to ISO 8601.

    python examples/transformer_dates.py                       # trains, evaluates, exports: 5 to 20 minutes
    python examples/transformer_dates.py "den 3. Juni 2019"    # runs the export of the last run
    python examples/transformer_dates.py --network RNNencdec   # a baseline without attention

Outputs in `runs/transformer_dates/` (`runs/rnnencdec_dates/` ...; see `--output`): attention.png, results.json,
model.keras, export/1, export/2 ... `dates_compared.py` compares runs. Data and results: `dates_split.py` and
docs/examples/transformer_dates.md.
"""

import logging
import os
import pathlib
import random
import re
import shlex
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a model are faster on one core each.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import dates_served
from arguments import Parser, seed
from dates_networks import NETWORKS
from runs import describe, ended, heading, save_figure, save_json, save_whole

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs"
ROOM = 50e6  # bytes of the results, at most, with the default settings
ABSENT = 4  # one training text in so many is of `dates_absent`: nine in ten of these have no date of the calendar
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
    "hello",
    "3/6/19",
    "31 February 2019",
    "",
]


def main(arguments=None):
    options = parse(arguments)
    return ended(ask, options) if options.texts else ended(run, options, ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("texts", nargs="*", help="dates to convert with the export of the last run (no training)")
    parser.add_argument(
        "--network", choices=NETWORKS, default="Transformer", help="what is trained (default: %(default)s)"
    )
    parser.training(steps=5000, batch=64, unit="dates")
    parser.number("--held-out", 1000, "held-out dates of each kind")
    parser.number("--seed", 0, "of the split, the data and the weights", seed)
    parser.add_argument("--output", type=pathlib.Path, help="folder of the results (default: runs/NETWORK_dates)")
    options = parser.parse_args(arguments)
    options.output = options.output or OUTPUT / f"{options.network.lower()}_dates"
    return options


def ask(options):
    """Runs the export of the last run; imports TensorFlow alone."""
    dates_served.main(options.output / "export", *options.texts)


def run(options):
    """Trains, evaluates, plots, saves, exports, and runs the export in a new process."""
    with dates_served.quiet():
        import babel
        import dates_learning
        import keras

    # Dates are short: without flash attention the graph is built in half the time.
    keras.config.disable_flash_attention()
    heading(f"{options.network}: dates in many languages to ISO 8601")
    describe(options.seed, Babel=babel.__version__)
    keras.utils.set_random_seed(options.seed)
    split, absent, text, source, target = prepare(options)
    model = learn(options, text, source, target)
    read = dates_learning.reader(model, text)
    results = examine(options, read, split)
    false_dates = examine_absent(options, read, absent)
    draw(options, model, text)
    keep(options, model, read)
    record(options, model, results, false_dates)
    ask_fresh_process(options)
    exact = sum(result[3] for result in results) / len(results)
    heading(f"{exact:.2%} exact matches on held-out dates")
    chosen = "" if options.network == "Transformer" else f" --network {options.network}"
    print(f'Try it: {shlex.quote(sys.executable)} {os.path.relpath(__file__)}{chosen} "den 3. Juni 2019"')


def prepare(options):
    from dates_absent import Absent
    from dates_learning import numbers
    from dates_split import Split
    from dates_text import DateText

    heading("Dates")
    split = Split(options.seed)
    absent = Absent(split, options.seed)
    count = options.steps * options.batch
    samples = split.training(count - count // ABSENT, options.seed)
    text = DateText.of([sample.text for sample in samples])
    none = absent.training(count // ABSENT, options.seed)
    languages = {sample.form.names[:2] for sample in samples}
    print(f"{len(samples):,} training dates, each used once, in {len(languages)} languages:")
    for sample in samples[:: max(1, len(samples) // 6)][:6]:
        print(f"    {sample.iso}  {sample.text}")
    show_absent(none)
    print(
        f"Held out: {len(split.held_out_years)} years of 200, {len(split.held_out_home)} formats of "
        f"{len(split.held_out_home) + len(split.trained_home)}, {len(split.held_out_pairs)} mixtures of two locales."
    )
    samples += none
    random.Random(options.seed).shuffle(samples)
    return split, absent, text, *numbers(text, samples)


def show_absent(samples):
    """Prints how many have no date, and the first ones."""
    from dates_learning import CALENDAR

    dates = sum(bool(re.fullmatch(CALENDAR, sample.iso)) for sample in samples)
    print(f"{len(samples) - dates:,} texts without a date, or with one that is not in the calendar,")
    print(f"and {dates:,} dates that have one reading without their territory:")
    for sample in samples[:6]:
        print(f"    {sample.iso:10}  {sample.text}")


def learn(options, text, source, target):
    import dates_learning

    network = NETWORKS[options.network]
    model = network.build(text.vocabulary_size, options.seed)
    heading(f"Training: {model.count_params():,} parameters, {options.steps} steps of {options.batch} dates")
    dataset = dates_learning.batches(source, target, options.batch, options.seed)
    dates_learning.learn(model, dataset, options.steps, **network.training)
    return model


def examine(options, read, split):
    """Prints the accuracy by kind of held-out date, with and without typos, and examples.

    Returns:
        List of `(kind, sample, predicted date, whether it is exact)`.
    """
    from dates_learning import answers
    from dates_split import KINDS

    heading("Accuracy on held-out dates (exact matches, greedy decoding)")
    count, results = options.held_out, []
    for kind in KINDS:
        samples = split.held_out(kind, count, options.seed)
        dates = answers(read, [sample.text for sample in samples])
        results += [(kind, sample, date, date == sample.iso) for sample, date in zip(samples, dates)]
    meaning = {
        "years": "forms of the training data, new years",
        "formats": "new formats of a language",
        "mixtures": "names of one language in the format of another, a new pair",
        "all new": "a new format or mixture, and a new year",
    }
    for kind in KINDS:
        print(f"    {share(r for r in results if r[0] == kind)}  {kind}: {meaning[kind]}")
    noise = {"slip", "no accents", "no punctuation"}
    noisy = [bool(noise & set(r[1].noise)) for r in results]
    print(
        f"    {share(r for r, m in zip(results, noisy) if m)}  of all these, with typos, no accents or no punctuation"
    )
    print(f"    {share(r for r, m in zip(results, noisy) if not m)}  of all these, without such noise")
    correct, errors = [r for r in results if r[3]], [r for r in results if not r[3]]
    print(f"    {sum(not r[2] for r in results) / len(results):7.2%} answered (no date)")
    heading("Correct")
    show(correct[:: max(1, len(correct) // 12)][:12])
    heading(f"Errors ({len(errors)})")
    show(errors[:: max(1, len(errors) // 12)][:12])
    return results


def examine_absent(options, read, absent):
    """Prints and returns the share of held-out texts without a date for which the reader gives one, by kind."""
    from dates_absent import KINDS, PHRASES
    from dates_learning import CALENDAR, answers

    heading("Held-out texts without a date: answered with a date")
    asked = {kind: absent.held_out(kind, options.held_out, options.seed) for kind in KINDS}
    texts = {k: [s.text for s in v if not re.fullmatch(CALENDAR, s.iso)] for k, v in asked.items()}
    rates = {}
    for kind, given in (texts | {"phrases": PHRASES}).items():
        wrong = [(text, date) for text, date in zip(given, answers(read, given)) if date]
        some = "; ".join(f"{text} → {date}" for text, date in wrong[:4])
        rates[kind] = len(wrong) / max(1, len(given))
        print(f"    {rates[kind]:7.2%} of {len(given):4}  {kind:18} {some}")
    read_alone = [sample for sample in asked["without territory"] if re.fullmatch(CALENDAR, sample.iso)]
    dates = answers(read, [sample.text for sample in read_alone])
    exact = sum(date == sample.iso for date, sample in zip(dates, read_alone))
    print(f"{exact} of {len(read_alone)} dates without a territory that have one reading are exact matches.")
    return rates


def share(results):
    exact = [result[3] for result in results]
    return f"{sum(exact) / max(1, len(exact)):7.2%} of {len(exact):4}"


def show(results):
    for kind, sample, date, exact in results:
        print(f"    {date:10}  {sample.text:40}  {kind}{'' if exact else f'; it is {sample.iso}'}")
    if not results:
        print("    none")


def draw(options, model, text):
    """Plots the attention from the characters of the output to those of the input, of a network that has it."""
    import tensorflow as tf
    from dates_text import START, normalise

    from keras_attention import visualize

    network = NETWORKS[options.network]
    if not network.scores:
        return
    written, iso = DRAWN
    source, _ = text.encode(tf.constant([written]))
    target, _ = text.encode(tf.constant([iso]))
    decoder_input = tf.concat([[[START]], target[:, :-1]], axis=1)
    scores = network.scores(model, {"source": source, "target": decoder_input})
    characters = normalise(tf.constant(written)).numpy().decode()
    figure = visualize.plot_attention(
        scores,
        iso,
        characters,
        title=f"{written} → {iso}",
        query_title="written",
        key_title="read",
    )
    path = options.output / "attention.png"
    save_figure(path, figure)
    heading("Attention")
    print(f"    {path}: from the characters of the output to those of the input")


def keep(options, model, read):
    """Saves the model for Keras and exports it; files are written atomically."""
    import dates_learning

    from keras_attention import export

    heading("Saved")
    path = options.output / "model.keras"
    # A copy without the optimizer has a third of the size.
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    save_whole(path, copy.save)
    print(f"    {path}")
    # The export is loaded to verify it, and TensorFlow warns that it has no gradients.
    logging.getLogger("absl").setLevel(logging.ERROR)
    signature = (read, dates_learning.TEXTS)
    version = export.export_saved_model(model, options.output / "export", signatures={"serving_default": signature})
    print(f"    {version}: texts [B] string -> dates [B] string")


def record(options, model, results, false_dates):
    """Writes results.json, which `dates_compared.py` reads."""
    import dates_compared

    settings = {name: getattr(options, name) for name in ("network", "seed", "steps", "batch", "held_out")}
    table = dates_compared.counted(results) | {"false dates": false_dates}
    save_json(options.output / "results.json", {**settings, "parameters": model.count_params(), **table})
    print(f"    {options.output / 'results.json'}")


def ask_fresh_process(options):
    heading("A new process, with TensorFlow only (Keras, keras_attention and Babel cannot be imported in it)")
    command = [sys.executable, dates_served.__file__, str(options.output / "export"), *ASKED]
    sys.stdout.flush()
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
