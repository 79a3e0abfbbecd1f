"""Networks with and without a non-local block compare two patches that are far apart: are they of the same kind?

    python examples/non_local_pairs.py                                              # textures
    python examples/non_local_pairs.py --task digits --blocks 3 --features 1200     # digits of MNIST

Clips of four frames, a patch in each of two. C2D and I3D of "Non-local Neural Networks" (Wang et al., 2018), small, and
C2D with a block of each pairwise function train for the same number of updates on the same batches. With `--features`
they start, as in the paper, from a network that was trained to recognize what they compare. An interrupted run
resumes from its last checkpoint when it is started again. Outputs in `runs/non_local_pairs/TASK/` (see `--output`):
accuracy.png, maps.png, results.json and the last checkpoints. Results: docs/examples/non_local_pairs.md.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# The operations of so small a network are faster on one core each.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

import dates_served
import numpy as np
import pairs_data
from arguments import Parser, positive
from runs import describe, ended, folder_of, heading, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "non_local_pairs"
ROOM = 50e6  # bytes of the results, at most, with the default settings
BASELINE, DRAWN = "C2D", "NL, embedded Gaussian"
LOOKS = 200  # test clips of which the scores are averaged, at most
NETWORKS = {
    BASELINE: {},
    "C2D, wide": {"width": 22},  # as many parameters as those with a block
    "I3D": {"inflation": "3x1x1"},
    "NL, Gaussian": {"pairwise": "gaussian"},
    DRAWN: {"pairwise": "embedded_gaussian"},
    "NL, dot product": {"pairwise": "dot_product"},
    "NL, concatenation": {"pairwise": "concatenation"},
}
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("task", "steps", "batch", "blocks", "features")
LEARNED = ("*/seed-*/step-*.weights.h5", "*/seed-*/features/step-*.weights.h5")


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--task", choices=pairs_data.TASKS, default="textures", help="patches (default: %(default)s)")
    parser.networks(NETWORKS)
    parser.training(steps=800, batch=32, unit="clips", seeds=3)
    parser.number("--blocks", 2, "residual blocks")
    parser.add_argument("--features", type=positive, help="updates for recognizing the kinds first (default: none)")
    parser.number("--examined", 2000, "test clips")
    parser.folders(OUTPUT, "task")
    return parser.parse_args(arguments)


def run(options):
    """Trains, evaluates and plots."""
    heading(f"Two {options.task}: of the same kind?")
    with dates_served.quiet():
        import comparing
        import pairs_learning as learning
    describe()
    settle(options, FIXED, LEARNED)
    draw, test = samplers(options)
    inputs, same, _, corners = pairs_data.clips(test, options.examined, np.random.default_rng(10**6))
    print(f"{options.examined:,} test clips; {pairs_data.limit_without_pairs():.0%} without seeing pairs, at most")
    found, sizes, looks = {name: [] for name in options.networks}, {}, []

    def learn(model, name, seed, folder):
        if options.features:
            learning.copy_features(features(options, name, seed, draw), model)
        return learning.learn(model, draw, options.steps, options.batch, seed, folder)

    for name, seed, model in comparing.trained(options, options.networks, build, learn):
        sizes[name] = model.count_params()
        found[name].append(learning.accuracy(model, inputs, same))
        print(f"    {found[name][-1]:.1%} test accuracy")
        if name == DRAWN:
            looks.append(look(options, model, inputs[:LOOKS], same[:LOOKS], corners[:LOOKS], first=seed == 0))
    report(options, found, sizes, looks)


def samplers(options):
    """The `pairs_data.sampler` of training and of test patches."""
    if options.task == "textures":
        return (pairs_data.sampler(options.task),) * 2
    import digits_data

    return [pairs_data.sampler(options.task, digits) for digits in digits_data.load(options.cache)]


def build(options, name, seed):
    """Builds a network of one stage; C2D pools pairs of frames, and never sees both patches at once."""
    kind = dict(NETWORKS[name])
    if "pairwise" in kind:
        # After the last residual block but one. Published initial weights of N(0, 0.01²) start slowly here.
        kind["non_local"] = {"res2": (max(0, options.blocks - 2),)}
        kind["non_local_kwargs"] = {"pairwise": kind.pop("pairwise"), "pool": None, "kernel_initializer": "he_normal"}
    return network(options, seed, num_classes=2, **kind)


def network(options, seed, **kwargs):
    import keras

    from keras_attention import models

    keras.utils.set_random_seed(seed)
    kwargs = {"width": 16, "input_channels": 1, "dropout": 0.0, "temporal_stride": 1, "variant": "reference", **kwargs}
    return models.NonLocalResNet((options.blocks,), **kwargs)


def features(options, name, seed, draw):
    """The network without its block, trained to recognize the kinds in a clip; networks with a block share C2D's."""
    import pairs_learning as learning

    owner = BASELINE if "pairwise" in NETWORKS[name] else name
    model = network(options, seed, num_classes=pairs_data.KINDS, **NETWORKS[owner])
    folder = folder_of(options, owner, seed) / "features"
    learning.learn(model, draw, options.features, options.batch, seed, folder, kinds=True)
    return model


def look(options, model, inputs, same, corners, first):
    """Where the block looks from the first patch: its scores on both patches, by same or not; drawn for the `first`."""
    import pairs_learning as learning
    import pairs_pictures

    scores = learning.scores_of_first(model, inputs, corners)
    if first:
        rows = np.concatenate([np.flatnonzero(same == answer)[:3] for answer in (0, 1)])
        words = ["same kind" if answer else "different" for answer in same[rows]]
        save_figure(
            options.output / "maps.png", pairs_pictures.plot_maps(inputs[rows], scores[rows], corners[rows], words)
        )
    parts = learning.on_patches(scores, corners)
    answers = {"different": same == 0, "same": same == 1}
    return {text: parts[rows].mean(axis=0).tolist() for text, rows in answers.items() if rows.any()}


def report(options, found, sizes, looks):
    """Prints, plots and saves the accuracies, and where the block looks."""
    from comparing import plot_rates, print_rates

    heading(f"Accuracy on {options.examined} test clips; {options.seeds} networks of each kind")
    print_rates(found, sizes, BASELINE)
    lines = {"random guessing": 0.5, "limit without seeing pairs": pairs_data.limit_without_pairs()}
    figure = plot_rates(found, f"Two {options.task}: of the same kind?", "accuracy on new clips", lines)
    save_figure(options.output / "accuracy.png", figure)
    if looks:
        number = min(LOOKS, options.examined)
        heading(f"{DRAWN}: scores of a query on the first patch, mean over {number} clips and all networks")
        for text in looks[0]:
            own, other = np.mean([one[text] for one in looks], axis=0)
            print(f"    patches of {text:9} kind: {own:6.1%} on itself, {other:6.1%} on the other patch")
    table = {"settings": {name: getattr(options, name) for name in (*FIXED, "seeds", "examined")}, "weights": sizes}
    save_json(options.output / "results.json", table | {"accuracy": found, "scores": looks})


if __name__ == "__main__":
    sys.exit(main())
