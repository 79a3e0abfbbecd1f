"""Image classification by a small ResNet: without attention, with SE, with CBAM and with non-local blocks.

    python examples/attention_resnet_images.py            # downloads, trains, evaluates, plots
    python examples/attention_resnet_images.py --seeds 1 --steps 100

Fashion-MNIST. All networks train for the same number of updates on the same batches; each seed has other initial
weights and other batches. An interrupted run resumes from its last checkpoint when it is started again. Outputs in
`runs/attention_resnet_images/` (see `--output`): accuracy.png, grad_cam.png, gates.png, results.json and the last
checkpoints. Results: docs/examples/attention_resnet_images.md.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import dates_served
import fashion_data
import numpy as np
from arguments import Parser, positive
from runs import OtherRunError, describe, ended, heading, save_figure, save_json, settle

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "attention_resnet_images"
ROOM = 50e6  # bytes of the results, at most, with the default settings
NETWORKS = {
    "none": {},
    "SE": {"attention": "se", "attention_kwargs": {"ratio": 4}},
    "SE, open": {"attention": "se", "attention_kwargs": {"ratio": 4, "variant": "reference"}},
    "CBAM": {"attention": "cbam", "attention_kwargs": {"ratio": 4}},
    "non-local": {"attention": "non_local"},
}
OPEN = 3.0  # initial bias of the gates of "SE, open": sigmoid(3) = 0.95 instead of 0.5
USUAL = ("none", "SE", "CBAM", "non-local")
# Settings of the checkpoints in a folder: a run resumes only with the same ones.
FIXED = ("steps", "batch", "blocks", "width", "images")
DRAWN = ("none", "SE", "CBAM")  # side by side in grad_cam.png
MAPPED = 200  # test images of which Grad-CAM is measured
GATED = 2000  # test images whose gates are averaged
LEARNED = ("*/seed-*/step-*.weights.h5",)


def main(arguments=None):
    return ended(run, parse(arguments), ROOM)


def parse(arguments):
    parser = Parser(__doc__)
    parser.training(steps=400, batch=128, unit="images", seeds=3)
    parser.number("--blocks", 1, "blocks per stage, of 3")
    parser.number("--width", 16, "channels of the first stage")
    parser.add_argument("--images", type=positive, help="number of training images (default: all 60,000)")
    parser.networks(NETWORKS, USUAL)
    parser.folders(OUTPUT)
    return parser.parse_args(arguments)


def run(options):
    """Downloads, trains, evaluates and plots."""
    heading("ResNets with and without attention on Fashion-MNIST")
    with dates_served.quiet():
        import attention_resnet_learning as learning
        import comparing
    describe()
    settle(options, FIXED, LEARNED)
    (images, labels), test = fashion_data.load(options.cache)
    images, labels = images[: options.images], labels[: options.images]
    if len(images) < options.batch:
        raise OtherRunError(f"--batch must be at most the {len(images)} training images. Received: {options.batch}")
    kinds = len(fashion_data.KINDS)
    print(f"{len(images):,} training images, {len(test[0]):,} test images, {kinds} classes")
    found, sizes, first = {name: [] for name in options.networks}, {}, {}

    def learn(model, name, seed, folder):
        return learning.learn(model, images, labels, options.steps, options.batch, seed, folder)

    for name, _, model in comparing.trained(options, options.networks, build, learn):
        sizes[name], first[name] = model.count_params(), first.get(name, model)
        found[name].append(learning.accuracy(model, *test))
        print(f"    {found[name][-1]:.2%} test accuracy")
    report(options, found, sizes)
    drawn = {name: model for name, model in first.items() if name in DRAWN}
    if drawn:
        draw(options, drawn, *test)
    if "SE" in first:
        draw_gates(options, first["SE"], *test)


def build(options, name, seed):
    """Builds a network; the weights that two kinds have in common may differ."""
    import keras

    from keras_attention import models

    keras.utils.set_random_seed(seed)
    sizes = {"blocks": (options.blocks,) * 3, "bottleneck": False, "width": options.width, "stem": "3x3"}
    kinds = len(fashion_data.KINDS)
    model = models.AttentionResNet(**sizes, **NETWORKS[name], num_classes=kinds, input_channels=1)
    if name == "SE, open":
        for variable in model.trainable_variables:
            if variable.path.endswith("attention/expand/bias"):
                variable.assign(np.full(variable.shape, OPEN))
    return model


def report(options, found, sizes):
    """Prints, plots and saves the mean of the accuracy and its confidence interval."""
    from comparing import plot_rates, print_rates

    heading(f"Accuracy on 10,000 test images; {options.seeds} networks of each kind")
    print_rates(found, sizes, "none", digits=2)
    figure = plot_rates(
        found, f"Fashion-MNIST, {options.steps} updates of each network", "accuracy on 10,000 test images"
    )
    save_figure(options.output / "accuracy.png", figure)
    table = {"settings": {name: getattr(options, name) for name in (*FIXED, "seeds")}, "weights": sizes}
    table |= {"accuracy": found}
    save_json(options.output / "results.json", table)


def draw(options, networks, images, labels):
    """Plots Grad-CAM of the first test image of every second kind, and measures the maps of more."""
    import attention_resnet_learning as learning
    from class_map_pictures import part_on_black, plot_class_maps, samples

    from keras_attention import visualize

    rows = samples(labels, range(1, len(fashion_data.KINDS), 2))
    inputs, many = learning.prepared(images[rows]), learning.prepared(images[:MAPPED])
    try:
        figure = plot_class_maps(networks, images[rows, ..., None], inputs, labels[rows])
        maps = {name: visualize.grad_cam(model, many, labels[:MAPPED]) for name, model in networks.items()}
    except ImportError as error:
        print(f"grad_cam.png is left out. {error}")
        return
    save_figure(options.output / "grad_cam.png", figure)
    heading("grad_cam.png: predicted classes of " + ", ".join(fashion_data.KINDS[label] for label in labels[rows]))
    for name, model in networks.items():
        predicted = np.argmax(model.predict_on_batch(inputs), axis=-1)
        print(f"    {name:10}" + ", ".join(fashion_data.KINDS[kind] for kind in predicted))
    black = (images[:MAPPED] == 0).mean()
    heading(f"Part of Grad-CAM on black pixels ({black:.0%} of all), median of {len(many)} test images")
    for name, found in maps.items():
        print(f"    {name:10}{part_on_black(found, images[:MAPPED, ..., None]):.0%}")


def draw_gates(options, model, images, labels):
    """Plots the mean gate of each channel by class, and prints how much the gates of a layer depend on the class."""
    import attention_resnet_learning as learning
    from gate_means import mean_gates, plot_mean_gates, spread

    inputs, kinds = learning.prepared(images[:GATED]), labels[:GATED]
    gates = mean_gates(model, inputs, kinds, len(fashion_data.KINDS))
    save_figure(options.output / "gates.png", plot_mean_gates(gates, fashion_data.KINDS))
    heading(f"gates.png: gates of SE, first seed, mean over {len(kinds)} test images by class")
    print("    mean over channels of the largest minus the smallest mean gate of the classes")
    for path, values in gates.items():
        print(f"    {path}: {spread(values):.3f}")


if __name__ == "__main__":
    sys.exit(main())
