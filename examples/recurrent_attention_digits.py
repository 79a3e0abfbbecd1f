"""A network learns to read digits through a few small glimpses, and where to take them.

    python examples/recurrent_attention_digits.py                      # centred digits, 28 x 28, six glimpses
    python examples/recurrent_attention_digits.py --task cluttered     # 60 x 60, among pieces of other digits
    python examples/recurrent_attention_digits.py --reinforce none     # soft glimpses, which need no REINFORCE

MNIST, and MNIST on larger canvases ("Recurrent Models of Visual Attention", Mnih et al., 2014). A run that was
interrupted goes on at its last checkpoint when it is started again. Everything is kept in
`runs/recurrent_attention_digits/TASK/` (see `--output`): paths.png, paths.gif, results.json, the last checkpoint, and
export/1, which TensorFlow alone can run. What it reaches: docs/examples/recurrent_attention_digits.md.
"""

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a model are faster on a core each than each on all cores.
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
# What the checkpoints in a folder were trained with: they can go on only with the same.
FIXED = ("network", "task", "steps", "batch", "std", "reinforce", "weight", "glimpses", "pictures", "seed")
LEARNED = ("step-*.weights.h5",)
# Errors in per cent that are ascribed to the paper, by glimpses: second-hand, where others' notes tell of them.
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
SHOWN = 8  # pictures with the path of the glimpses


def main(arguments=None):
    return ended(run, parse(arguments))


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--task", choices=TASKS, default="centred", help="(default: %(default)s)")
    add("--steps", type=positive, default=30_000, help="updates (default: %(default)s)")
    add("--batch", type=positive, default=128, help="pictures in an update (default: %(default)s)")
    add("--std", type=above_zero, default=0.15, help="width of the policy (default: %(default)s)")
    networks = ("glimpses", "convolutions")
    add("--network", choices=networks, default="glimpses", help="or one to compare with (default: %(default)s)")
    taught = "what REINFORCE teaches: the policy and the core, the policy alone, or nothing: soft glimpses"
    add("--reinforce", choices=("core", "policy", "none"), default="core", help=f"{taught} (default: %(default)s)")
    add("--weight", type=float, help="of REINFORCE in the loss (default: 1 of centred digits, else 0.1)")
    add("--glimpses", type=positive, help="how many (default: 6 of centred digits, else 8)")
    add("--draws", type=positive, default=10, help="paths to average over in the examination (default: %(default)s)")
    add("--pictures", type=positive, help="learn only from so many digits (default: all 60,000)")
    add("--held-out", type=positive, default=10_000, help="digits examined (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the weights, the batches and the paths (default: %(default)s)")
    add("--cache", type=pathlib.Path, help="folder of fetched data (default: the user's cache folder)")
    add("--output", type=pathlib.Path, help=f"folder of the results (default: {OUTPUT.name}/TASK)")
    add("--fresh", action="store_true", help="forget what an earlier run has learned")
    options = parser.parse_args(arguments)
    if options.weight is not None and not options.weight >= 0:
        parser.error(f"--weight must not be negative. Received: {options.weight}")
    compared = "" if options.network == "glimpses" else f"-{options.network}"
    compared += {"core": "", "policy": "-policy", "none": "-soft"}[options.reinforce]
    options.output = options.output or OUTPUT / f"{options.task}{compared}"
    return options


def run(options):
    """Fetches, learns, examines, draws and exports."""
    began = time.perf_counter()
    heading(f"Recurrent attention, {options.task} digits")
    with dates_served.quiet():
        import recurrent_attention_learning as learning
    describe(options.seed)
    settle(options, FIXED, LEARNED)
    (images, labels), held_out = digits_data.load(options.cache)
    images, labels = images[: options.pictures], labels[: options.pictures]
    held_out = [x[: options.held_out] for x in held_out]
    if len(images) < options.batch:
        raise OtherRunError(f"--batch must be at most the {len(images)} digits. Received: {options.batch}")
    model = build(options, learning)
    looks = f"{model.num_glimpses} glimpses" if options.network == "glimpses" else "one look"
    heading(f"{model.count_params():,} weights, {looks}, {options.steps} updates of {options.batch}")
    rest = (options.steps, options.batch, options.seed, options.output)
    weight = learning.WEIGHTS[options.task] if options.weight is None else options.weight
    before = learning.learn(model, options.task, images, labels, *rest, weight)
    if before:
        print(f"    went on after update {before} of an earlier run")
    pictures, truth = learning.examined(options.task, held_out[0], options.seed, images), held_out[1]
    if options.network == "glimpses":
        examine(options, learning, model, pictures, truth)
    else:
        wrong = float(np.mean(np.argmax(model.predict(pictures, verbose=0), -1) != truth))
        report(options, model, truth, {"in one look": wrong})
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def build(options, learning):
    """A network with new weights."""
    if options.network == "convolutions":
        from convolutions import convolutions

        return convolutions(options.seed)
    chosen = {"num_glimpses": options.glimpses} if options.glimpses else {}
    return learning.build(options.task, options.seed, options.reinforce, std=options.std, **chosen)


def examine(options, learning, model, pictures, truth):
    """What the network of glimpses answers, where it looks, and the SavedModel."""
    errors = {}
    for name, draws in (("by the means of the places", 0), (f"by the mean over {options.draws} paths", options.draws)):
        classes, _ = learning.answers(model, pictures, draws)
        errors[name] = float(np.mean(classes != truth))
    report(options, model, truth, errors)
    draw(options, learning, model, pictures[:SHOWN], truth[:SHOWN])
    export(options, model)


def report(options, model, truth, errors):
    """The share of wrong answers: printed beside the published ones, and kept as numbers."""
    heading(f"{len(truth):,} held-out digits")
    for name, error in errors.items():
        print(f"    {error:.2%} wrong {name}")
    for where, table in PUBLISHED[options.task].items():
        told = ", ".join(f"{error} % of {number}" for number, error in table.items())
        print(f"    published, {where}, second-hand: {told} glimpses")
    settings = {name: getattr(options, name) for name in (*FIXED, "held_out", "draws")}
    save_json(options.output / "results.json", {"settings": settings, "weights": model.count_params(), "error": errors})


def draw(options, learning, model, pictures, truth):
    """Where it looks: a picture, and one in which it looks glimpse after glimpse."""
    import recurrent_attention_pictures as drawing

    classes, places = learning.answers(model, pictures)
    frames = drawing.Frames(pictures, places, drawing.outlines(model, pictures.shape[1]), truth, classes)
    save_figure(options.output / "paths.png", frames.figure(model.num_glimpses))
    save_whole(options.output / "paths.gif", frames.save_animation)
    heading("Where it looks")
    print(f"    {options.output / 'paths.png'}, and glimpse after glimpse in paths.gif")


def export(options, model):
    """The SavedModel: images in, the label and the path out."""
    import keras

    from keras_attention import export

    heading("Exported")
    outputs = model(model.input)
    outputs = {"label": keras.ops.argmax(outputs["logits"], axis=-1), "locations": outputs["locations"]}
    folder = export.export_saved_model(keras.Model(model.input, outputs), options.output / "export")
    print(f"    {folder}: images [B, Y, X, 1] -> label [B], locations [B, {model.num_glimpses}, 2]")


if __name__ == "__main__":
    sys.exit(main())
