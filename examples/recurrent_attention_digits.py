"""Recurrent visual attention on MNIST: networks classify digits from a few small glimpses, beside convolutions.

    python examples/recurrent_attention_digits.py                      # centered digits, 28 x 28, six glimpses
    python examples/recurrent_attention_digits.py --task cluttered     # 60 x 60, with clutter
    python examples/recurrent_attention_digits.py --task cluttered --seeds 3 --networks \
        "REINFORCE, policy only" "soft glimpses" "convolutions, equal cost" "convolutions, published"

MNIST, translated and cluttered MNIST ("Recurrent Models of Visual Attention", Mnih et al., 2014). An interrupted run
resumes from its last checkpoint when it is started again. Outputs in `runs/recurrent_attention_digits/TASK/` (see
`--output`): errors.png, paths.png, paths.gif, results.json, the last checkpoints, and export/1, a SavedModel for
TensorFlow alone. Results: docs/examples/recurrent_attention_digits.md.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a model are faster on one core each.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import dates_served
import digits_data
import numpy as np
from arguments import Parser, above_zero, at_least_zero, positive
from cluttered_digits import TASKS
from runs import (
    OtherRunError,
    describe,
    ended,
    heading,
    save_figure,
    save_json,
    save_whole,
    settle,
)

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "recurrent_attention_digits"
ROOM = 50e6  # bytes of the results, at most, with the default settings
# How the locations are trained, or None for a convolutional network.
NETWORKS = {
    "REINFORCE": "core",
    "REINFORCE, policy only": "policy",
    "soft glimpses": "none",
    "convolutions, equal cost": None,
    "convolutions, published": None,
}
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("task", "steps", "batch", "std", "weight", "glimpses", "images")
LEARNED = ("*/seed-*/step-*.weights.h5",)
# Error rates of the paper in per cent, by number of glimpses: second-hand, from notes of others.
PUBLISHED = {
    "centred": {
        "proceedings": {2: 3.79, 3: 1.51, 4: 1.54, 5: 1.34, 6: 1.12, 7: 1.07},
        "arXiv, first version": {2: 6.27, 4: 1.73, 6: 1.29},
    },
    "translated": {
        "proceedings": {4: 1.54, 6: 1.22, 8: 1.20},
        "arXiv, first version": {4: 2.29, 6: 1.86},
    },
    "cluttered": {
        "proceedings": {4: 4.96, 6: 4.08, 8: 4.04},
        "arXiv, first version": {4: 7.1, 8: 5.23},
    },
    "cluttered-100": {"arXiv, first version": {4: 14.95, 6: 11.58, 8: 10.83}},
}
SHOWN = 8  # images with the path of the glimpses


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--task", choices=TASKS, default="centred", help="(default: %(default)s)")
    parser.networks(NETWORKS, ["REINFORCE"])
    parser.training(steps=30_000, batch=128, unit="images", seeds=1)
    parser.number("--std", 0.15, "standard deviation of the policy", above_zero)
    text = "weight of REINFORCE in the loss (default: 1 for centred digits, else 0.1)"
    parser.add_argument("--weight", type=at_least_zero, help=text)
    parser.add_argument("--glimpses", type=positive, help="number of glimpses (default: 6 for centred digits, else 8)")
    parser.number("--draws", 10, "sampled paths averaged in the evaluation")
    parser.add_argument("--images", type=positive, help="number of training digits (default: all 60,000)")
    parser.number("--held-out", 10_000, "test digits")
    parser.folders(OUTPUT, "task")
    return parser.parse_args(arguments)


def run(options):
    """Downloads, trains, evaluates, plots and exports."""
    heading(f"Recurrent attention, {options.task} digits")
    with dates_served.quiet():
        import comparing
        import recurrent_attention_learning as learning
    describe()
    choose(options, learning)
    settle(options, FIXED, LEARNED)
    (images, labels), held_out = digits_data.load(options.cache)
    test_images, truth = (x[: options.held_out] for x in held_out)
    test_images = learning.examined(options.task, test_images, images)
    images, labels = images[: options.images], labels[: options.images]
    if len(images) < options.batch:
        raise OtherRunError(f"--batch must be at most the {len(images)} training digits. Received: {options.batch}")

    def learn(model, name, seed, folder):
        print(f"    {learning.cost(model, options.task):,} multiply-adds for an image")
        rest = (options.steps, options.batch, seed, folder)
        return learning.learn(model, options.task, images, labels, *rest, options.weight)

    found, looking = {name: {"error": [], "error of paths": []} for name in options.networks}, None
    for name, _, model in comparing.trained(options, options.networks, build, learn):
        examine(options, learning, model, found[name], test_images, truth)
        if looking is None and NETWORKS[name]:
            looking = model
    report(options, found, len(truth))
    if looking:
        draw(options, learning, looking, test_images[:SHOWN], truth[:SHOWN])
        export(options, looking)


def choose(options, learning):
    """Sets the weight of REINFORCE and the number of glimpses to those of the task where none are given."""
    if options.weight is None:
        options.weight = learning.WEIGHTS[options.task]
    if options.glimpses is None:
        options.glimpses = learning.GLIMPSES[options.task]["num_glimpses"]


def build(options, name, seed):
    """Builds a network with initial weights."""
    import recurrent_attention_learning as learning

    if NETWORKS[name] is None:
        return learning.baseline(name, options.task, seed, num_glimpses=options.glimpses)
    return learning.build(options.task, seed, NETWORKS[name], std=options.std, num_glimpses=options.glimpses)


def examine(options, learning, model, kind, test_images, truth):
    """Evaluates a network: its size and cost, its error rate, and with glimpses that of the mean of sampled paths."""
    kind["parameters"], kind["multiply-adds"] = model.count_params(), learning.cost(model, options.task)
    kind["error"].append(float(np.mean(learning.answers(model, test_images)[0] != truth)))
    print(f"    error rate {kind['error'][-1]:.2%}")
    if learning.looks(model):
        classes, _ = learning.answers(model, test_images, options.draws)
        kind["error of paths"].append(float(np.mean(classes != truth)))
        print(f"    error rate {kind['error of paths'][-1]:.2%}, averaged over {options.draws} sampled paths")


def report(options, found, number):
    """Prints, plots and saves the error rates on this number of test digits, next to the published ones."""
    from comparing import mean_text, plot_rates, print_rates

    heading(f"Error rates on {number:,} test digits; networks of each kind: {options.seeds}")
    rates, sizes = ({name: kind[what] for name, kind in found.items()} for what in ("error", "parameters"))
    print_rates(rates, sizes, "convolutions, equal cost", digits=2)
    for name, kind in found.items():
        print(f"    {name}: {kind['multiply-adds']:,} multiply-adds for an image")
        if kind["error of paths"]:
            paths = mean_text(kind["error of paths"], digits=2)
            print(f"    {name}: {paths}, averaged over {options.draws} sampled paths, each of this cost")
    for where, table in PUBLISHED[options.task].items():
        published = ", ".join(f"{error} % with {number}" for number, error in table.items())
        print(f"    published, {where}, second-hand: {published} glimpses")
    title = f"{options.task} digits, {options.steps} updates of each network"
    save_figure(options.output / "errors.png", plot_rates(rates, title, "error rate on test digits"))
    settings = {name: getattr(options, name) for name in (*FIXED, "seeds", "draws")}
    save_json(options.output / "results.json", {"settings": settings | {"held_out": number}} | found)


def draw(options, learning, model, test_images, truth):
    """Plots the paths of the glimpses, and animates them."""
    from keras_attention import visualize

    classes, locations = learning.answers(model, test_images)
    pairs = zip(truth, classes)
    labels = [f"{label}" if label == predicted else f"{label}, predicted {predicted}" for label, predicted in pairs]
    paths = (test_images, locations, outlines(model, test_images.shape[1]))
    save_figure(options.output / "paths.png", visualize.plot_glimpses(*paths, labels=labels))
    save_whole(options.output / "paths.gif", lambda beside: visualize.animate_glimpses(beside, *paths, labels=labels))
    heading("Paths of the glimpses")
    print(f"    {options.output / 'paths.png'}, and as an animation in paths.gif")


def outlines(model, side):
    """The widths of the patches of a glimpse in pixels that are not wider than the image."""
    from keras_attention.ops.glimpse_sensor import patch_widths

    return [width for width in patch_widths(model.size, model.scales, model.factor) if width <= side]


def export(options, model):
    """Exports a SavedModel from images to labels and paths."""
    import keras

    from keras_attention import export

    if keras.backend.backend() != "tensorflow":
        print("No SavedModel is written: it needs the TensorFlow backend.")
        return
    heading("Exported")
    outputs = model(model.input)
    outputs = {"label": keras.ops.argmax(outputs["logits"], axis=-1), "locations": outputs["locations"]}
    folder = export.export_saved_model(keras.Model(model.input, outputs), options.output / "export")
    print(f"    {folder}: images [B, Y, X, 1] -> label [B], locations [B, {model.num_glimpses}, 2]")


if __name__ == "__main__":
    sys.exit(main())
