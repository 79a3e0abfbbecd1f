"""Costs of attention, recurrence and convolution by length, and the time that they take: docs/costs.md.

    python benchmarks/costs.py [--measure-up-to 1024]

Multiply-adds, steps, paths and activations are computed from formulas for n = 16 to 16384 positions of 512 features;
forward passes of up to 1024 are timed, on TensorFlow, compiled. Writes the tables between the markers of the page, and
its picture.
"""

import argparse
import datetime
import io
import os
import pathlib

import recording
import tables

WIDTH = 512
LENGTHS = tuple(2**k for k in range(4, 15))
SHOWN = LENGTHS[::2]
PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "costs.md"


def candidates():
    """The layers by their names on the page."""
    import keras

    from keras_attention import layers

    return {
        "keras MultiHeadAttention": keras.layers.MultiHeadAttention(8, 64),
        "MultiHeadAttention": layers.MultiHeadAttention(8, 64),
        "sliding_window=128": layers.MultiHeadAttention(8, 64, sliding_window=128),
        "LocalAttention1D": layers.LocalAttention1D(8, 64, query_block=256, memory_block=128),
        "LSTM": keras.layers.LSTM(WIDTH, return_sequences=True),
        "GRU": keras.layers.GRU(WIDTH, return_sequences=True),
        "Conv1D, k = 3": keras.layers.Conv1D(WIDTH, 3, padding="same"),
    }


def crossings(comparison):
    """Where two layers cost the same, by formula and by time, as a table."""
    counts, times = comparison.crossings(), comparison.crossings("seconds")
    lines = ["| fewer multiply-adds before | and after | at n | time crosses at n |", "|---|---|---:|---:|"]
    for (before, after), n in counts.items():
        time = times.get((before, after))
        lines.append(f"| {before} | {after} | {n:.0f} | {'–' if time is None else f'{time:.0f}'} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure-up-to", type=int, default=1024)
    given = parser.parse_args()

    import keras
    import tensorflow as tf

    from keras_attention import analyze

    comparison = analyze.compare(candidates(), LENGTHS, WIDTH, measure_up_to=given.measure_up_to)
    shown = analyze.Comparison([row for row in comparison.rows if row.length in SHOWN])
    found = recording.machine(len(os.sched_getaffinity(0)))
    head = (
        f"{found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB; TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}; {datetime.date.today()}."
    )
    text = tables.between(PAGE.read_text(), "costs", f"{head}\n\n{shown.table()}")
    tables.write(PAGE, tables.between(text, "crossings", crossings(comparison)))
    analyze.plot_costs(comparison).savefig(picture := io.BytesIO(), format="png", dpi=130)
    tables.write(PAGE.parent / "images" / "costs.png", picture.getvalue())
    print(shown.table(), crossings(comparison), sep="\n\n")


if __name__ == "__main__":
    main()
