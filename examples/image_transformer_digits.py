"""Image Transformers with a small and a large memory learn to paint digits: the paper's memory ablation.

    python examples/image_transformer_digits.py                        # fetches, learns, examines, paints
    python examples/image_transformer_digits.py --steps 100 --memories 8 64

MNIST, 256 grey values, with the class given. The same network learns with blocks of 8, 16, 64 and 256 positions, for
the same number of updates on the same batches ("Image Transformer", Parmar et al., 2018). A run that was interrupted
goes on at its last checkpoint when it is started again. Everything is kept in `runs/image_transformer_digits/` (see
`--output`): bits_per_dim.png, pictures.png, results.json, and the checkpoints. What it reaches:
docs/examples/image_transformer_digits.md.
"""

import argparse
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import digits_data
import numpy as np
from runs import above_zero, describe, ended, heading, minutes, positive, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "image_transformer_digits"
MEMORIES = (8, 16, 64, 256)  # of the paper's ablation
CLASSES = 10
# What the checkpoints in a folder were trained with: they can go on only with the same.
FIXED = ("steps", "batch", "layers", "width", "likelihood", "pictures", "seed")
LEARNED = ("memory-*/step-*.weights.h5",)


def main(arguments=None):
    return ended(run, parse(arguments))


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--memories", type=positive, nargs="+", default=MEMORIES, help="sizes of the memory (default: 8 16 64 256)"
    )
    parser.add_argument("--steps", type=positive, default=2400, help="updates of each network (default: %(default)s)")
    parser.add_argument("--batch", type=positive, default=4, help="digits in an update (default: %(default)s)")
    parser.add_argument("--layers", type=positive, default=3, help="blocks of each network (default: %(default)s)")
    parser.add_argument("--width", type=positive, default=64, help="of the network (default: %(default)s)")
    likelihoods = ("categorical", "logistic_mixture")
    parser.add_argument("--likelihood", choices=likelihoods, default="categorical", help="(default: %(default)s)")
    parser.add_argument("--pictures", type=positive, help="learn only from so many digits (default: all 60,000)")
    parser.add_argument("--held-out", type=positive, default=2000, help="digits examined (default: %(default)s)")
    parser.add_argument("--temperature", type=above_zero, default=1.0, help="of what is painted (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the batches, the weights and the paint (default: 0)")
    parser.add_argument("--cache", type=pathlib.Path, help="folder of fetched data (default: the user's cache folder)")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the results")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run has learned")
    return parser.parse_args(arguments)


def run(options):
    """Fetches, learns, examines and paints."""
    began = time.perf_counter()
    heading("Image Transformers that paint digits")
    with dates_served.quiet():
        import digits_learning
        import keras
    describe(options.seed)
    settle(options, FIXED, LEARNED)
    (images, labels), held_out = digits_data.load(options.cache)
    images, labels = images[: options.pictures], labels[: options.pictures]
    held_out = [x[: options.held_out] for x in held_out]
    print(f"{len(images):,} digits to learn from, {len(held_out[0]):,} others to examine")
    bits, model = {}, None
    for memory in sorted(set(options.memories)):
        keras.utils.set_random_seed(options.seed)
        model = build(options, memory)
        heading(f"Memory {memory}: {model.count_params():,} weights, {options.steps} updates of {options.batch} digits")
        folder = options.output / f"memory-{memory}"
        rest = (options.steps, options.batch, options.seed, folder)
        before = digits_learning.learn(model, images, labels, *rest)
        if before:
            print(f"    went on after update {before} of an earlier run")
        each = digits_learning.bits_of_each(model, *held_out)
        bits[memory] = (float(each.mean()), float(1.96 * each.std() / np.sqrt(len(each))))
        print(f"    {bits[memory][0]:.4f} ± {bits[memory][1]:.4f} bits/dim of held-out digits")
    report(options, bits)
    paint(options, model, held_out)
    heading(f"Done in {minutes(time.perf_counter() - began)}; {options.output}")
    return 0


def build(options, memory):
    """A network with new weights."""
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
    """The ablation: printed, drawn, and kept as numbers."""
    import digits_pictures as pictures

    heading("Bits per dimension by memory (the mean, and the half of its 95 % interval)")
    for memory, (mean, margin) in bits.items():
        print(f"    {memory:5}  {mean:.4f} ± {margin:.4f}")
    figure = pictures.plot_bits(bits, f"MNIST, {options.steps} updates of each network")
    save_figure(options.output / "bits_per_dim.png", figure)
    settings = {k: v for k, v in vars(options).items() if k not in ("output", "cache")}
    table = {"settings": settings, "bits_per_dim": bits}
    save_json(options.output / "results.json", table)


def paint(options, model, held_out):
    """A picture of new digits and of completions by the network with the largest memory."""
    import digits_pictures as pictures

    heading("Painting")
    began = time.perf_counter()
    size = held_out[0].shape[1:3]
    brush = pictures.painter(model, size, options.seed, options.temperature)
    drawn = pictures.samples(brush, CLASSES, 4, size)
    images, labels = (x[:CLASSES] for x in held_out)
    completed = pictures.completions(brush, images, labels, 3)
    count = drawn.shape[0] * drawn.shape[1] + 3 * len(images)
    print(f"    {count} digits in {time.perf_counter() - began:.0f} s, {size[0] * size[1]} steps each")
    title = f"memory {max(options.memories)}, {options.steps} updates, temperature {options.temperature:g}"
    figure = pictures.plot_pictures(drawn, completed, title)
    save_figure(options.output / "pictures.png", figure)


if __name__ == "__main__":
    sys.exit(main())
