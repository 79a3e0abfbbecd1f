"""Cross-view image translation with SelectionGAN: a first-person view from a map, with and without attention.

    python examples/selection_gan_cross_view.py                          # downloads, renders, trains, evaluates, plots
    python examples/selection_gan_cross_view.py --ablation H --steps 100 # a short run

Pairs of views from the maps of a game: from above, and in first person with a semantic map. Small generators from the
ablation of "Multi-Channel Attention Selection GAN" (Tang et al., 2019) train for the same number of updates on the same
batches, and are evaluated on views of other places; those with a second stage, in both stages. An interrupted run
resumes from its last checkpoint when it is started again. Outputs in `runs/selection_gan_cross_view/` (see
`--output`): views.png, progress.png, the attention of each generator that has it, results.json and the last
checkpoints. Results: docs/examples/selection_gan_cross_view.md.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import cross_view_data
import dates_served
import game_maps
import numpy as np
from arguments import Parser, at_least_zero
from runs import (
    OtherRunError,
    describe,
    ended,
    folder_of,
    heading,
    recorded,
    save_figure,
    save_json,
    settle,
)

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
# Where the test views are from.
TESTS = {
    "places": (game_maps.LEARNED, "other places of the same maps"),
    "maps": (game_maps.EXAMINED, "other maps"),
}
MEASURES = {"SSIM": 4, "PSNR": 2, "SD": 2}  # decimal places
MAPS = {
    "candidates": "candidates in use, exp of the entropy of the mean attention",
    "spread": "standard deviation of the uncertainty",
    "correlation": "correlation of the uncertainty with the error",
}
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("steps", "batch", "width", "channels", "discriminator", "adversarial", "views", "examined", "test")
LEARNED = ("[A-H]/seed-*/step-*.weights.h5", "[A-H]/seed-*/progress.json")
TWO_STAGES = "FGH"
LEAST = 7  # channels of the second stage: more than the 6 of the map from above and of the first image


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--ablation", type=steps_of_ablation, default="ACFH", help="A to H (default: %(default)s)")
    parser.training(steps=3000, batch=8, unit="views", seeds=1)
    parser.number("--width", 16, "channels, first layers")
    parser.number("--channels", 16, "channels, second stage")
    parser.number("--discriminator", 4, "channels, its first layer")
    parser.number("--adversarial", 1.0, "factor of the adversarial loss", at_least_zero)
    parser.number("--views", 4800, "training views")
    parser.number("--examined", 600, "test views")
    parser.add_argument("--test", choices=TESTS, default="places", help="where test views are from (default: places)")
    parser.folders(OUTPUT)
    options = parser.parse_args(arguments)
    if set(options.ablation) & set(TWO_STAGES) and options.channels < LEAST:
        parser.error(f"--channels must be at least {LEAST} for {', '.join(TWO_STAGES)}. Received: {options.channels}")
    return options


def steps_of_ablation(text):
    if not text or not set(text) <= set(STEPS) or len(set(text)) < len(text):
        raise argparse.ArgumentTypeError(f"must be different letters from A to H. Received: {text!r}")
    return "".join(sorted(text))


def run(options):
    """Renders, trains, evaluates and plots."""
    heading("SelectionGAN: from a map to a view")
    with dates_served.quiet():
        import comparing
        import selection_gan_learning as learning
        from examining import Examination
    describe()
    if options.batch > options.views:
        raise OtherRunError(f"--batch must be at most --views. Received: {options.batch} of {options.views}")
    settle(options, FIXED, LEARNED)
    views = cross_view_data.load(options.views, game_maps.LEARNED, False, 0, options.cache)
    maps, places = TESTS[options.test]
    unseen = cross_view_data.load(options.examined, maps, True, 1, options.cache)
    print(f"{len(views['image']):,} training views, {len(unseen['image']):,} test views of {places}")
    some, rows, generated = sample(unseen), [], {}

    def examine(model):
        return learning.stages(learning.painted_views(model, some), some)

    def learn(model, name, seed, folder):
        every = max(1, options.steps // 20)
        watching = [Examination(examine, folder / "progress.json", every, options.steps)]
        return learning.learn(model, views, options.steps, options.batch, seed, folder, callbacks=watching)

    for name, seed, model in comparing.trained(options, options.ablation, build, learn):
        outputs = learning.painted_views(model, unseen)
        found = {"step": name, "seed": seed, "weights": model.generator.count_params()}
        found["stages"] = learning.stages(outputs, unseen)
        if "attention" in outputs:
            found["maps"] = learning.of_maps(outputs, unseen)
        rows.append(found)
        if seed == 0:
            generated[name] = outputs
    report(options, rows, learning.measured(learning.mean_view(views, len(unseen["image"])), unseen))
    draw(options, unseen, generated)


def sample(views):
    """Every so many of the views, 100 or some more; of fewer than 100, all."""
    return {name: x[:: max(1, len(x) // 100)] for name, x in views.items()}


def build(options, name, seed):
    import selection_gan_learning as learning

    print(f"\n{name}: {STEPS[name]}")
    return learning.build(game_maps.SIZE, name, options, seed)


def report(options, rows, baseline):
    """Prints and saves the metrics of each stage, how much better the second is, and those of a constant image."""
    import selection_gan_pictures as pictures
    from comparing import number_text

    heading(f"{options.examined} test views of {TESTS[options.test][1]}; {options.seeds} generators of each kind")
    print("    means over seeds, with 95 % confidence intervals by Student's t if there are several")
    print(f"    {'':28}" + "".join(f"{measure:>18}" for measure in MEASURES))
    numbers = (f"{baseline[measure]:.{digits}f}" for measure, digits in MEASURES.items())
    print(f"    {'mean training view':28}" + "".join(f"{number:>18}" for number in numbers))
    for name in options.ablation:
        same = [row for row in rows if row["step"] == name]
        values = {stage: [list(row["stages"][stage].values()) for row in same] for stage in same[0]["stages"]}
        lines = {pictures.STAGES[stage]: (of_seeds, "") for stage, of_seeds in values.items()}
        if len(values) == 2:
            lines["second minus first"] = np.subtract(values["image"], values["first_image"]), "+"
        for text, (of_seeds, sign) in lines.items():
            numbers = (number_text(x, digits, sign) for x, digits in zip(np.transpose(of_seeds), MEASURES.values()))
            print(f"    {name:4}{text:24}" + "".join(f"{number:>18}" for number in numbers))
        for measure in same[0].get("maps", ()):
            print(f"    {name:4}{MAPS[measure]}: {number_text([row['maps'][measure] for row in same], 3)}")
    settings = {name: getattr(options, name) for name in (*FIXED, "seeds")}
    save_json(options.output / "results.json", {"settings": settings, "baseline": baseline, "results": rows})


def draw(options, views, generated, number=6):
    """Plots some test views, images and attention of each generator, and the metrics during training."""
    import selection_gan_pictures as pictures

    rows = np.unique(np.linspace(0, len(views["image"]) - 1, number).astype(int))
    save_figure(options.output / "views.png", pictures.plot_views(views, generated, rows), dpi=120)
    for name, outputs in generated.items():
        if "attention" in outputs:
            figure = pictures.plot_attention(views, outputs, rows)
            save_figure(options.output / f"attention-{name}.png", figure, dpi=120)
    found = {name: recorded(folder_of(options, name, 0) / "progress.json") for name in options.ablation}
    number = len(sample(views)["image"])
    title = f"{number} test views during {options.steps} updates of {options.batch}; seed 0"
    save_figure(options.output / "progress.png", pictures.plot_progress(found, ("SSIM", "PSNR"), title))


if __name__ == "__main__":
    sys.exit(main())
