"""A network learns to read digits through a few small glimpses, and where to take them.

    python examples/recurrent_attention_digits.py                      # centred digits, 28 x 28, six glimpses
    python examples/recurrent_attention_digits.py --task cluttered     # 60 x 60, among pieces of other digits

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
from fetching import UnavailableError
from runs import OtherRunError, describe, heading, minutes, positive, save_figure, save_json, save_whole, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "recurrent_attention_digits"
# What the checkpoints in a folder were trained with: they can go on only with the same.
FIXED = ("task", "steps", "batch", "std", "glimpses", "pictures", "seed")
LEARNED = ("step-*.weights.h5",)
# Error in per cent as the paper prints it, by glimpses: in the proceedings, and in the first version on arXiv.
SHOWN = 8  # pictures with the path of the glimpses


def main(arguments=None):
    options = parse(arguments)
    try:
        return run(options)
    except (UnavailableError, OtherRunError) as error:
        print(error, file=sys.stderr)
        return 1


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--task", choices=TASKS, default="centred", help="(default: %(default)s)")
    add("--steps", type=positive, default=12_000, help="updates (default: %(default)s)")
    add("--batch", type=positive, default=128, help="pictures in an update (default: %(default)s)")
    add("--std", type=float, default=0.15, help="width of the policy (default: %(default)s)")
    add("--glimpses", type=positive, help="how many (default: 6 of centred digits, else 8)")
    add("--draws", type=positive, default=10, help="paths to average over in the examination (default: %(default)s)")
    add("--pictures", type=positive, help="learn only from so many digits (default: all 60,000)")
    add("--held-out", type=positive, default=10_000, help="digits examined (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the weights, the batches and the paths (default: %(default)s)")
    add("--cache", type=pathlib.Path, help="folder of fetched data (default: the user's cache folder)")
    add("--output", type=pathlib.Path, help=f"folder of the results (default: {OUTPUT.name}/TASK)")
    add("--fresh", action="store_true", help="forget what an earlier run has learned")
    options = parser.parse_args(arguments)
    if not options.std > 0:
        parser.error(f"--std must be positive. Received: {options.std}")
    options.output = options.output or OUTPUT / options.task
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
    chosen = {"num_glimpses": options.glimpses} if options.glimpses else {}
    model = learning.build(options.task, options.seed, std=options.std, **chosen)
    heading(f"{model.count_params():,} weights, {model.num_glimpses} glimpses, {options.steps} updates")
    rest = (options.steps, options.batch, options.seed, options.output)
    before = learning.learn(model, options.task, images, labels, *rest)
    if before:
        print(f"    went on after update {before} of an earlier run")
    pictures = learning.examined(options.task, held_out[0], options.seed)
    report(options, learning, model, pictures, held_out[1])
    draw(options, learning, model, pictures[:SHOWN], held_out[1][:SHOWN])
    export(options, model)
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def report(options, learning, model, pictures, truth):
    """The share of wrong answers: printed, and kept as numbers."""
    heading(f"{len(truth):,} held-out digits")
    errors = {}
    for name, draws in (("the means of the places", 0), (f"the mean over {options.draws} paths", options.draws)):
        classes, _ = learning.answers(model, pictures, draws)
        errors[name] = float(np.mean(classes != truth))
        print(f"    {errors[name]:.2%} wrong by {name}")
    settings = {name: getattr(options, name) for name in FIXED}
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
    """The SavedModel: images in, classes and places out."""
    from keras_attention import export

    heading("Exported")
    folder = export.export_saved_model(model, options.output / "export")
    print(f"    {folder}: images [B, Y, X, 1] -> logits [B, 10], locations [B, {model.num_glimpses}, 2]")


if __name__ == "__main__":
    sys.exit(main())
