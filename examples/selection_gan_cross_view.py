"""What does this place look like from within? SelectionGAN paints it from a map, with and without its attention.

    python examples/selection_gan_cross_view.py                          # fetches, renders, learns, examines, draws
    python examples/selection_gan_cross_view.py --ablation H --steps 100 # a first look

Pairs of views from the maps of a game: from above, and from within with a map of what is to be seen. Generators from
the ablation of "Multi-Channel Attention Selection GAN" (Tang et al., 2019), small, get the same number of updates on
the same batches, and are examined in maps that none of them has seen; of those with a second stage, both stages. A
run that was interrupted goes on at its last checkpoint when it is started again. Everything is kept in
`runs/selection_gan_cross_view/` (see `--output`): views.png, a picture of attention for each generator that has one,
results.json, and the last checkpoints. What it reaches: docs/examples/selection_gan_cross_view.md.
"""

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import cross_view_data
import dates_served
import game_maps
import numpy as np
from runs import OtherRunError, describe, ended, heading, minutes, positive, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "selection_gan_cross_view"
STEPS = {
    "A": "map from above → image",
    "B": "semantic map → image",
    "C": "both → image",
    "D": "C, and the semantic map read off the image",
    "E": "D, with an uncertainty map",
    "F": "E, and a choice among 10 images",
    "G": "F, with the total variation",
    "H": "G, with multi-scale pooling",
}
# What the checkpoints in a folder were trained with: they can go on only with the same.
FIXED = ("steps", "batch", "width", "channels", "views")
LEARNED = ("[A-H]/seed-*/step-*.weights.h5",)


def main(arguments=None):
    return ended(run, parse(arguments))


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", type=steps_of_ablation, default="ACFH", help="A to H (default: %(default)s)")
    parser.add_argument("--steps", type=positive, default=1500, help="updates of each pair (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=8, help="views in an update (default: %(default)s)")
    parser.add_argument("--seeds", type=positive, default=1, help="generators of each kind (default: %(default)s)")
    parser.add_argument("--width", type=positive, default=16, help="of the first layers (default: %(default)s)")
    parser.add_argument("--channels", type=positive, default=32, help="of the second stage (default: %(default)s)")
    parser.add_argument("--views", type=positive, default=4800, help="to learn from (default: %(default)s)")
    parser.add_argument("--examined", type=positive, default=600, help="views to examine (default: %(default)s)")
    parser.add_argument("--cache", type=pathlib.Path, help="folder of fetched data (default: the user's cache folder)")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run has learned")
    return parser.parse_args(arguments)


def steps_of_ablation(text):
    if not text or not set(text) <= set(STEPS) or len(set(text)) < len(text):
        raise argparse.ArgumentTypeError(f"must be different letters from A to H. Received: {text!r}")
    return "".join(sorted(text))


def run(options):
    """Renders, learns, examines and draws."""
    began = time.perf_counter()
    heading("SelectionGAN: from a map to a view")
    with dates_served.quiet():
        import selection_gan_learning as learning
    describe()
    if options.batch > options.views:
        raise OtherRunError(f"--batch must be at most --views. Received: {options.batch} of {options.views}")
    settle(options, FIXED, LEARNED)
    views = cross_view_data.load(options.views, game_maps.LEARNED, 0, options.cache)
    unseen = cross_view_data.load(options.examined, game_maps.EXAMINED, 1, options.cache)
    print(f"{len(views['image']):,} views to learn from, {len(unseen['image']):,} of other maps to examine")
    rows, made = [], {}
    for name in options.ablation:
        for seed in range(options.seeds):
            model = learning.build(game_maps.SIZE, name, options.width, options.channels, seed, options.steps)
            size = model.generator.count_params()
            heading(f"{name}, {STEPS[name]}: {size:,} weights, seed {seed}, {options.steps} updates of {options.batch}")
            folder = options.output / name / f"seed-{seed}"
            start = time.perf_counter()
            before = learning.learn(model, views, options.steps, options.batch, seed, folder)
            print(f"    learned in {time.perf_counter() - start:.0f} s" + f", from update {before} on" * bool(before))
            outputs = learning.painted_views(model, unseen)
            for image in ("first_image", "image"):
                if image in outputs:
                    found = {"step": name, "image": image, "seed": seed, "weights": size}
                    rows.append(found | learning.measured(outputs[image], unseen))
            if seed == 0:
                made[name] = outputs
    report(options, rows)
    draw(options, unseen, made)
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def report(options, rows):
    """The measures of each stage: printed, and kept as numbers."""
    heading(f"{options.examined} views of unseen maps; the mean of {options.seeds} generators of each kind")
    print(f"    {'':6}{'image of':14}{'SSIM':>8}{'PSNR':>8}{'SD':>8}")
    for name, image in dict.fromkeys((row["step"], row["image"]) for row in rows):
        same = [row for row in rows if (row["step"], row["image"]) == (name, image)]
        stage = "first stage" if image == "first_image" else "second stage"
        means = {measure: np.mean([row[measure] for row in same]) for measure in ("SSIM", "PSNR", "SD")}
        print(f"    {name:6}{stage:14}{means['SSIM']:>8.4f}{means['PSNR']:>8.2f}{means['SD']:>8.2f}")
    settings = {name: getattr(options, name) for name in (*FIXED, "seeds", "examined")}
    table = {"settings": settings, "results": rows}
    save_json(options.output / "results.json", table)


def draw(options, views, made, number=6):
    """Pictures of some unseen views: what each generator painted, and what attention chose."""
    chosen = np.unique(np.linspace(0, len(views["image"]) - 1, number).astype(int))
    given = {"from above": views["source"], "semantic map": cross_view_data.painted(views["semantics"])}
    painted = {name: outputs.get("image", outputs["first_image"]) for name, outputs in made.items()}
    columns = {**given, **{name: as_bytes(x) for name, x in painted.items()}, "true": views["image"]}
    save_figure(options.output / "views.png", grid(columns, chosen), dpi=120)
    for name, outputs in made.items():
        if "attention" in outputs:
            stages = {"first stage": as_bytes(outputs["first_image"]), "second stage": as_bytes(outputs["image"])}
            maps = {f"attention {m + 1}": outputs["attention"][..., m] for m in range(outputs["attention"].shape[-1])}
            doubt = {"uncertainty": outputs["uncertainty"][..., 0]}
            columns = {**given, **stages, "true": views["image"], **maps, **doubt}
            save_figure(options.output / f"attention-{name}.png", grid(columns, chosen), dpi=120)


def as_bytes(images):
    """Between -1 and 1 -> uint8."""
    return np.clip(images * 127.5 + 128, 0, 255).astype("uint8")


def grid(columns, chosen):
    """A row for each of the chosen views, a column for each of {title: [N, Y, X] or [N, Y, X, 3]}.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.3 * len(columns), 1.35 * len(chosen) + 0.3), layout="constrained")
    axes = figure.subplots(len(chosen), len(columns), squeeze=False)
    for j, (title, images) in enumerate(columns.items()):
        axes[0, j].set_title(title, fontsize=8)
        for i, row in enumerate(chosen):
            # Maps of attention share the scale from 0 to 1.
            scale = {"cmap": "magma", "vmin": 0, "vmax": 1} if images.ndim == 3 else {}
            axes[i, j].imshow(images[row].astype("uint8" if images.ndim == 4 else "float32"), **scale)
            axes[i, j].axis("off")
    return figure


if __name__ == "__main__":
    sys.exit(main())
