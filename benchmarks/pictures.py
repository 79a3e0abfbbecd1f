"""Figures of the page on benchmarks, with matplotlib."""

import io

import tables

WIDTH = 9.0  # inches; the page is about as wide at 100 dots per inch


def points(found, place):
    """Points for `curves` of [(row, results)]: `place(labels, options)` is the panel and the size of a row."""
    return [
        (panel, name, size, tables.median(times), growth)
        for (labels, options, _), results in found
        for panel, size in [place(labels, options)]
        for name, (times, growth) in tables.measured(results).items()
    ]


def curves(points, x_label, seconds_label="time, ms", scale=1e3, memory=True):
    """Time, and below it memory, against a size, on logarithmic axes.

    Args:
        points: List of (panel, series, size, seconds, MB): a column of plots for each panel, a line for each series.
        x_label, seconds_label: Labels of the axes.
        scale: Units of time per second.
        memory: Whether to plot memory.
    """
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(point[0] for point in points))
    series = list(dict.fromkeys(point[1] for point in points))
    figure = Figure((WIDTH, 5.6 if memory else 3.4), layout="constrained")
    axes = figure.subplots(1 + memory, len(panels), squeeze=False, sharex="col", sharey="row")
    for column, panel in enumerate(panels):
        axes[0, column].set_title(panel, fontsize=10)
        for number, name in enumerate(series):
            mine = sorted(point[2:] for point in points if point[:2] == (panel, name))
            style = {"color": f"C{number % 10}", "marker": "osD^v"[number % 5], "markersize": 4, "label": name}
            sizes, times, growths = zip(*mine) if mine else ((), (), ())
            axes[0, column].plot(sizes, [scale * time for time in times], **style)
            if memory:
                axes[1, column].plot(sizes, [max(1, growth) for growth in growths], **style)
        for axis in axes[:, column]:
            _logarithmic(axis, sorted({point[2] for point in points if point[0] == panel}))
        axes[-1, column].set_xlabel(x_label)
    axes[0, 0].set_ylabel(seconds_label)
    if memory:
        axes[1, 0].set_ylabel("growth of peak memory, MB")
    figure.legend(*_entries(axes[0]), loc="outside lower center", ncols=min(4, len(series)), fontsize=9)
    return figure


def _logarithmic(axis, sizes):
    from matplotlib.ticker import LogFormatter, NullLocator, ScalarFormatter

    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(sizes, [str(size) for size in sizes], rotation=30 if len(sizes) > 4 else 0, fontsize=8)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(ScalarFormatter())
    axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))  # where there is no decade
    axis.tick_params(axis="y", which="both", labelsize=8)
    axis.grid(True, color="0.9")


def _entries(axes):
    """Handles and labels of the legend, those of lines with points."""
    found = {}
    for axis in axes:
        for line in axis.get_lines():
            if len(line.get_xdata()):
                found.setdefault(line.get_label(), line)
    return list(found.values()), list(found)


def bars(panels, x_label):
    """Horizontal bars with their values: {panel: {name: value}}."""
    from matplotlib.figure import Figure

    figure = Figure((WIDTH, 1.1 + 0.34 * max(map(len, panels.values()))), layout="constrained")
    for axis, (panel, values) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        names = list(values)[::-1]
        colors = ["C0" if "ours" in name else "0.7" for name in names]
        drawn = axis.barh(names, [values[name] for name in names], color=colors)
        axis.bar_label(drawn, fmt="%.0f", padding=2, fontsize=8)
        axis.set_xlim(right=1.18 * max(values.values()))
        axis.set_title(panel.replace(", ", "\n", 1), fontsize=9)
        axis.set_xlabel(x_label, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def png(figure):
    """The bytes of the picture, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()
