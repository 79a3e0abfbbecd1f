"""The house: imports go down only, no private Keras, every file has its test, its registration and its page."""

import ast
import configparser
import functools
import importlib
import inspect
import pathlib
import re
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_attention"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))

# Who may import whom; `folders` is a module of its own, beside the rooms.
MAY_IMPORT = {
    "ops": {"ops"},
    "layers": {"ops", "layers"},
    "models": {"ops", "layers", "models"},
    "decoding": {"ops", "decoding"},
    "training": {"ops", "folders", "training"},
    "metrics": {"ops", "metrics"},
    "migrate": {"ops", "layers", "models", "decoding", "migrate"},
    "visualize": {"ops", "visualize"},
    "export": {"ops", "folders", "export"},
}
# Outside the package: what a room may import at the top of a file, and what only inside a function.
AT_THE_TOP = {"keras", "numpy", *sys.stdlib_module_names}
INSIDE_FUNCTIONS = {
    "ops": {"tensorflow", "jax", "torch"},
    # Keras's own file format and number types; the gradients of a step that no `fit` of one optimizer takes.
    "training": {"h5py", "ml_dtypes", "tensorflow", "jax", "torch"},
    "visualize": {"tensorflow", "jax", "matplotlib"},
    "export": {"tensorflow", "onnx", "onnxruntime", "tf2onnx"},
}


def label(path):
    return str(path.relative_to(ROOT))


def imports(tree, package):
    """Yields (line, absolute dotted name, whether it stands outside every function) of every import."""
    inside = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.Lambda) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield node.lineno, name, node not in inside


def complaints(source, package):
    """What is wrong with the imports of a file that lies in `package`."""
    tree = ast.parse(source)
    room = package[1] if len(package) > 1 else None
    for line, name, at_the_top in imports(tree, package):
        top, *rest = name.split(".")
        if top == "keras" and rest[:1] == ["src"]:
            yield f"line {line}: {name} is private to Keras"
        elif top == "keras_attention" and room:
            if not rest or rest[0] not in MAY_IMPORT[room]:
                yield f"line {line}: {room} may not import {name}"
        elif not (
            top == "keras_attention" or top in AT_THE_TOP or (top in INSIDE_FUNCTIONS.get(room, ()) and not at_the_top)
        ):
            yield f"line {line}: {room} may not import {name} here"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "src" and ast.unparse(node.value) == "keras":
            yield f"line {node.lineno}: keras.src is private to Keras"


def package_of(path):
    return path.relative_to(ROOT).parts[:-1]


def test_imports_go_down():
    found = {label(path): list(complaints(path.read_text(), package_of(path))) for path in FILES}
    assert len(found) > 100 and not {path: wrong for path, wrong in found.items() if wrong}


@pytest.mark.parametrize(
    "source",
    [
        "from keras_attention.layers import X",
        "from keras_attention import layers",
        "import keras_attention.layers",
        "import keras_attention",
        "from ..layers import X",
        "from .. import layers",
        "def f():\n    from keras_attention import models",
        "from keras.src import backend",
        "from keras import src",
        "import keras.src.ops as k",
        "import keras\nkeras.src.backend",
        "import tensorflow as tf",
        "def f():\n    import scipy",
    ],
)
def test_a_forbidden_import_is_seen(source):
    assert list(complaints(source, ("keras_attention", "ops")))


def test_every_room_is_in_the_table():
    assert set(ROOMS) <= set(MAY_IMPORT)


def public_classes_and_functions():
    """Yields (room, name, object) of everything in the `__all__` of a room."""
    for room in ROOMS:
        module = importlib.import_module(f"keras_attention.{room}")
        for name in module.__all__:
            yield room, name, getattr(module, name)


PUBLIC = list(public_classes_and_functions())
PUBLIC_MODULES = {thing.__module__ for _, _, thing in PUBLIC}


@functools.cache
def imported():
    """The names that the files of the package import."""
    return {name for path in FILES for _, name, _ in imports(ast.parse(path.read_text()), package_of(path))}


