"""Mutation testing: applies one mutation at a time and checks whether the tests fail.

    python benchmarks/mutants.py choose 100 > mutants.json        # deterministic
    python benchmarks/mutants.py run mutants.json > results.txt   # in a copy of the repository: it edits files

Run on two versions of the tests, it shows mutants that only the older version kills. A mutant is identified by its
function and by the expression that it changes, so that it is found again after lines have moved.

Each mutant runs the tests of its own module first, then the conformance suite of the layers that import it, and last
the tests that mention these layers or its definitions, or, if there are none, all tests of its package; it stops at the
first failure. Needs an operating system with `fork`.
"""

import argparse
import ast
import copy
import json
import os
import random
import re
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path

PACKAGES = ("ops", "layers", "decoding", "training")
LIMIT = 1800  # seconds per stage; on a busy machine, run a mutant that timed out again
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
TWINS = {"maximum": "minimum", "logical_and": "logical_or", "zeros_like": "ones_like", "any": "all", "max": "min"}
TWINS |= {twin: name for name, twin in TWINS.items()}


def variants(node):
    """Yields each mutated copy of an expression."""

    def changed(**fields):
        twin = copy.copy(node)
        for name, value in fields.items():
            setattr(twin, name, value)
        return twin

    match node:
        case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
            yield changed(ops=[COMPARISONS[type(op)]()])
        case ast.BinOp(op=op) if type(op) in ARITHMETIC:
            yield changed(op=ARITHMETIC[type(op)]())
        case ast.BoolOp(op=op):
            yield changed(op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield changed(body=orelse, orelse=body)
        case ast.Constant(value=bool(value)):
            yield changed(value=not value)
        case ast.Constant(value=int(value) | float(value)):
            yield changed(value=value + 1)
        case ast.Attribute(attr=attr) if attr in TWINS:
            yield changed(attr=TWINS[attr])


def mutants(path):
    """`{name: (node, replacement)}` of a file; a name is (function, expression, replacement, count in the function)."""
    found, counts = {}, defaultdict(int)

    def visit(node, where):
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            where = (*where, node.name)
        if isinstance(node, ast.expr):
            for twin in variants(node):
                old, new = ast.unparse(node), ast.unparse(twin)
                key = (".".join(where), old, new)
                found[(*key, counts[key])] = (node, new)
                counts[key] += 1
        for child in ast.iter_child_nodes(node):
            visit(child, where)

    visit(ast.parse(path.read_text()), ())
    return found


def choose(count, seed=0):
    """Chooses `count` mutants, equally many per package, and no function twice if there are enough functions."""
    chosen = []
    for package in PACKAGES:
        every = [
            (str(path), *name)
            for path in sorted(Path("keras_attention", package).rglob("*.py"))
            for name in mutants(path)
        ]
        random.Random(seed).shuffle(every)
        seen, first, rest = set(), [], []
        for mutant in every:
            (rest if mutant[:2] in seen else first).append(mutant)
            seen.add(mutant[:2])
        chosen += (first + rest)[: count // len(PACKAGES)]
    return chosen


def mutated(path, name):
    """The text of the file with one mutant applied, or `None` if the file no longer contains it."""
    if not path.exists() or name not in (found := mutants(path)):
        return None
    node, new = found[name]
    lines = path.read_text().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()))
    text = "".join(lines).encode()
    begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
    return (text[:begin] + f"({new})".encode() + text[end:]).decode()


def users(path):
    """Names of the layers whose files import this one, directly or indirectly."""
    files = [
        p
        for package in ("ops", "layers")
        for p in Path("keras_attention", package).rglob("*.py")
        if p.stem != "__init__"
    ]
    using = {path}
    while True:
        stems = "|".join(sorted(p.stem for p in using))
        pattern = re.compile(rf"from keras_attention[\w.]*\.({stems}) import")
        more = {p for p in files if p not in using and pattern.search(p.read_text())}
        if not more:
            break
        using |= more
    layers = [p for p in using if p.parent.name == "layers"]
    return sorted({name for p in layers for name in re.findall(r"^class ([A-Z]\w+)", p.read_text(), re.M)})


def stages(path):
    """Yields the pytest arguments of each stage for a mutant of this file."""
    package, own = path.parts[1], Path("tests", *path.parts[1:-1], f"test_{path.stem}.py")
    if own.exists():
        yield [str(own)]
    layers = users(path) if package in ("ops", "layers") else ()
    if layers:
        yield [*map(str, sorted(Path("tests/layers").glob("test_conformance*.py"))), "-k", " or ".join(layers)]
    names = [*layers, *re.findall(r"^(?:def|class) ([A-Za-z]\w+)", path.read_text(), re.M)]
    pattern = re.compile(rf"\b({'|'.join((*names, path.stem))})\b")
    naming = [p for p in sorted(Path("tests").rglob("test_*.py")) if p != own and "conformance" not in p.name]
    naming = [str(p) for p in naming if p.parent.name != "examples" and pattern.search(p.read_text())]
    yield naming or [f"tests/{package}"]


def outcome(arguments):
    """Runs these tests in a forked process: "killed", "survived" or "timed out"."""
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        signal.alarm(LIMIT)
        import pytest

        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *arguments])))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGALRM:
        return "timed out"
    return "survived" if status in (0, 5) else "killed"


def run(chosen):
    """Prints one line per mutant: killed or timed out, with the stage; survived; or gone."""
    import keras  # noqa: F401, imported once, before the forks

    for file, *name in chosen:
        path, began = Path(file), time.time()
        text, verdict = mutated(path, tuple(name)), "survived"
        if text is None:
            verdict = "gone"
        else:
            original, plan = path.read_text(), list(stages(path))
            try:
                path.write_text(text)
                for stage, arguments in enumerate(plan, 1):
                    verdict = outcome(arguments)
                    if verdict != "survived":
                        verdict = f"{verdict} {stage}"
                        break
            finally:
                path.write_text(original)
        where, old, new, _ = name
        print(f"{verdict}\t{time.time() - began:.0f} s\t{file}\t{where}\t{old} -> {new}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("choose").add_argument("count", type=int)
    commands.add_parser("run").add_argument("mutants", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "choose":
        json.dump(choose(arguments.count), sys.stdout, indent=0)
    else:
        sys.path.insert(0, os.getcwd())
        sys.dont_write_bytecode = True
        run(json.loads(arguments.mutants.read_text()))
