"""A small SAGAN and its baselines generate images of clothes, or of two equal digits.

    python examples/sagan_images.py                        # downloads, trains, evaluates, plots
    python examples/sagan_images.py --task twins --steps 10000
    python examples/sagan_images.py --steps 200 --every 100 --held-out 500
    KERAS_BACKEND=jax python examples/sagan_images.py      # on an accelerator, if JAX has one

Fashion-MNIST at 32 x 32 pixels; with `--task twins`, two equal digits of MNIST, at different heights. The systems of
the paper's table ("Self-Attention Generative Adversarial Networks", Zhang et al., 2018) - AC-GAN, SNGAN-projection,
SAGAN - and SAGAN without its attention train for the same number of updates on the same batches. During training, FID,
intra-FID, KID and inception score of generated images are measured with the features of a MobileNet. An interrupted
run resumes from its last checkpoint when it is started again. Outputs in `runs/sagan_images/TASK/` (see `--output`):
progress.png, classes.png, samples-*.png, attention.png, results.json and the last checkpoints. Results:
docs/examples/sagan_images.md.
"""

import functools
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import numpy as np
import offline_features
from arguments import Parser, positive
from runs import (
    OtherRunError,
    describe,
    ended,
    file_name,
    folder_of,
    heading,
    recorded,
    save_figure,
    save_json,
    settle,
)
from sagan_data import TASKS

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "sagan_images"
ROOM = 100e6  # bytes of the results, at most, with the default settings
ATTENDED = (8, 16)  # sides of the maps of both networks that can have attention
# Arguments of `models.sagan` that make each system.
SYSTEMS = {
    "AC-GAN": {"baseline": "ac_gan"},
    "SNGAN-projection": {"baseline": "sngan_projection"},
    "SAGAN, no attention": {"attention_at": None},
    "SAGAN": {},
}
# IS, intra-FID and FID on ImageNet at 128 x 128 pixels, with Inception; the first line is second-hand, from notes of
# others, and so is the intra-FID of SAGAN.
PUBLISHED = {"AC-GAN": (28.5, 260.0, None), "SNGAN-projection": (36.8, 92.4, 27.62), "SAGAN": (52.52, 83.7, 18.65)}
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("task", "batch", "channels", "attention_at", "images", "every", "held_out")
LEARNED = ("*/seed-*/step-*.weights.h5", "*/seed-*/progress.json")
ROWS = 6  # of the samples, one column for each class
LOOKED_AT = 6  # images with plotted attention
SAMPLED = 1  # seed of the noise of the plotted samples
TEST = 1_000_000  # seed of the held-out images


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--task", choices=TASKS, default="clothes", help="(default: %(default)s)")
    parser.networks(SYSTEMS)
    parser.training(steps=3000, batch=64, unit="images", seeds=1)
    parser.number("--every", 250, "updates between evaluations")
    parser.number("--channels", 16, "of the largest map; 64 in the paper")
    text = "side of the map with attention (default: %(default)s)"
    parser.add_argument("--attention-at", type=int, choices=ATTENDED, default=16, help=text)
    parser.number("--held-out", 2000, "held-out images")
    parser.add_argument("--images", type=positive, help="number of training images (default: all 60,000)")
    parser.folders(OUTPUT, "task")
    return parser.parse_args(arguments)


def run(options):
    """Downloads, trains, evaluates and plots."""
    heading(f"SAGAN and its baselines: {options.task}")
    with dates_served.quiet():
        import comparing
        import sagan_learning as learning
        from class_reading import Reader
        from examining import Examination
    describe()
    task = TASKS[options.task]
    images, labels, held_out, classes = load(options, task)
    options.held_out = len(held_out)  # the test images may be fewer
    settle(options, FIXED, LEARNED)
    features = offline_features.load(options.cache)
    real = features(held_out)
    reader = Reader(task.draw, task.parts, images, labels)
    print(f"    every part is read as the class: {reader.right(held_out, classes):.1%} of the held-out images")
    found, read = ({name: [] for name in options.networks} for _ in range(2))
    sizes, first = {}, {}

    def learn(model, name, seed, folder):
        print("    parameters of the generator: {:,}, of the discriminator: {:,}".format(*counts_of(model)))
        examine = learning.examiner(features, real, classes, seed, task.measures)
        watching = [Examination(examine, folder / "progress.json", options.every, options.steps)]
        data = functools.partial(learning.batches, task.draw, images, labels, options.batch, seed)
        return learning.learn(model, data, options.steps, folder, options.every, watching)

    for name, seed, model in comparing.trained(options, options.networks, build, learn):
        found[name].append(recorded(folder_of(options, name, seed) / "progress.json"))
        read[name].append(reader.right(*learning.generated_by(model, options.held_out, seed)))
        sizes[name] = sum(counts_of(model))
        first.setdefault(name, model)
    report(options, task, found, read, sizes)
    draw(options, task, first)


