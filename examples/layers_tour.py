"""A picture of every public layer on a real input: what the layer does, in a second or two each.

    python examples/layers_tour.py                        # all of them, into docs/images/layers
    python examples/layers_tour.py CBAM LuongAttention    # these two
    python examples/layers_tour.py --output pictures      # into another folder

Most weights are random or set by hand, so that the picture shows the mechanism; a few layers are trained for a moment.
"""

import argparse
import io
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from runs import OtherRunError, ended, save_whole

OUTPUT = pathlib.Path(__file__).parents[1] / "docs" / "images" / "layers"
ROOM = 10e6  # bytes of the pictures, at most
DPI, LARGEST = 100, 40_000  # bytes of one


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("layers", nargs="*", help="names of layers (all)", metavar="LAYER")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the pictures (%(default)s)")
    return ended(run, parser.parse_args(arguments), ROOM)


def run(options):
    drawings = pictures()
    if unknown := set(options.layers) - set(drawings):
        raise OtherRunError(f"unknown layers: {', '.join(sorted(unknown))}")
    for name in options.layers or sorted(drawings):
        content = png(draw(drawings[name]))
        save_whole(options.output / f"{name}.png", lambda beside, content=content: beside.write_bytes(content))
        print(f"{name}.png, {len(content) / 1000:.0f} kB", flush=True)


def topics():
    import tour_attention
    import tour_features
    import tour_gates
    import tour_glimpses
    import tour_images
    import tour_positions
    import tour_recurrent

    return tour_attention, tour_features, tour_gates, tour_glimpses, tour_images, tour_positions, tour_recurrent


def pictures():
    """{name of a layer: function that draws its picture}."""
    return {name: drawing for topic in topics() for name, drawing in topic.PICTURES.items()}


def draw(drawing):
    """The figure that a function draws; the same in every run."""
    import keras

    keras.utils.set_random_seed(0)
    return drawing()


def png(figure):
    """A figure as a PNG of at most `LARGEST` bytes, with as many colors as fit."""
    from PIL import Image

    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI, format="png")
    image = Image.open(drawn).convert("RGB")
    for colors in (256, 128, 64, 32, 16):
        small = io.BytesIO()
        image.quantize(colors).save(small, "PNG", optimize=True)
        if small.tell() <= LARGEST:
            break
    return small.getvalue()


if __name__ == "__main__":
    sys.exit(main())
