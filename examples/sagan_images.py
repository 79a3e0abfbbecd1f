"""A small SAGAN generates images of clothes, with and without self-attention.

    python examples/sagan_images.py                        # downloads, trains, evaluates, plots
    python examples/sagan_images.py --steps 200 --every 100 --held-out 500
    KERAS_BACKEND=jax python examples/sagan_images.py      # on an accelerator, if JAX has one

Fashion-MNIST at 32 x 32 pixels. Both pairs of networks train for the same number of updates on the same batches
("Self-Attention Generative Adversarial Networks", Zhang et al., 2018). During training, FID and KID of generated and
held-out images are measured with the features of a MobileNet. An interrupted run resumes from its last checkpoint when
it is started again. Outputs in `runs/sagan_images/` (see `--output`): progress.png, samples-*.png, attention.png,
results.json and the last checkpoints. Results: docs/examples/sagan_images.md.
"""

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import fashion_data
import offline_features
from runs import OtherRunError, describe, ended, heading, minutes, positive, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "sagan_images"
ROOM = 100e6  # bytes of the results, at most, with the default settings
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("batch", "channels", "attention_at", "images", "every", "held_out", "seed")
LEARNED = ("*/step-*.weights.h5", "*/progress.json")
ROWS = 6  # of the samples, one column for each class
LOOKED_AT = 6  # images with plotted attention


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--steps", type=positive, default=3000, help="updates of each generator (default: %(default)s)")
    add("--every", type=positive, default=250, help="updates between evaluations (default: %(default)s)")
    add("--batch", type=positive, default=64, help="images per update (default: %(default)s)")
    add(
        "--channels",
        type=positive,
        default=16,
        help="of the largest map; 64 in the paper (default: %(default)s)",
    )
    add("--attention-at", type=positive, default=16, help="side of the map with attention (default: %(default)s)")
    add("--held-out", type=positive, default=2000, help="held-out images (default: %(default)s)")
    add("--images", type=positive, help="number of training images (default: all 60,000)")
    add("--seed", type=int, default=0, help="of the weights, the batches and the noise (default: %(default)s)")
    add("--cache", type=pathlib.Path, help="folder of datasets (default: the user's cache folder)")
    add("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    add("--fresh", action="store_true", help="start over: delete the checkpoints of an earlier run")
    options = parser.parse_args(arguments)
    if options.steps % options.every:
        parser.error(f"--steps must be a multiple of --every. Received: {options.steps} and {options.every}")
    if options.held_out < 2:
        parser.error(f"--held-out must be at least 2, to have a variance. Received: {options.held_out}")
    return options


def run(options):
    """Downloads, trains, evaluates and plots."""
    began = time.perf_counter()
    heading("SAGANs with and without self-attention on Fashion-MNIST")
    with dates_served.quiet():
        import sagan_learning as learning
    describe(options.seed)
    settle(options, FIXED, LEARNED)
    (images, labels), (held_out, _) = fashion_data.load(options.cache)
    images, labels, held_out = images[: options.images], labels[: options.images], held_out[: options.held_out]
    if len(images) < options.batch:
        raise OtherRunError(f"--batch must be at most the {len(images)} training images. Received: {options.batch}")
    features = offline_features.load(options.cache)
    real = features(learning.prepared(held_out))
    print(f"{len(images):,} training images, {len(held_out):,} held-out images")
    found, trained = {}, {}
    for kind, attention_at in {"with attention": options.attention_at, "without": None}.items():
        model = learning.build(options.channels, attention_at, options.seed)
        counts = [network.count_params() for network in (model.generator, model.discriminator)]
        heading(f"{kind}: {counts[0]:,} and {counts[1]:,} parameters, {options.steps} updates of {options.batch}")
        folder = options.output / kind.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        examination = learning.Examination(features, real, folder / "progress.json", options.seed)
        rest = (options.steps, options.batch, options.seed, folder, options.every)
        before = learning.learn(model, images, labels, *rest, callbacks=[examination])
        if before > options.steps:
            raise OtherRunError(f"--steps must be at least the {before} updates done, or see --fresh")
        if before:
            print(f"    resumed after update {before} of an earlier run")
        found[kind], trained[kind] = learning.read(folder / "progress.json"), model
    report(options, found)
    draw(options, learning, trained)
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def report(options, found):
    """Prints, plots and saves the distances."""
    import sagan_pictures as pictures

    heading("Distance from held-out images by updates (FID, KID; by MobileNetV2, not Inception)")
    print(f"    {'updates':>8}" + "".join(f"{kind:>26}" for kind in found))
    for update in sorted(next(iter(found.values()))):
        cells = (f"{table[update]['FID']:14.2f}{table[update]['KID']:12.4f}" for table in found.values())
        print(f"    {update:8}" + "".join(cells))
    figure = pictures.plot_progress(found, ("FID", "KID"), f"Fashion-MNIST, {options.held_out} images of each kind")
    save_figure(options.output / "progress.png", figure)
    settings = {name: getattr(options, name) for name in (*FIXED, "steps")}
    save_json(options.output / "results.json", {"settings": settings, "progress": found})


def draw(options, learning, trained):
    """Plots samples of each generator, and the attention of the one that has it."""
    import sagan_pictures as pictures

    from keras_attention import visualize

    figures, classes = {}, learning.CLASSES
    for kind, model in trained.items():
        images = model.average.predict(learning.noise(ROWS * classes, options.seed + 1), verbose=0)
        rows = images.reshape(ROWS, classes, *images.shape[1:])
        labels = {"column_labels": fashion_data.KINDS, "title": f"{kind}, {options.steps} updates"}
        figures[f"samples-{kind.replace(' ', '-')}"] = visualize.image_grid(rows, value_range=(-1, 1), **labels)
    inputs = learning.noise(LOOKED_AT, options.seed + 2)
    generator = trained["with attention"].average
    [scores] = visualize.attention_scores(generator, inputs, training=False).values()
    scores = scores.reshape(LOOKED_AT, *scores.shape[-2:])
    images = generator.predict(inputs, verbose=0)
    title = f"where the map of {options.attention_at} x {options.attention_at} attends to, from each point"
    figures["attention"] = pictures.plot_attention(images, scores, title)
    for name, figure in figures.items():
        save_figure(options.output / f"{name}.png", figure)


if __name__ == "__main__":
    sys.exit(main())
