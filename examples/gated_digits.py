"""ResNets without attention, with SE and with CBAM on a task that needs a gate: a cue tells which digit is the class.

    python examples/gated_digits.py                        # downloads, trains, evaluates, plots
    python examples/gated_digits.py --seeds 1 --steps 400

Each color channel of an image has another digit of MNIST, and a texture far away names the channel of the class. No
receptive field contains both, so that a network whose only global operation is the mean before its logits cannot
choose between the digits; one with gates of channels can. All networks train for the same number of updates on the
same batches. An interrupted run resumes from its last checkpoint when it is started again. Outputs in
`runs/gated_digits/` (see `--output`): accuracy.png, answers.png, gates.png, spatial_gates.png, results.json and the
last checkpoints. Results: docs/examples/gated_digits.md.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import digits_data
import gated_digits_data as data
import numpy as np
from arguments import Parser
from runs import OtherRunError, describe, ended, heading, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "gated_digits"
ROOM = 50e6  # bytes of the results, at most, with the default settings
NETWORKS = {
    "none": {},
    "none, wider": {},
    "SE": {"attention": "se", "attention_kwargs": {"ratio": 4}},
    "CBAM": {"attention": "cbam", "attention_kwargs": {"ratio": 4}},
    "spatial gate": {"attention": "spatial"},
}
USUAL = ("none", "none, wider", "SE", "CBAM")
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("steps", "batch", "width")
LEARNED = ("*/seed-*/step-*.weights.h5",)
READ = 500  # test images of which gates are read


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.training(steps=1000, batch=32, unit="images", seeds=3)
    parser.number("--width", 16, "channels of the first stage")
    parser.number("--examined", 3000, "test images")
    parser.networks(NETWORKS, USUAL)
    parser.folders(OUTPUT)
    return parser.parse_args(arguments)


def run(options):
    """Downloads, trains, evaluates and plots."""
    heading("ResNets with and without gates on digits chosen by a cue")
    with dates_served.quiet():
        import comparing
        import gated_digits_learning as learning
    describe()
    settle(options, FIXED, LEARNED)
    (digits, labels), (test_digits, test_labels) = digits_data.load(options.cache)
    digits, test_digits = digits_data.small(digits), digits_data.small(test_digits)
    test = data.draw(test_digits, test_labels, options.examined, np.random.default_rng(data.TEST))
    if len({*test[2]}) < len(data.CHANNELS):
        raise OtherRunError(f"--examined must be enough for an image with each cue. Received: {options.examined}")
    rows, columns = learning.receptive_field(build(options, "none", 0), 2 * data.COLUMNS)
    print(f"receptive field without gates: {rows} x {columns} pixels; cue to digits: {data.ZONE - data.CUE + 2} pixels")
    found, first = {name: {"rates": [], "shown": [], "parameters": 0} for name in options.networks}, {}

    def learn(model, name, seed, folder):
        return learning.learn(model, digits, labels, options.steps, options.batch, seed, folder)

    for name, _, model in comparing.trained(options, options.networks, build, learn):
        answers, kind = learning.answers(model, test[0]), found[name]
        first.setdefault(name, model)
        kind["parameters"] = model.count_params()
        kind["rates"].append(float(np.mean(answers == test[1])))
        kind["shown"].append(float(np.mean((answers[:, None] == test[3]).any(axis=1))))
        print(f"    {kind['rates'][-1]:.1%} test accuracy; {kind['shown'][-1]:.1%} are one of the three digits")
    report(options, found)
    draw(options, first, test, (test_digits, test_labels))


def build(options, name, seed):
    """Builds a network; with the default width, "none, wider" has more parameters than any with gates."""
    import keras

    from keras_attention import models

    keras.utils.set_random_seed(seed)
    width = options.width + (name == "none, wider")
    sizes = {"blocks": (1, 1, 1), "bottleneck": False, "width": width, "stem": "3x3"}
    return models.AttentionResNet(**sizes, **NETWORKS[name], num_classes=data.CLASSES, input_channels=3)


def report(options, found):
    """Prints, plots and saves the mean of the accuracy and its confidence interval."""
    from comparing import mean_text, plot_rates, print_rates

    heading(f"Accuracy on {options.examined:,} test images; {options.seeds} networks of each kind")
    rates = {name: kind["rates"] for name, kind in found.items()}
    print_rates(rates, {name: kind["parameters"] for name, kind in found.items()}, "none")
    print("\n    Answers that are one of the three digits of the image")
    for name, kind in found.items():
        print(f"    {name:14}{mean_text(kind['shown']):>18}")
    title = f"{options.steps} updates of each network"
    lines = {"one of the three digits, at random": 1 / len(data.CHANNELS)}
    save_figure(options.output / "accuracy.png", plot_rates(rates, title, "accuracy on test images", lines))
    table = {"settings": {name: getattr(options, name) for name in (*FIXED, "seeds", "examined")}}
    save_json(options.output / "results.json", table | found)


def draw(options, networks, test, digits):
    """Plots answers to the same digits with each cue, the gates of SE by cue, and the spatial gates of CBAM."""
    import gated_digits_learning as learning
    import gated_digits_pictures as pictures
    from gate_means import mean_gates, spread

    images, _, cues, _ = (part[:READ] for part in test)
    # The same random numbers but for the cue.
    same = [data.draw(*digits, 3, np.random.default_rng(data.TEST), [cue] * 3) for cue in range(len(data.CHANNELS))]
    swapped = np.stack([part[0] for part in same], axis=1)
    flat = swapped.reshape(-1, *swapped.shape[2:])
    answers = {
        name: learning.answers(networks[name], flat).reshape(3, 3) for name in ("none", "SE") if name in networks
    }
    save_figure(options.output / "answers.png", pictures.plot_answers(swapped, same[0][3], answers))
    if "CBAM" in networks:
        save_figure(options.output / "spatial_gates.png", pictures.plot_spatial_gates(networks["CBAM"], swapped[0]))
    if "SE" not in networks:
        return
    gates = mean_gates(networks["SE"], images, cues, len(data.CHANNELS))
    changes = {path: pictures.responses(networks["SE"], path, images) for path in gates}
    save_figure(options.output / "gates.png", pictures.plot_gates_by_cue(gates, changes))
    heading("Gates of SE, first seed: mean over channels of the largest minus the smallest mean gate of the three cues")
    for path, values in gates.items():
        print(f"    {path}: {spread(values):.3f}")


if __name__ == "__main__":
    sys.exit(main())
