"""Image Transformers generate digits or emoji: the paper's memory ablation, blocks of two dimensions, super-resolution.

    python examples/image_transformer_pixels.py                        # downloads, trains, evaluates, samples
    python examples/image_transformer_pixels.py --steps 100 --networks "memory 8" "memory 64"
    python examples/image_transformer_pixels.py --networks "2-D, 7 x 7" "logistic mixture" super-resolution
    python examples/image_transformer_pixels.py --task twins --layers 1 --steps 3000   # far pixels are equal
    python examples/image_transformer_pixels.py --task emoji --networks "memory 64" "logistic mixture"

Class-conditional images of 256 values ("Image Transformer", Parmar et al., 2018): digits of MNIST, gray, 28 x 28; the
same digit twice, one above the other; or emoji, in color, 16 x 16. Networks with blocks of 8, 16, 64 and 256 positions
and as many of memory, with blocks of two dimensions, with another likelihood, or with an encoder of the image at a
quarter of its size train for the same number of updates on the same batches. An interrupted run resumes from its last
checkpoint when it is started again. Outputs in `runs/image_transformer_pixels/TASK/` (see `--output`):
bits_per_dim.png, pictures-*.png, results.json and the checkpoints. Results: docs/examples/image_transformer_pixels.md.
"""

import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import numpy as np
from arguments import Parser, above_zero, positive
from pixels_data import TASKS
from runs import describe, ended, file_name, heading, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "image_transformer_pixels"
ROOM = 50e6  # bytes of the results, at most, with the default settings
BASELINE = "memory 8"
NETWORKS = {
    **{f"memory {size}": {"query_block": size, "memory_block": size} for size in (8, 16, 64, 256)},
    # 49 positions that attend to as many as 130: those of the block, three rows above it, and three columns beside it.
    "2-D, 7 x 7": {"query_block": (7, 7), "memory_block": (3, 3)},
    "logistic mixture": {"query_block": 64, "memory_block": 64, "likelihood": "logistic_mixture"},
    "super-resolution": {"query_block": 64, "memory_block": 64, "num_encoder_layers": 1},
}
USUAL = [*NETWORKS][:4]  # of the paper's ablation
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("task", "steps", "batch", "layers", "width", "images")
LEARNED = ("*/seed-*/step-*.weights.h5",)
HEADS = 2
ROWS = 4  # of samples


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--task", choices=TASKS, default="digits", help="images (default: %(default)s)")
    parser.networks(NETWORKS, USUAL)
    parser.training(steps=6000, batch=4, unit="images", seeds=1)
    parser.number("--layers", 3, "layers of each network")
    parser.number("--width", 64, "model dimension")
    parser.add_argument("--images", type=positive, help="number of training images (default: all)")
    parser.number("--held-out", 2000, "test images, at most")
    parser.number("--temperature", 1.0, "of the samples", above_zero)
    parser.folders(OUTPUT, "task")
    options = parser.parse_args(arguments)
    if options.width % HEADS:
        parser.error(f"argument --width: must be a multiple of the {HEADS} heads. Received: {options.width}")
    if options.task == "twins" and "super-resolution" in options.networks:
        parser.error("argument --networks: super-resolution reduces images by 4, and twins are 28 x 14 pixels")
    return options


def run(options):
    """Downloads, trains, evaluates and samples."""
    heading(f"Image Transformers: {options.task}")
    with dates_served.quiet():
        import comparing
        import pixels_learning as learning
    describe()
    settle(options, FIXED, LEARNED)
    task = TASKS[options.task]
    (images, labels), held_out = task.load(options.cache)
    images, labels = images[: options.images], labels[: options.images]
    held_out = [x[: options.held_out] for x in held_out]
    print(f"{len(images):,} training images, {len(held_out[0]):,} test images")
    bits, sizes, first = {name: [] for name in options.networks}, {}, {}

    def make(options, name, seed):
        return build(options, name, seed, images.shape[1:], len(task.classes))

    def learn(model, name, seed, folder):
        return learning.learn(model, images, labels, options.steps, options.batch, seed, folder)

    for name, _, model in comparing.trained(options, options.networks, make, learn):
        each = learning.bits_of_each(model, *held_out)
        sizes[name] = model.count_params()
        bits[name].append(float(each.mean()))
        margin = 1.96 * each.std() / np.sqrt(len(each))
        print(f"    {bits[name][-1]:.4f} bits/dim of test images, ± {margin:.4f} over the images")
        first.setdefault(name, model)
    report(options, bits, sizes)
    for name, model in first.items():
        paint(options, task, name, model, held_out)


def build(options, name, seed, shape, classes):
    """Builds a network with initial weights for images of a shape (rows, columns, channels)."""
    import keras

    from keras_attention import models

    keras.utils.set_random_seed(seed)
    return models.image_transformer(
        channels=shape[-1],
        num_layers=options.layers,
        model_dim=options.width,
        num_heads=HEADS,
        intermediate_dim=4 * options.width,
        num_classes=classes,
        dropout=0.0,
        position_encoding="learned",  # of few images, learned faster than sinusoids
        max_size=shape[:2],
        seed=seed,
        **NETWORKS[name],
    )


def report(options, bits, sizes):
    """Prints, plots and saves the bits per dimension."""
    from comparing import number_text, plot_means, print_means

    heading(f"Bits/dim of {options.held_out} test images, at most; {options.seeds} networks of each kind")
    print_means(bits, sizes, BASELINE, lambda values, sign="": number_text(values, 3, sign))
    figure = plot_means(bits, f"{options.task}, {options.steps} updates of each network", "bits/dim of test images")
    save_figure(options.output / "bits_per_dim.png", figure)
    settings = {name: getattr(options, name) for name in (*FIXED, "seeds", "held_out")}
    save_json(options.output / "results.json", {"settings": settings, "weights": sizes, "bits_per_dim": bits})


def paint(options, task, name, model, held_out):
    """Plots samples of a network, and completions of upper halves; of super-resolution, enlarged images."""
    import pixels_learning as learning
    import pixels_pictures as pictures

    heading(f"Sampling: {name}")
    began = time.perf_counter()
    size = held_out[0].shape[1:3]
    sampler = pictures.painter(model, size, 0, options.temperature)
    images, labels = pictures.one_of_each(*held_out)
    columns = [task.classes[label] for label in labels]
    if model.num_encoder_layers:
        source = learning.source_of(images)
        parts = {"reduced; samples; original": (pictures.enlarged(sampler, images, labels, source, ROWS), columns)}
    else:
        parts = {
            "samples": (pictures.samples(sampler, len(task.classes), ROWS), task.classes),
            "given half; completions; original": (
                pictures.completions(sampler, images, labels, ROWS - 1),
                columns,
            ),
        }
    print(f"    {time.perf_counter() - began:.0f} s, {size[0] * size[1]} pixels each")
    title = f"{name}, {options.steps} updates, temperature {options.temperature:g}"
    path = options.output / f"pictures-{file_name(name)}.png"
    save_figure(path, pictures.plot_pictures(parts, title))


if __name__ == "__main__":
    sys.exit(main())
