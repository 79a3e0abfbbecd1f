"""A GAN of two equal digits, far apart: does the discriminator see that they are equal?

    python examples/twin_digits.py
    python examples/twin_digits.py --seeds 1 --steps 1000

Images with the same digit of MNIST twice. The generator is the same for all; the discriminators see windows of 17
pixels, fewer than from one digit to the other, and their logits are means over all windows. One has nothing else, one a
block of 1 x 1 convolutions, one the self-attention of "Self-Attention Generative Adversarial Networks" (Zhang et al.,
2018), with as many weights. An interrupted run resumes from its last checkpoint when it is started again. Outputs in
`runs/twin_digits/` (see `--output`): agreement.png, progress.png, samples.png, attention.png, results.json and the last
checkpoints. Results: docs/examples/twin_digits.md.
"""

import functools
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import digits_data
import numpy as np
import twins_data
from arguments import Parser
from runs import describe, ended, folder_of, heading, recorded, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "twin_digits"
ROOM = 50e6  # bytes of the results, at most, with the default settings
ATTENTION = "self-attention"
DISCRIMINATORS = ("no block", "1 x 1 block", ATTENTION)
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("batch", "every", "examined")
LEARNED = ("*/seed-*/step-*.weights.h5", "*/seed-*/progress.json")
TEST = 1_000_000  # seed of the test images
SAMPLED, LOOKED_AT = 12, 3  # images of each network that are shown, images with plotted attention
POINTS = ((0.5, 0.2), (0.5, 0.8))  # of the images, on the two digits
QUERIES, KEYS = (4, 12), (2, 6)  # rows and columns of the discriminator's map, and of the pooled keys


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.networks(DISCRIMINATORS)
    parser.training(steps=3000, batch=64, unit="images", seeds=3)
    parser.number("--every", 500, "updates between examinations")
    parser.number("--examined", 1000, "test images")
    parser.folders(OUTPUT)
    options = parser.parse_args(arguments)
    if options.examined < SAMPLED:
        parser.error(f"--examined must be at least {SAMPLED}, the images that are shown. Received: {options.examined}")
    return options


def run(options):
    """Downloads, trains, examines and plots."""
    heading("Twins: a GAN of two equal digits")
    with dates_served.quiet():
        import comparing
        import twin_digits_learning as learning
        from class_reading import Reader
        from examining import Examination
        from resuming import train
        from sagan_learning import SHOWN
        from twin_digits_networks import receptive_field
    describe()
    (digits, labels), (unseen, _) = digits_data.load(options.cache)
    options.examined = min(options.examined, len(unseen))  # the test digits may be fewer
    settle(options, FIXED, LEARNED)
    real = learning.images_of(unseen[: options.examined], np.random.default_rng(TEST))
    chance = float(twins_data.agreement(twins_data.strangers(real[..., 0])).mean())
    print(f"{len(digits):,} digits, and {len(real):,} others for evaluation; agreement of any two: {chance:.1%}")
    print(f"each position of a discriminator's map sees a window of {receptive_field()} pixels")
    reader = Reader(learning.images_of, twins_data.parts, digits, labels)
    alike = [reader.equal(images) for images in (real, twins_data.strangers(real))]
    print("both digits are read as the same: {:.1%} of twins, {:.1%} of any two".format(*alike))
    found, equal = ({name: [] for name in options.networks} for _ in range(2))
    sizes, first = {}, {}

    def learn(model, name, seed, folder):
        watching = [Examination(learning.examiner(real, seed), folder / "progress.json", options.every, options.steps)]
        data = functools.partial(learning.batches, digits, options.batch, seed)
        return train(model, data, options.steps, folder, options.every, SHOWN, watching)

    for name, seed, model in comparing.trained(options, options.networks, build, learn):
        found[name].append(recorded(folder_of(options, name, seed) / "progress.json"))
        equal[name].append(reader.equal(learning.generated_by(model, options.examined, seed)))
        sizes[name] = model.discriminator.count_params()
        print("    " + ", ".join(f"{measure} {value:.3f}" for measure, value in found[name][-1][options.steps].items()))
        first.setdefault(name, model)
    report(options, found, equal, sizes, chance)
    draw(options, first, real)


def build(options, name, seed):
    import twin_digits_learning as learning

    return learning.build(name, seed)


def report(options, found, equal, sizes, chance):
    """Prints, plots and saves the agreement of the two digits, and how good single digits are."""
    from comparing import number_text, plot_rates, print_rates
    from sagan_pictures import plot_progress

    last = {name: [table[options.steps] for table in tables] for name, tables in found.items()}
    agreement = {name: [results["agreement"] for results in tables] for name, tables in last.items()}
    heading(f"Agreement of {options.examined} pairs after {options.steps} updates; {options.seeds} GANs of each kind")
    print_rates(agreement, sizes, DISCRIMINATORS[1])
    heading("Pairs of which both digits are read as the same")
    print_rates(equal, sizes, DISCRIMINATORS[1])
    heading("Fréchet distance of single digits from real ones, by means of 2 x 2 pixels")
    for name, tables in last.items():
        print(f"    {name:16}{number_text([results['FID'] for results in tables], 2)}")
    lines = {"twins": 1.0, "any two digits": chance}
    figure = plot_rates(agreement, "Two digits that should be equal", "agreement", lines)
    save_figure(options.output / "agreement.png", figure)
    save_figure(options.output / "progress.png", plot_progress(found, ("agreement", "FID"), "twins"))
    settings = {name: getattr(options, name) for name in (*FIXED, "steps", "seeds")}
    save_json(
        options.output / "results.json",
        {"settings": settings, "weights": sizes, "progress": found, "read as equal": equal},
    )


def draw(options, first, real):
    """Plots images of the first GAN of each kind, and where the discriminator with attention looks."""
    import twin_digits_learning as learning

    from keras_attention import visualize

    inputs = learning.noise(SAMPLED, 0)
    columns = {"real": real[:SAMPLED]} | {name: gan.average.predict(inputs, verbose=0) for name, gan in first.items()}
    images = np.stack(list(columns.values()), axis=1)
    figure = visualize.image_grid(images, value_range=(-1, 1), column_labels=[*columns])
    save_figure(options.output / "samples.png", figure)
    if ATTENTION in first:
        twins = real[:LOOKED_AT]
        images = np.concatenate([twins, twins_data.strangers(twins[..., 0])[..., None]])
        [scores] = visualize.attention_scores(first[ATTENTION].discriminator, {"image": images}).values()
        maps = visualize.point_maps(scores[:, 0], POINTS, query_grid=QUERIES, key_grid=KEYS)
        title = f"{LOOKED_AT} twins, then {LOOKED_AT} pairs of strangers: where the marked points attend to"
        figure = visualize.overlay(images, maps, POINTS, value_range=(-1, 1), title=title)
        save_figure(options.output / "attention.png", figure)


if __name__ == "__main__":
    sys.exit(main())
