"""A picture of every public layer on a real input: what the layer does, in a second or two each.

    python examples/layers_tour.py                        # all of them, into docs/images/layers
    python examples/layers_tour.py CBAM LuongAttention    # these two
    python examples/layers_tour.py --output pictures      # into another folder

Most weights are random or set by hand, so that the picture shows the mechanism; a few layers are trained for a moment.
"""

import argparse
import io
import pathlib
import sys

import keras
import tour_attention
import tour_features
import tour_gates
import tour_glimpses
import tour_images
import tour_positions
import tour_recurrent
from runs import save_whole

OUTPUT = pathlib.Path(__file__).parents[1] / "docs" / "images" / "layers"
TOPICS = (tour_attention, tour_features, tour_gates, tour_glimpses, tour_images, tour_positions, tour_recurrent)
PICTURES = {name: draw for topic in TOPICS for name, draw in topic.PICTURES.items()}
DPI, LARGEST = 100, 40_000  # bytes


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("layers", nargs="*", help="names of layers (all)", metavar="LAYER")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the pictures (%(default)s)")
    options = parser.parse_args(arguments)
    if unknown := set(options.layers) - set(PICTURES):
        parser.error(f"unknown layers: {', '.join(sorted(unknown))}")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.layers or sorted(PICTURES):
        content = png(draw(name))
        save_whole(options.output / f"{name}.png", lambda beside, content=content: beside.write_bytes(content))
        print(f"{name}.png, {len(content) / 1000:.0f} kB", flush=True)
    return 0


def draw(name):
    """The figure of a layer; the same in every run."""
    keras.utils.set_random_seed(0)
    return PICTURES[name]()


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