def load(options, task):
    """The training images as they are stored and their labels, the held-out images as networks see them and theirs."""
    (images, labels), (held_out, classes) = task.load(options.cache)
    images, labels = images[: options.images], labels[: options.images]
    if len(images) < options.batch:
        raise OtherRunError(f"--batch must be at most the {len(images)} training images. Received: {options.batch}")
    held_out, classes = held_out[: options.held_out], classes[: options.held_out]
    fewest = np.bincount(classes, minlength=len(task.classes)).min()
    if fewest < 2:
        raise OtherRunError(
            "--held-out must leave at least 2 images of each class, for intra-FID. "
            f"Received: {options.held_out}, which leaves {fewest} of one"
        )
    held_out = task.draw(held_out, np.random.default_rng(TEST))
    print(f"{len(images):,} training images, {len(held_out):,} held-out images")
    for name, measure in task.measures.items():
        print(f"    {name} of the held-out images: {measure(held_out).mean():.3f}")
    return images, labels, held_out, classes


def counts_of(model):
    """Numbers of parameters of the generator and of the discriminator, without the generator's moving average."""
    return [network.count_params() for network in (model.generator, model.discriminator)]


def build(options, name, seed):
    """Builds the two networks of a system with initial weights."""
    import sagan_learning as learning

    return learning.build(SYSTEMS[name], options.channels, options.attention_at, seed)


def report(options, task, found, read, sizes):
    """Prints, plots and saves the measures: a table of the last ones, beside the published, and their progress."""
    import sagan_pictures as pictures
    from comparing import number_text, plot_rates, print_rates
    from sagan_learning import MEASURES

    digits = MEASURES | dict.fromkeys(task.measures, 3)
    heading(f"After {options.steps} updates, by MobileNetV2, not Inception; mean and 95 % interval over seeds")
    print(f"    {'':20}" + "".join(f"{name:>18}" for name in digits) + "   published IS, intra-FID, FID")
    for name, tables in found.items():
        last = {measure: [table[options.steps][measure] for table in tables] for measure in digits}
        cells = "".join(f"{number_text(last[measure], count):>18}" for measure, count in digits.items())
        published = ", ".join("-" if value is None else str(value) for value in PUBLISHED.get(name, ()))
        print(f"    {name:20}{cells}   {published}")
    heading("Images of which every part is read as the class")
    print_rates(read, sizes, "SAGAN, no attention")
    title = f"{options.task}, {options.held_out} images of each system"
    save_figure(options.output / "classes.png", plot_rates(read, title, "read as the class"))
    save_figure(options.output / "progress.png", pictures.plot_progress(found, tuple(digits), title))
    settings = {name: getattr(options, name) for name in (*FIXED, "steps", "seeds")}
    save_json(options.output / "results.json", {"settings": settings, "progress": found, "read": read})


def draw(options, task, trained):
    """Plots samples of the first generator of each kind, and the attention of the one that has it."""
    import sagan_learning as learning
    import sagan_pictures as pictures

    from keras_attention import visualize

    figures, classes = {}, learning.CLASSES
    for kind, model in trained.items():
        images = model.average.predict(learning.noise(ROWS * classes, SAMPLED), verbose=0)
        rows = images.reshape(ROWS, classes, *images.shape[1:])
        labels = {"column_labels": task.classes, "title": f"{kind}, {options.steps} updates"}
        figures[f"samples-{file_name(kind)}"] = visualize.image_grid(rows, value_range=(-1, 1), **labels)
    if "SAGAN" in trained:
        inputs = learning.noise(LOOKED_AT, SAMPLED + 1)
        generator = trained["SAGAN"].average
        [scores] = visualize.attention_scores(generator, inputs, training=False).values()
        scores = scores.reshape(LOOKED_AT, *scores.shape[-2:])
        images = generator.predict(inputs, verbose=0)
        title = f"where the map of {options.attention_at} x {options.attention_at} attends to, from each point"
        figures["attention"] = pictures.plot_attention(images, scores, title)
    for name, figure in figures.items():
        save_figure(options.output / f"{name}.png", figure)


if __name__ == "__main__":
    sys.exit(main())
