"""Tables of results, printed or written between the markers of a page. Nothing here is measured.

The results of a row are {candidate: result}; a result is {"seconds": of each run, "growth": MB}, or {"needs": a package
that is not installed}, or {"error": its message}.
"""

import os
import pathlib
import tempfile

SECONDS = ("best s", "median s", "peak growth MB")  # headings of the cells that `seconds` yields


def median(times):
    """Upper median: for an even number of times, the larger of the middle two."""
    return sorted(times)[len(times) // 2]


def seconds(results, **_):
    """The usual cells of a candidate: best time, median time, memory."""
    for times, growth in results.values():
        yield _digits(min(times)), _digits(median(times)), f"{growth:.0f}"


def _digits(time):
    return f"{time:.2f}" if time >= 0.1 else f"{time:.4f}"


def ratio(results, one, other, form="{:.2f}"):
    """Median ratio of adjacent runs, which see the same load of the machine; empty if one was not measured."""
    if one == other or not {one, other} <= set(results):
        return ""
    return form.format(median([a / b for a, b in zip(results[one][0], results[other][0])]))


def measured(results):
    """{candidate: (seconds of each run, MB)} of those that ran."""
    return {name: (found["seconds"], found["growth"]) for name, found in results.items() if "seconds" in found}


def lines(benchmark, row, results):
    """Yields the cells of each candidate of a row."""
    labels, options, candidates = row
    ran = measured(results)
    cells = dict(zip(ran, benchmark.show(ran, **options), strict=True))
    blank = ("",) * (len(benchmark.COLUMNS) - len(labels) - 2)
    for name in candidates:
        why = "not installed" if "needs" in results[name] else "failed"
        yield (*labels, name, *cells.get(name, (why, *blank)))


def row_of(cells):
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def head(columns):
    return f"{row_of(columns)}\n{'|---' * len(columns)}|"


def table(benchmark, found):
    """The table of a benchmark, as Markdown, from [(row, results)]."""
    columns, cells = benchmark.COLUMNS, [line for row, results in found for line in lines(benchmark, row, results)]
    if hasattr(benchmark, "compact"):
        columns, cells = benchmark.compact(found)
    return "\n".join((head(columns), *map(row_of, cells)))


def markers(name):
    return f"<!-- table: {name} -->", f"<!-- end of table: {name} -->"


def between(text, name, new):
    """`text` with `new` in place of what stands between the markers of `name`.

    Raises:
        ValueError: Unless both markers are there once, in their order.
    """
    begin, end = markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the page must have the lines `{begin}` and `{end}`, once each and in this order")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{new}\n\n{end}{rest.split(end)[1]}"


def write(path, content):
    """Writes text or bytes so that an interrupted write leaves the file as it was."""
    path = pathlib.Path(path)
    descriptor, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.chmod(half, path.stat().st_mode if path.exists() else 0o644)
        os.replace(half, path)
    except BaseException:
        os.unlink(half)
        raise
