"""Video classification with and without non-local blocks, and from a single frame: what did the player do?

    python examples/non_local_video.py                       # downloads, renders, trains, evaluates, plots
    python examples/non_local_video.py --seeds 1 --steps 50

Clips of 8 frames from the maps of a game: forwards, backwards, a step or a turn to the left or right. Small C2D and I3D
networks of "Non-local Neural Networks" (Wang et al., 2018) train for the same number of updates on the same batches,
and are evaluated in unseen maps. An interrupted run resumes from its last checkpoint when it is started again. Outputs
in `runs/non_local_video/` (see `--output`): accuracy.png, clips.png, results.json and the last checkpoints. Results:
docs/examples/non_local_video.md.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import game_maps
import numpy as np
import video_data
from arguments import Parser
from runs import OtherRunError, describe, ended, heading, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "non_local_video"
ROOM = 100e6  # bytes of the results, at most, with the default settings
# After each residual block of both stages with four frames and enough positions.
PLACES = {"non_local": {"res3": (0,), "res4": (0,)}}
NETWORKS = {
    "C2D, one frame": {},
    "C2D": {},
    "NL C2D": PLACES,
    "I3D": {"inflation": "3x1x1"},
    "NL I3D": {"inflation": "3x1x1", **PLACES},
}
STILL = "C2D, one frame"  # the fourth frame of each clip, eight times
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("steps", "batch", "width", "clips")
LEARNED = ("*/seed-*/step-*.weights.h5",)


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.training(steps=400, batch=24, unit="clips", seeds=2)
    parser.number("--width", 16, "channels of the first stage")
    parser.number("--clips", 6000, "training clips")
    parser.number("--examined", 600, "test clips")
    parser.folders(OUTPUT)
    options = parser.parse_args(arguments)
    kinds = len(video_data.KINDS)
    if options.examined < kinds:
        parser.error(f"--examined must be at least {kinds}, a clip of each class. Received: {options.examined}")
    return options


def run(options):
    """Renders, trains, evaluates and plots."""
    heading("C2D and I3D with and without non-local blocks")
    with dates_served.quiet():
        import comparing
        import non_local_learning as learning
    describe()
    if options.batch > options.clips:
        raise OtherRunError(f"--batch must be at most --clips. Received: {options.batch} of {options.clips}")
    settle(options, FIXED, LEARNED)
    clips, labels = video_data.load(options.clips, game_maps.LEARNED, 0, options.cache)
    test, truth = video_data.load(options.examined, game_maps.EXAMINED, 1, options.cache)
    kinds = len(video_data.KINDS)
    print(f"{len(clips):,} training clips, {len(test):,} test clips of other maps, {kinds} classes")
    draw_clips(options, test, truth)
    found, sizes = {name: [] for name in NETWORKS}, {}

    def view(name, clips):
        return still(clips) if name == STILL else clips

    def learn(model, name, seed, folder):
        return learning.learn(model, view(name, clips), labels, options.steps, options.batch, seed, folder)

    for name, _, model in comparing.trained(options, NETWORKS, build, learn):
        sizes[name] = model.count_params()
        found[name].append(learning.answers(model, view(name, test)).tolist())
        print(f"    {accuracy(found[name][-1], truth):.1%} test accuracy")
    report(options, found, truth, sizes)


def build(options, name, seed):
    """Builds a network: one residual block in each of four stages, and the stem for clips of 8 frames."""
    import keras

    from keras_attention import models

    keras.utils.set_random_seed(seed)
    sizes = {"blocks": (1, 1, 1, 1), "width": options.width, "temporal_stride": 1, "dropout": 0.2}
    return models.NonLocalResNet(num_classes=len(video_data.KINDS), **sizes, **NETWORKS[name])


def still(clips):
    """Repeats the fourth frame of each clip."""
    return np.broadcast_to(clips[:, 3:4], clips.shape)


def accuracy(answers, truth):
    return float(np.mean(np.array(answers) == truth))


def report(options, found, truth, sizes):
    """Prints, plots and saves the mean of the accuracy with its confidence interval, and that of each class."""
    from comparing import plot_rates, print_rates

    kinds = video_data.KINDS
    heading(f"Accuracy on {len(truth)} clips of unseen maps; {options.seeds} networks of each kind")
    rates = {name: [accuracy(answers, truth) for answers in runs] for name, runs in found.items()}
    print_rates(rates, sizes, "C2D")
    by_kind = {
        name: [float(np.mean([accuracy(np.array(a)[truth == k], k) for a in runs])) for k in range(len(kinds))]
        for name, runs in found.items()
    }
    print(f"\n    {'':16}" + "  ".join(kinds))
    for name, values in by_kind.items():
        print(f"    {name:16}" + "  ".join(f"{value:>{len(kind)}.0%}" for value, kind in zip(values, kinds)))
    title = f"{options.steps} updates of each network on {options.clips:,} clips"
    figure = plot_rates(rates, title, "accuracy on clips of unseen maps", {"random guessing": 1 / len(kinds)})
    save_figure(options.output / "accuracy.png", figure)
    table = {"settings": {name: getattr(options, name) for name in (*FIXED, "seeds", "examined")}, "weights": sizes}
    table |= {"accuracy": rates, "accuracy_by_kind": by_kind}
    save_json(options.output / "results.json", table)


def draw_clips(options, clips, labels):
    """Plots the frames of a clip of each class."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), layout="constrained")
    for axes, (label, kind) in zip(figure.subplots(len(video_data.KINDS)), enumerate(video_data.KINDS)):
        chosen = np.flatnonzero(labels == label)
        axes.set_title(kind, fontsize=9, loc="left")
        axes.axis("off")
        if len(chosen):
            axes.imshow(np.concatenate(list(clips[chosen[0]]), axis=1))
    save_figure(options.output / "clips.png", figure, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