def test_every_file_has_its_test():
    """`ops/masks.py` is tested by `tests/ops/test_masks.py` (or, where that grew too long, `test_masks_*.py`).

    A file without a public name may leave it to the tests of the files that import it; one must.
    """
    for path in MODULES:
        tests = ROOT / "tests" / path.relative_to(PACKAGE).parent
        if [*tests.glob(f"test_{path.stem}.py"), *tests.glob(f"test_{path.stem}_*.py")]:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        assert module not in PUBLIC_MODULES, f"no test_{path.stem}.py in {label(tests)}"
        assert any(name.startswith(module) for name in imported()), f"nothing imports {label(path)}"


def test_files_stay_readable():
    lines = {label(path): len(path.read_text().splitlines()) for path in [*(ROOT / "tests").rglob("*.py"), *FILES]}
    assert len(lines) > 300 and not {path: count for path, count in lines.items() if count > 330}


def length(function):
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1) * documented


def test_functions_stay_readable():
    found = {
        f"{label(path)}:{node.name}": length(node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert len(found) > 800 and not {name: count for name, count in found.items() if count > 40}


def test_packages_hold_what_they_are_for():
    """`ops` is a list of equations; beside `bases` and `parts`, a file is a public layer or a network."""
    assert len(list((PACKAGE / "ops").glob("*.py"))) <= 28
    for room in ("layers", "models"):
        public = {thing.__module__ for name, _, thing in PUBLIC if name == room}
        files = {f"keras_attention.{room}.{path.stem}" for path in (PACKAGE / room).glob("*.py")}
        assert files - {f"keras_attention.{room}.__init__"} <= public


def test_no_public_operation_hides_its_module():
    names = {path.stem for path in (PACKAGE / "ops").glob("*.py")}
    assert not names & {name for room, name, _ in PUBLIC if room == "ops"}


def test_public_names_say_what_they_are():
    assert len(PUBLIC) > 100
    assert not [f"{room}.{name}" for room, name, thing in PUBLIC if not inspect.getdoc(thing)], "have no docstring"


def serialisable(thing):
    kinds = (keras.Layer, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.schedules.LearningRateSchedule)
    return inspect.isclass(thing) and issubclass(thing, kinds)


def test_classes_are_registered():
    names = {cls.__name__: keras.saving.get_registered_name(cls) for *_, cls in PUBLIC if serialisable(cls)}
    assert len(names) > 50 and names == {name: f"keras_attention>{name}" for name in names}


def test_layers_lie_in_a_file_of_their_own_name():
    from keras_attention import layers

    for name in layers.__all__:
        file = getattr(layers, name).__module__.rpartition(".")[2]
        assert file.replace("_", "") == name.lower().replace("_", ""), f"{name} lies in {file}.py"


def shell_commands(text):
    """The lines of all ```bash blocks."""
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.S) for line in block.splitlines()]


def test_ci_runs_the_test_command_of_the_readme():
    [command] = re.findall(r'^TEST_COMMAND="(.*)"$', (ROOT / ".ci" / "run").read_text(), re.M)
    assert command in shell_commands((ROOT / "README.md").read_text())


def test_the_readme_names_the_oldest_pair():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    oldest = dict(re.findall(r"(\w+)>=(\S+)", setup["options"]["install_requires"]))
    readme = (ROOT / "README.md").read_text()
    assert f"TensorFlow {oldest['tensorflow']}" in readme
    assert f"Keras {oldest['keras']}" in readme


def test_the_version_is_a_literal():
    """`setup.cfg` reads it without importing the package, which would need Keras to be installed."""
    assert re.search(r'^__version__ = "\d+\.\d+\.\d+"$', (PACKAGE / "__init__.py").read_text(), re.M)


def test_pages_of_the_documentation_exist():
    pages = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text())
    assert pages
    assert not [page for page in pages if not (ROOT / "docs" / page).is_file()]


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_its_generated_page(room):
    assert f"::: keras_attention.{room}\n" in (ROOT / "docs" / "api" / f"{room}.md").read_text()
