"""Cross-view image translation with SelectionGAN: a first-person view from a map, with and without attention.

    python examples/selection_gan_cross_view.py                          # downloads, renders, trains, evaluates, plots
    python examples/selection_gan_cross_view.py --ablation H --steps 100 # a short run

Pairs of views from the maps of a game: from above, and in first person with a semantic map. Small generators from the
ablation of "Multi-Channel Attention Selection GAN" (Tang et al., 2019) train for the same number of updates on the same
batches, and are evaluated in unseen maps; those with a second stage, in both stages. An interrupted run resumes from
its last checkpoint when it is started again. Outputs in `runs/selection_gan_cross_view/` (see `--output`): views.png,
the attention of each generator that has it, results.json and the last checkpoints. Results:
docs/examples/selection_gan_cross_view.md.
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
ROOM = 200e6  # bytes of the results, at most, with the default settings
STEPS = {
    "A": "map from above → image",
    "B": "semantic map → image",
    "C": "both → image",
    "D": "C, and the semantic map predicted from the image",
    "E": "D, with an uncertainty map",
    "F": "E, with attention over 10 images",
    "G": "F, with the total variation",
    "H": "G, with multi-scale pooling",
}
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("steps", "batch", "width", "channels", "views")
LEARNED = ("[A-H]/seed-*/step-*.weights.h5",)


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ablation", type=steps_of_ablation, default="ACFH", help="A to H (default: %(default)s)")
    parser.add_argument("--steps", type=positive, default=1500, help="updates of each pair (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=8, help="views per update (default: %(default)s)")
    parser.add_argument("--seeds", type=positive, default=1, help="generators of each kind (default: %(default)s)")
    parser.add_argument("--width", type=positive, default=16, help="channels, first layers (default: %(default)s)")
    parser.add_argument("--channels", type=positive, default=32, help="channels, second stage (default: %(default)s)")
    parser.add_argument("--views", type=positive, default=4800, help="training views (default: %(default)s)")
    parser.add_argument("--examined", type=positive, default=600, help="test views (default: %(default)s)")
    parser.add_argument("--cache", type=pathlib.Path, help="folder of datasets (default: the user's cache folder)")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    parser.add_argument("--fresh", action="store_true", help="start over: delete the checkpoints of an earlier run")
    return parser.parse_args(arguments)


def steps_of_ablation(text):
    if not text or not set(text) <= set(STEPS) or len(set(text)) < len(text):
        raise argparse.ArgumentTypeError(f"must be different letters from A to H. Received: {text!r}")
    return "".join(sorted(text))


def run(options):
    """Renders, trains, evaluates and plots."""
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
    print(f"{len(views['image']):,} training views, {len(unseen['image']):,} test views of other maps")
    rows, generated = [], {}
    for name in options.ablation:
        for seed in range(options.seeds):
            model = learning.build(game_maps.SIZE, name, options.width, options.channels, seed, options.steps)
            size = model.generator.count_params()
            heading(
                f"{name}, {STEPS[name]}: {size:,} parameters, seed {seed}, {options.steps} updates of {options.batch}"
            )
            folder = options.output / name / f"seed-{seed}"
            start = time.perf_counter()
            before = learning.learn(model, views, options.steps, options.batch, seed, folder)
            print(f"    trained in {time.perf_counter() - start:.0f} s" + f", from update {before} on" * bool(before))
            outputs = learning.painted_views(model, unseen)
            for image in ("first_image", "image"):
                if image in outputs:
                    found = {"step": name, "image": image, "seed": seed, "weights": size}
                    rows.append(found | learning.measured(outputs[image], unseen))
            if seed == 0:
                generated[name] = outputs
    report(options, rows)
    draw(options, unseen, generated)
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def report(options, rows):
    """Prints and saves the metrics of each stage."""
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


def draw(options, views, generated, number=6):
    """Plots some test views, the images that each generator generated, and its attention."""
    chosen = np.unique(np.linspace(0, len(views["image"]) - 1, number).astype(int))
    given = {"from above": views["source"], "semantic map": cross_view_data.painted(views["semantics"])}
    images = {name: outputs.get("image", outputs["first_image"]) for name, outputs in generated.items()}
    columns = {**given, **{name: as_bytes(x) for name, x in images.items()}, "true": views["image"]}
    save_figure(options.output / "views.png", grid(columns, chosen), dpi=120)
    for name, outputs in generated.items():
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
            # All attention maps have the scale from 0 to 1.
            scale = {"cmap": "magma", "vmin": 0, "vmax": 1} if images.ndim == 3 else {}
            axes[i, j].imshow(images[row].astype("uint8" if images.ndim == 4 else "float32"), **scale)
            axes[i, j].axis("off")
    return figure


if __name__ == "__main__":
    sys.exit(main())
