"""Runs the benchmarks of this folder and writes their tables and pictures into docs/benchmarks.md.

    python benchmarks/all.py                            # all of them; about an hour and a half on two cores, idle
    python benchmarks/all.py --list                     # what is measured already, and how long it took
    python benchmarks/all.py --only decoding non_local --repeat 3

Each row is stored when it was measured (`--results`, JSON lines). A run that was killed is resumed by the same command,
which measures what is missing: rows that were never measured, that a change to the code, the versions or the machine
has made stale, or of which a candidate failed. A table is written once all of its rows have results. Needs Linux, and
matplotlib for the pictures; candidates that need a package that is not installed are listed as such.
"""

import argparse
import datetime
import pathlib
import sys
import textwrap
import time

import pictures
import recording
import side_by_side
import tables

ROOT = recording.FOLDER.parent
# In the order of the page.
NAMES = (
    "attention_core",
    "multi_head_attention",
    "training_steps",
    "start_up",
    "additive_attention",
    "local_attention",
    "decoding",
    "decoding_lengths",
    "recurrent_decoding",
    "sample_image",
    "non_local",
    "attention_resnet",
    "self_attention_2d",
    "glimpse_cost",
)


def main(arguments=None, folder=recording.FOLDER, names=NAMES):
    """Returns the exit status: 1 if a candidate failed."""
    parser = parser_of(names)
    arguments = parser.parse_args(arguments)
    unknown = [name for name in arguments.only if name not in names]
    if unknown:
        parser.error(f"`--only` must be names of benchmarks: {', '.join(names)}. Received: {', '.join(unknown)}")
    chosen = [side_by_side.load(folder / f"{name}.py") for name in names if name in (arguments.only or names)]
    if arguments.quick:
        return smoke_test(chosen, arguments.cores)
    try:
        check_page(arguments.page, chosen)
        results = recording.Results(arguments.results)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    try:
        if arguments.list:
            return overview(chosen, results, arguments)
        return max([run(benchmark, results, arguments) for benchmark in chosen])
    except KeyboardInterrupt:
        print("interrupted; the same command resumes", file=sys.stderr)
        return 130
    finally:
        results.close()


def parser_of(names):
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Benchmarks: " + ", ".join(names),
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these benchmarks")
    side_by_side.add_arguments(parser)
    parser.add_argument("--list", action="store_true", help="only show what is measured and missing")
    parser.add_argument("--quick", action="store_true", help="only try the first row of each, once")
    parser.add_argument("--results", default=ROOT / "runs" / "benchmarks.jsonl", metavar="FILE", help="measured rows")
    parser.add_argument("--page", default=ROOT / "docs" / "benchmarks.md", metavar="FILE", help="page with the markers")
    return parser


def check_page(page, benchmarks):
    """Raises an error before anything is measured, not after an hour."""
    text = pathlib.Path(page).read_text()
    for benchmark in benchmarks:
        tables.between(text, benchmark.__name__, "")


def keys_of(benchmark, arguments):
    keys = recording.keys_of(benchmark, arguments.repeat or benchmark.REPEAT, arguments.cores)
    return list(zip(benchmark.ROWS, keys))


def run(benchmark, results, arguments):
    """Measures the missing rows of a benchmark and writes its table; returns 1 if a candidate failed."""
    rows = keys_of(benchmark, arguments)
    missing = [(row, key) for row, key in rows if not recording.is_complete(results.of(key))]
    stale = sum(results.is_stale(key) for _, key in rows)
    say(f"{benchmark.__name__}: {len(rows)} rows, {len(missing)} to measure" + f", {stale} of them again" * bool(stale))
    for row, key in missing:
        start = time.perf_counter()
        found = side_by_side.measure(benchmark, row, key["repeat"], arguments.cores)
        if recording.code_of(benchmark.__file__) != key["code"]:
            raise SystemExit("the code changed while a row was measured, which was not stored; start again")
        today, took = datetime.date.today().isoformat(), round(time.perf_counter() - start, 1)
        results.add({"key": key, "date": today, "took": took, "results": found})
        report(benchmark, row, found)
    write_page(arguments.page, benchmark, [(row, results.of(key)) for row, key in rows])
    return int(not all(recording.is_complete(results.of(key)) for _, key in rows))


def report(benchmark, row, results):
    """Prints the lines of a row and the errors of its candidates; returns whether there are any."""
    for cells in tables.lines(benchmark, row, results):
        say("  " + tables.row_of(cells))
    errors = {name: result["error"] for name, result in results.items() if "error" in result}
    for name, error in errors.items():
        say(f"  {name} failed: {error}")
    return bool(errors)


def say(text):
    print(text, flush=True)


def write_page(page, benchmark, records):
    """Writes the table, and the picture if there is one, between the markers of the benchmark."""
    page = pathlib.Path(page)
    found = [(row, record["results"]) for row, record in records]
    parts = [
        textwrap.fill(recording.describe([record for _, record in records]), 120),
        tables.table(benchmark, found),
    ]
    if hasattr(benchmark, "draw"):
        picture = page.parent / "images" / f"{benchmark.__name__}.png"
        picture.parent.mkdir(exist_ok=True)
        tables.write(picture, pictures.png(benchmark.draw(found)))
        parts.append(f"![{benchmark.__doc__.splitlines()[0]}](images/{picture.name})")
    tables.write(page, tables.between(page.read_text(), benchmark.__name__, "\n\n".join(parts)))


def overview(benchmarks, results, arguments):
    """Prints what is measured and what is missing."""
    columns = ("benchmark", "rows", "measured", "with failures", "stale", "missing", "minutes measured")
    print(tables.head(columns))
    for benchmark in benchmarks:
        keys = [key for _, key in keys_of(benchmark, arguments)]
        records = [record for record in map(results.of, keys) if record]
        stale = sum(map(results.is_stale, keys))
        counts = [len(records), sum(not recording.is_complete(record) for record in records), stale]
        took = sum(record["took"] for record in records) / 60
        cells = (len(keys), *counts, len(keys) - len(records) - stale, f"{took:.1f}")
        print(tables.row_of((benchmark.__name__, *map(str, cells))))
    return 0


def smoke_test(benchmarks, cores):
    """Runs the first row of each benchmark once; returns 1 if a candidate failed."""
    failed = False
    for benchmark in benchmarks:
        row = benchmark.ROWS[0]
        found = side_by_side.measure(benchmark, row, 1, cores)
        say(f"{benchmark.__name__}\n{tables.head(benchmark.COLUMNS)}")
        failed |= report(benchmark, row, found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
