"""Figures of the paths of glimpses."""

import io
import math

import numpy as np

from keras_attention.ops.glimpse_sensor import patch_widths


def outlines(model, side):
    """The widths of the patches of a glimpse in pixels, in ascending order."""
    return [width for width in patch_widths(model.size, model.scales, model.factor) if width <= side]


class Frames:
    """Figures of images with their first few glimpses.

    Args:
        images: [N, side, side, 1] between 0 and 1.
        locations: [N, T, 2], (row, column) between -1 and 1.
        widths: Of the patches of a glimpse, in pixels.
        truth, classes: Int [N], labels and predictions.
    """

    def __init__(self, images, locations, widths, truth, classes):
        self.images, self.widths, self.truth, self.classes = images[..., 0], widths, truth, classes
        # Rounded to whole pixels, as in `ops.glimpses`.
        self.centres = np.floor((locations + 1) / 2 * images.shape[1])

    def figure(self, glimpses):
        """`matplotlib.figure.Figure` with the path of the first `glimpses`; the last one is highlighted."""
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle

        columns = min(4, len(self.images))
        rows = math.ceil(len(self.images) / columns)
        figure = Figure(figsize=(2.2 * columns, 2.4 * rows), layout="constrained")
        for axes, image, path, truth, predicted in zip(
            figure.subplots(rows, columns, squeeze=False).flat, self.images, self.centres, self.truth, self.classes
        ):
            axes.imshow(image, cmap="gray", vmin=0, vmax=1)
            path = path[:glimpses]
            axes.plot(path[:, 1] - 0.5, path[:, 0] - 0.5, "-", color="#3cb44b", linewidth=1)
            for number, (row, column) in enumerate(path, 1):
                last = number == len(path)
                for width in self.widths if last else self.widths[:1]:
                    corner = (column - width // 2 - 0.5, row - width // 2 - 0.5)
                    color = "#ffd700" if last else "#3cb44b"
                    axes.add_patch(Rectangle(corner, width, width, fill=False, color=color, alpha=1 if last else 0.5))
            beyond = self.widths[-1] // 2 + 1
            axes.set_xlim(-beyond, len(image) + beyond)
            axes.set_ylim(len(image) + beyond, -beyond)
            axes.set_title(f"{truth}" if truth == predicted else f"{truth}, predicted {predicted}", fontsize=9)
            axes.axis("off")
        return figure

    def save_animation(self, path):
        """A GIF with one more glimpse in each frame."""
        from PIL import Image

        frames = []
        for glimpses in range(1, self.centres.shape[1] + 1):
            content = io.BytesIO()
            self.figure(glimpses).savefig(content, dpi=80, format="png")
            frames.append(Image.open(content).convert("P", palette=Image.Palette.ADAPTIVE))
        pause = [700] * (len(frames) - 1) + [2000]
        frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=pause, loop=0)
