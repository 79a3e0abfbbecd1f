"""Figures of SelectionGAN: images of both stages, attention maps, and metrics of both stages during training."""

import itertools

import cross_view_data
import numpy as np

from keras_attention.visualize.style import PALETTE

STAGES = {"first_image": "first stage", "image": "second stage"}
# Of the curves of each step of the ablation, the same in each figure: colors of their own for the usual four steps, and
# dots on the curves that share a color.
STYLES = {
    name: {"color": color, "marker": marker}
    for name, (marker, color) in zip("ACFHBDEG", itertools.product(("", "o"), PALETTE))
}


def plot_views(views, generated, rows):
    """The inputs, the final image of each generator, and the true view.

    Args:
        views: Dict of `cross_view_data.load`.
        generated: {step of the ablation: outputs of its generator for these views}.
        rows: Indices of views, a row each.
    """
    images = {name: outputs.get("image", outputs["first_image"]) for name, outputs in generated.items()}
    columns = {**_given(views), **{name: as_bytes(x) for name, x in images.items()}, "true": views["image"]}
    return explained(grid(columns, rows))


def plot_attention(views, outputs, rows):
    """The inputs, both stages, the true view, all attention maps and the uncertainty of a generator."""
    attention = {f"{m + 1}": outputs["attention"][..., m] for m in range(outputs["attention"].shape[-1])}
    highest = float(np.quantile(outputs["attention"][rows], 0.99))  # most are far below the maximum
    columns = _given(views) | {title: as_bytes(outputs[name]) for name, title in STAGES.items()}
    columns |= {"true": views["image"], **attention, "uncer-tainty": outputs["uncertainty"][..., 0]}
    # There are many columns.
    columns = {title.replace(" ", "\n").replace("-", "-\n"): images for title, images in columns.items()}
    figure = grid(columns, rows, dict.fromkeys(attention, highest))
    shown = figure.axes[[*columns].index("1")].images[0]
    figure.colorbar(shown, ax=figure.axes, label="attention", extend="max", pad=0.01, aspect=40)
    return explained(figure)


def _given(views):
    return {"from above": views["source"], "semantic map": cross_view_data.painted(views["semantics"])}


def explained(figure):
    """The figure, with a legend of the colors of semantic maps below it."""
    from matplotlib.patches import Patch

    colors = {kind: np.array(color) / 255 for kind, color in cross_view_data.KINDS.items()}
    patches = [Patch(facecolor=color, edgecolor="grey", label=kind) for kind, color in colors.items()]
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height + 0.5)
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False, handlelength=1)
    return figure


def as_bytes(images):
    """Between -1 and 1 -> uint8."""
    return np.clip(images * 127.5 + 128, 0, 255).astype("uint8")


def grid(columns, rows, highest=None):
    """A row for each of the chosen views, a column for each of {title: [N, Y, X] or [N, Y, X, 3]}.

    Args:
        columns: Dict of maps and images.
        rows: Indices of views.
        highest: {title: the value of a map with the brightest color}; 1 for the others.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.3 * len(columns), 1.35 * len(rows) + 0.04 * len(columns)), layout="constrained")
    axes = figure.subplots(len(rows), len(columns), squeeze=False)
    for j, (title, images) in enumerate(columns.items()):
        axes[0, j].set_title(title, fontsize=8 + len(columns) / 2)
        for i, row in enumerate(rows):
            scale = {"cmap": "magma", "vmin": 0, "vmax": (highest or {}).get(title, 1)} if images.ndim == 3 else {}
            axes[i, j].imshow(images[row].astype("uint8" if images.ndim == 4 else "float32"), **scale)
            axes[i, j].axis("off")
    return figure


def plot_progress(found, measures, title):
    """A curve for each stage of each step of the ablation: solid for the first stage, dashed for the second.

    Args:
        found: {step of the ablation: {update: {stage: {measure: value}}}}.
        measures: Names, one panel each.
        title: String.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(measures), 4.2), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, measure in zip(panels, measures):
        for name, table in found.items():
            for (stage, text), line in zip(STAGES.items(), ("-", "--")):
                updates = sorted(update for update in table if stage in table[update])
                values = [table[update][stage][measure] for update in updates]
                if updates:
                    axes.plot(updates, values, line, label=f"{name}, {text}", markersize=4, **STYLES[name])
        axes.set_xlabel("updates")
        axes.set_title(measure)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure
