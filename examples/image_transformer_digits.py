"""Image Transformers generate digits, with memories of several sizes: the paper's memory ablation.

    python examples/image_transformer_digits.py                        # downloads, trains, evaluates, samples
    python examples/image_transformer_digits.py --steps 100 --memories 8 64

MNIST, 256 gray values, class-conditional. The same network trains with blocks of 8, 16, 64 and 256 positions, for the
same number of updates on the same batches ("Image Transformer", Parmar et al., 2018). An interrupted run resumes from
its last checkpoint when it is started again. Outputs in `runs/image_transformer_digits/` (see `--output`):
bits_per_dim.png, pictures.png, results.json and the checkpoints. Results: docs/examples/image_transformer_digits.md.
"""

import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import digits_data
import numpy as np
from arguments import Parser, above_zero, positive
from runs import describe, ended, heading, minutes, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "image_transformer_digits"
ROOM = 50e6  # bytes of the results, at most, with the default settings
MEMORIES = (8, 16, 64, 256)  # of the paper's ablation
CLASSES = 10
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("steps", "batch", "layers", "width", "likelihood", "images", "seed")
LEARNED = ("memory-*/step-*.weights.h5",)


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument(
        "--memories", type=positive, nargs="+", default=MEMORIES, help="sizes of the memory (default: 8 16 64 256)"
    )
    parser.training(steps=2400, batch=4, unit="digits")
    parser.number("--layers", 3, "layers of each network")
    parser.number("--width", 64, "model dimension")
    likelihoods = ("categorical", "logistic_mixture")
    parser.add_argument("--likelihood", choices=likelihoods, default="categorical", help="(default: %(default)s)")
    parser.add_argument("--images", type=positive, help="number of training digits (default: all 60,000)")
    parser.number("--held-out", 2000, "test digits")
    parser.number("--temperature", 1.0, "of the samples", above_zero)
    parser.add_argument("--seed", type=int, default=0, help="of the batches, the weights and the samples (default: 0)")
    parser.folders(OUTPUT)
    return parser.parse_args(arguments)


def run(options):
    """Downloads, trains, evaluates and samples."""
    began = time.perf_counter()
    heading("Image Transformers on MNIST")
    with dates_served.quiet():
        import digits_learning
        import keras
    describe(options.seed)
    settle(options, FIXED, LEARNED)
    (images, labels), held_out = digits_data.load(options.cache)
    images, labels = images[: options.images], labels[: options.images]
    held_out = [x[: options.held_out] for x in held_out]
    print(f"{len(images):,} training digits, {len(held_out[0]):,} test digits")
    bits, model = {}, None
    for memory in sorted(set(options.memories)):
        keras.utils.set_random_seed(options.seed)
        model = build(options, memory)
        heading(
            f"Memory {memory}: {model.count_params():,} parameters, {options.steps} updates of {options.batch} digits"
        )
        folder = options.output / f"memory-{memory}"
        rest = (options.steps, options.batch, options.seed, folder)
        before = digits_learning.learn(model, images, labels, *rest)
        if before:
            print(f"    resumed after update {before} of an earlier run")
        each = digits_learning.bits_of_each(model, *held_out)
        bits[memory] = (float(each.mean()), float(1.96 * each.std() / np.sqrt(len(each))))
        print(f"    {bits[memory][0]:.4f} ± {bits[memory][1]:.4f} bits/dim of held-out digits")
    report(options, bits)
    paint(options, model, held_out)
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def build(options, memory):
    """Builds a network with initial weights."""
    from keras_attention import models

    return models.image_transformer(
        channels=1,
        num_layers=options.layers,
        model_dim=options.width,
        num_heads=2,
        intermediate_dim=4 * options.width,
        query_block=memory,
        memory_block=memory,
        likelihood=options.likelihood,
        num_classes=CLASSES,
        dropout=0.0,
        seed=options.seed,
    )


def report(options, bits):
    """Prints, plots and saves the ablation."""
    import digits_pictures as pictures

    heading("Bits per dimension by size of the memory (mean ± half of the 95 % confidence interval)")
    for memory, (mean, margin) in bits.items():
        print(f"    {memory:5}  {mean:.4f} ± {margin:.4f}")
    figure = pictures.plot_bits(bits, f"MNIST, {options.steps} updates of each network")
    save_figure(options.output / "bits_per_dim.png", figure)
    settings = {k: v for k, v in vars(options).items() if k not in ("output", "cache")}
    table = {"settings": settings, "bits_per_dim": bits}
    save_json(options.output / "results.json", table)


def paint(options, model, held_out):
    """Plots samples and completions of the network with the largest memory."""
    import digits_pictures as pictures

    heading("Sampling")
    began = time.perf_counter()
    size = held_out[0].shape[1:3]
    sampler = pictures.painter(model, size, options.seed, options.temperature)
    samples = pictures.samples(sampler, CLASSES, 4, size)
    images, labels = (x[:CLASSES] for x in held_out)
    completed = pictures.completions(sampler, images, labels, 3)
    count = samples.shape[0] * samples.shape[1] + 3 * len(images)
    print(f"    {count} digits in {time.perf_counter() - began:.0f} s, {size[0] * size[1]} steps each")
    title = f"memory {max(options.memories)}, {options.steps} updates, temperature {options.temperature:g}"
    figure = pictures.plot_pictures(samples, completed, title)
    save_figure(options.output / "pictures.png", figure)


if __name__ == "__main__":
    sys.exit(main())
