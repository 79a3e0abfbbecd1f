"""Compares runs of the date example: exact matches by network and by length of the text.

    for seed in 0 1 2; do for name in Transformer RNNsearch RNNencdec; do
        python examples/transformer_dates.py --steps 800 --network $name --seed $seed --output runs/dates/$name-$seed
    done; done
    python examples/dates_compared.py runs/dates/*

Every network must be trained with the same seeds, steps and batches, and evaluated with the same `--held-out`: runs of
one seed then share their texts. Output in `runs/dates_compared/` (see `--output`): exact_by_length.png.
"""

import argparse
import itertools
import json
import pathlib
import sys

from runs import OtherRunError, ended, heading, save_figure

OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "runs" / "dates_compared"
ROOM = 1e6  # bytes of the results
NEEDED = ("network", "seed", "steps", "batch", "parameters", "exact", "by length", "false dates")  # of results.json
EDGES = (1, 10, 13, 16, 19, 22, 25, 29, 49)  # of the ranges of lengths, in characters
MARKS = ("o", "s", "^")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=pathlib.Path, help="folders of the runs")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="folder of the figure")
    return ended(run, parser.parse_args(arguments), ROOM)


def run(options):
    """Prints the table and plots exact matches against length."""
    import comparing

    networks = grouped([loaded(folder) for folder in options.runs])
    first = next(iter(networks.values()))
    steps, batch, seeds = first[0]["steps"], first[0]["batch"], f"{len(first)} seed{'s' * (len(first) > 1)}"
    heading(f"Exact matches on held-out dates: {steps} updates of {batch} texts, {seeds}")
    for kind in first[0]["exact"]:
        means = (f"{name} {comparing.mean_text([of['exact'][kind] for of in runs])}" for name, runs in networks.items())
        print(f"    {kind:10}{'; '.join(means)}")
    rates = {name: [overall(of) for of in runs] for name, runs in networks.items()}
    comparing.print_rates(rates, {name: runs[0]["parameters"] for name, runs in networks.items()}, "Transformer")
    heading("Texts without a date: answered with a date")
    for kind in first[0]["false dates"]:
        means = (
            f"{name} {comparing.mean_text([of['false dates'][kind] for of in runs])}" for name, runs in networks.items()
        )
        print(f"    {kind:20}{'; '.join(means)}")
    path = options.output / "exact_by_length.png"
    save_figure(path, plot_lengths(networks, f"Exact matches after {steps} updates, {seeds}"))
    heading(f"Exact matches by length of the text: {path}")


def loaded(folder):
    """The results of a run.

    Raises:
        OtherRunError: If the folder is of another example, or its results.json is damaged.
        OSError: If it has none.
    """
    path = folder / "results.json"
    try:
        result = json.loads(path.read_text())
    except ValueError as error:
        raise OtherRunError(f"{path} is damaged: {error}") from error
    missing = [name for name in NEEDED if name not in result] if isinstance(result, dict) else NEEDED
    if missing:
        raise OtherRunError(f"{folder} is not of transformer_dates.py: results.json lacks {', '.join(missing)}")
    return result


def counted(results):
    """Exact matches of a run, by kind and by length of the text, for results.json.

    Args:
        results: List of `(kind, sample, predicted date, whether it is exact)`.

    Returns:
        `{"exact": {kind: rate}, "by length": {characters: [number of exact matches, number of texts]}}`.
    """
    kinds, lengths = {}, {}
    for kind, sample, _, exact in results:
        kinds.setdefault(kind, []).append(bool(exact))
        found = lengths.setdefault(len(sample.text), [0, 0])
        found[0] += bool(exact)
        found[1] += 1
    return {"exact": {kind: sum(e) / len(e) for kind, e in kinds.items()}, "by length": dict(sorted(lengths.items()))}


def overall(result):
    """The exact matches of all kinds of a run, as many of each."""
    return sum(result["exact"].values()) / len(result["exact"])


def grouped(results):
    """{network: its results, in the order of the seeds}, of results with the same seeds, settings and kinds of texts.

    Raises:
        OtherRunError: If they differ, or if there are several of a network and a seed.
    """
    networks = {}
    for result in sorted(results, key=lambda result: result["seed"]):
        networks.setdefault(result["network"], []).append(result)
    for name, runs in networks.items():
        seeds = [of["seed"] for of in runs]
        if len({*seeds}) < len(seeds):
            raise OtherRunError(f"The runs of {name} must have different seeds. Received: {seeds}")
    shared = {tuple((of["seed"], *_settings(of)) for of in runs) for runs in networks.values()}
    if len(shared) > 1 or len({settings[1:] for settings in next(iter(shared))}) > 1:
        raise OtherRunError(
            "Every network needs runs of the same seeds, steps, batches, --held-out and kinds of texts."
        )
    return networks


def _settings(result):
    """What runs must share. Results of before `held_out` was recorded have the number of texts; or none (0)."""
    texts = sum(counts[1] for counts in result["by length"].values())
    held_out = result.get("held_out", texts // max(1, len(result["exact"])))
    return result["steps"], result["batch"], held_out, (*result["exact"],), (*result["false dates"],)


def by_length(result):
    """The rate of exact matches in each range of `EDGES`; NaN without texts."""
    rates = []
    for low, high in itertools.pairwise(EDGES):
        rows = [counts for length, counts in result["by length"].items() if low <= int(length) < high]
        exact, texts = (sum(column) for column in zip(*rows)) if rows else (0, 0)
        rates.append(exact / texts if texts else float("nan"))
    return rates


def plot_lengths(networks, title):
    """Plots exact matches against the length of the text, a line for each network with 95 % intervals over seeds.

    Args:
        networks: {name: results of its seeds}.
        title: String.

    Returns:
        `matplotlib.figure.Figure`.
    """
    import numpy as np
    from comparing import interval
    from matplotlib.figure import Figure

    from keras_attention.visualize.style import PALETTE

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(EDGES) - 1)
    for i, (name, runs) in enumerate(networks.items()):
        rates = 100 * np.array([by_length(of) for of in runs])
        style = {"color": PALETTE[i], "marker": MARKS[i % len(MARKS)], "capsize": 3}
        axes.errorbar(
            positions + 0.06 * (i - 1), rates.mean(axis=0), [interval(r) for r in rates.T], label=name, **style
        )
    axes.set_xticks(positions, [f"{low}–{high - 1}" for low, high in itertools.pairwise(EDGES)])
    axes.set_xlabel("characters of the text")
    axes.set_ylabel("exact matches, %\n(mean over seeds, 95 % interval)")
    axes.set_title(title)
    axes.legend(frameon=False)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    sys.exit(main())
