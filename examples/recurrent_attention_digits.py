"""Recurrent visual attention on MNIST: a network classifies digits from a few small glimpses.

    python examples/recurrent_attention_digits.py                      # centered digits, 28 x 28, six glimpses
    python examples/recurrent_attention_digits.py --task cluttered     # 60 x 60, with clutter
    python examples/recurrent_attention_digits.py --reinforce none     # soft glimpses, without REINFORCE

MNIST, translated and cluttered MNIST ("Recurrent Models of Visual Attention", Mnih et al., 2014). An interrupted run
resumes from its last checkpoint when it is started again. Outputs in `runs/recurrent_attention_digits/TASK/` (see
`--output`): paths.png, paths.gif, results.json, the last checkpoint, and export/1, a SavedModel for TensorFlow alone.
Results: docs/examples/recurrent_attention_digits.md.
"""

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a model are faster on one core each.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import dates_served
import digits_data
import numpy as np
from cluttered_digits import TASKS
from runs import (
    OtherRunError,
    above_zero,
    describe,
    ended,
    heading,
    minutes,
    positive,
    save_figure,
    save_json,
    save_whole,
    settle,
)

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "recurrent_attention_digits"
ROOM = 50e6  # bytes of the results, at most, with the default settings
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("network", "task", "steps", "batch", "std", "reinforce", "weight", "glimpses", "images", "seed")
LEARNED = ("step-*.weights.h5",)
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--task", choices=TASKS, default="centred", help="(default: %(default)s)")
    add("--steps", type=positive, default=30_000, help="updates (default: %(default)s)")
    add("--batch", type=positive, default=128, help="images per update (default: %(default)s)")
    add("--std", type=above_zero, default=0.15, help="standard deviation of the policy (default: %(default)s)")
    networks = ("glimpses", "convolutions")
    add("--network", choices=networks, default="glimpses", help="or the convolutional baseline (default: %(default)s)")
    trained = "what REINFORCE trains: the policy and the core, the policy alone, or nothing (soft glimpses)"
    add("--reinforce", choices=("core", "policy", "none"), default="core", help=f"{trained} (default: %(default)s)")
    add("--weight", type=float, help="weight of REINFORCE in the loss (default: 1 for centred digits, else 0.1)")
    add("--glimpses", type=positive, help="number of glimpses (default: 6 for centred digits, else 8)")
    add(
        "--draws",
        type=positive,
        default=10,
        help="sampled paths averaged in the evaluation (default: %(default)s)",
    )
    add("--images", type=positive, help="number of training digits (default: all 60,000)")
    add("--held-out", type=positive, default=10_000, help="test digits (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the weights, the batches and the paths (default: %(default)s)")
    add("--cache", type=pathlib.Path, help="folder of datasets (default: the user's cache folder)")
    add("--output", type=pathlib.Path, help=f"folder of the results (default: {OUTPUT.name}/TASK)")
    add("--fresh", action="store_true", help="start over: delete the checkpoints of an earlier run")
    options = parser.parse_args(arguments)
    if options.weight is not None and not options.weight >= 0:
        parser.error(f"--weight must not be negative. Received: {options.weight}")
    compared = "" if options.network == "glimpses" else f"-{options.network}"
    compared += {"core": "", "policy": "-policy", "none": "-soft"}[options.reinforce]
    options.output = options.output or OUTPUT / f"{options.task}{compared}"
    return options


def run(options):
    """Downloads, trains, evaluates, plots and exports."""
    began = time.perf_counter()
    heading(f"Recurrent attention, {options.task} digits")
    with dates_served.quiet():
        import recurrent_attention_learning as learning
    describe(options.seed)
    settle(options, FIXED, LEARNED)
    (images, labels), held_out = digits_data.load(options.cache)
    images, labels = images[: options.images], labels[: options.images]
    held_out = [x[: options.held_out] for x in held_out]
    if len(images) < options.batch:
        raise OtherRunError(f"--batch must be at most the {len(images)} training digits. Received: {options.batch}")
    model = build(options, learning)
    looks = f"{model.num_glimpses} glimpses" if options.network == "glimpses" else "one look"
    heading(f"{model.count_params():,} parameters, {looks}, {options.steps} updates of {options.batch}")
    rest = (options.steps, options.batch, options.seed, options.output)
    weight = learning.WEIGHTS[options.task] if options.weight is None else options.weight
    before = learning.learn(model, options.task, images, labels, *rest, weight)
    if before:
        print(f"    resumed after update {before} of an earlier run")
    test_images, truth = learning.examined(options.task, held_out[0], options.seed, images), held_out[1]
    if options.network == "glimpses":
        examine(options, learning, model, test_images, truth)
    else:
        error = float(np.mean(np.argmax(model.predict(test_images, verbose=0), -1) != truth))
        report(options, model, truth, {"of the convolutional network": error})
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def build(options, learning):
    """Builds a network with initial weights."""
    if options.network == "convolutions":
        from convolutions import convolutions

        return convolutions(options.seed)
    chosen = {"num_glimpses": options.glimpses} if options.glimpses else {}
    return learning.build(options.task, options.seed, options.reinforce, std=options.std, **chosen)


def examine(options, learning, model, test_images, truth):
    """Evaluates the network of glimpses, plots its paths, and exports it."""
    errors = {}
    for name, draws in (("with mean locations", 0), (f"averaged over {options.draws} sampled paths", options.draws)):
        classes, _ = learning.answers(model, test_images, draws)
        errors[name] = float(np.mean(classes != truth))
    report(options, model, truth, errors)
    draw(options, learning, model, test_images[:SHOWN], truth[:SHOWN])
    export(options, model)


def report(options, model, truth, errors):
    """Prints the error rates next to the published ones, and saves them."""
    heading(f"{len(truth):,} held-out digits")
    for name, error in errors.items():
        print(f"    error rate {error:.2%} {name}")
    for where, table in PUBLISHED[options.task].items():
        rates = ", ".join(f"{error} % with {number}" for number, error in table.items())
        print(f"    published, {where}, second-hand: {rates} glimpses")
    settings = {name: getattr(options, name) for name in (*FIXED, "held_out", "draws")}
    save_json(options.output / "results.json", {"settings": settings, "weights": model.count_params(), "error": errors})


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

    heading("Exported")
    outputs = model(model.input)
    outputs = {"label": keras.ops.argmax(outputs["logits"], axis=-1), "locations": outputs["locations"]}
    folder = export.export_saved_model(keras.Model(model.input, outputs), options.output / "export")
    print(f"    {folder}: images [B, Y, X, 1] -> label [B], locations [B, {model.num_glimpses}, 2]")


if __name__ == "__main__":
    sys.exit(main())
