"""Rules of the repository: imports between packages, no private Keras, a test per file, registration, pages."""

import ast
import configparser
import functools
import importlib
import inspect
import pathlib
import re
import subprocess
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "keras_attention"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))

# The packages that each package may import; `folders` and `extras` are modules beside them. All may import `types`.
MAY_IMPORT = {
    "ops": {"ops"},
    "layers": {"ops", "layers"},
    "models": {"ops", "layers", "models"},
    "decoding": {"ops", "decoding"},
    "training": {"ops", "folders", "extras", "visualize", "training"},
    "metrics": {"ops", "metrics"},
    "migrate": {"ops", "layers", "models", "decoding", "migrate"},
    "visualize": {"ops", "extras", "visualize"},
    "analyze": {"ops", "layers", "visualize", "analyze"},
    "export": {"ops", "folders", "extras", "decoding", "export"},
}
# Third-party imports: allowed at the top of a file, and allowed only inside a function.
AT_THE_TOP = {"keras", "numpy", *sys.stdlib_module_names}
INSIDE_FUNCTIONS = {
    "ops": {"tensorflow", "jax", "torch"},
    # Keras's file format and number types; gradients of a training step with two optimizers.
    "training": {"h5py", "ml_dtypes", "tensorboard", "tensorflow", "jax", "torch"},
    "visualize": {"tensorflow", "jax", "torch", "PIL", "scipy", "tf_keras_vis"},
    "export": {"tensorflow", "onnx", "onnxruntime", "tf2onnx", "ai_edge_litert", "tensorflow_serving"},
}


def label(path):
    return str(path.relative_to(ROOT))


def running(tree):
    """The nodes of a tree, without what only type checkers read: `if TYPE_CHECKING:`."""
    nodes = [tree]
    for node in nodes:
        for_checkers = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        nodes.extend(node.orelse if for_checkers else ast.iter_child_nodes(node))
    return nodes


def imports(tree, parts):
    """Yields (line, absolute dotted name, whether it is outside of all functions) of every import that can run."""
    inside = {n for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.Lambda) for n in ast.walk(f)}
    for node in running(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = parts[: len(parts) - node.level + 1] if node.level else ()
            base = ".".join((*above, *filter(None, [node.module])))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield node.lineno, name, node not in inside


def forbidden_imports(source, parts):
    """Yields the forbidden imports of a file in this folder, as messages."""
    tree = ast.parse(source)
    package = parts[1] if len(parts) > 1 else None
    for line, name, at_the_top in imports(tree, parts):
        top, *rest = name.split(".")
        if top == "keras" and rest[:1] == ["src"]:
            yield f"line {line}: {name} is private to Keras"
        elif top == "keras_attention" and package:
            if not rest or rest[0] not in MAY_IMPORT[package] | {"types"}:
                yield f"line {line}: {package} may not import {name}"
        elif not (
            top == "keras_attention"
            or top in AT_THE_TOP
            or (top in INSIDE_FUNCTIONS.get(package, ()) and not at_the_top)
        ):
            yield f"line {line}: {package} may not import {name} here"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "src" and ast.unparse(node.value) == "keras":
            yield f"line {node.lineno}: keras.src is private to Keras"


def parts_of(path):
    return path.relative_to(ROOT).parts[:-1]


def test_packages_import_only_what_they_may():
    found = {label(path): list(forbidden_imports(path.read_text(), parts_of(path))) for path in FILES}
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
        "if TYPE_CHECKING:\n    import matplotlib\nelse:\n    import tensorflow",
        "def f():\n    import scipy",
    ],
)
def test_forbidden_imports_are_found(source):
    assert list(forbidden_imports(source, ("keras_attention", "ops")))


# Packages whose tensors may be part of an exported graph.
IN_GRAPHS = ("ops", "layers", "models", "decoding", "export")


def new_axes(source):
    """Yields the subscripts of a file that make an axis, such as `x[:, None]`, as messages."""
    tree = ast.parse(source)
    returns = [function.returns for function in ast.walk(tree) if isinstance(function, ast.FunctionDef)]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Subscript) or node in returns:
            continue
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if any(ast.unparse(index).split(".")[-1] in ("None", "newaxis") for index in indices):
            yield f"line {node.lineno}: {ast.unparse(node)}"


def test_axes_are_made_by_expand_dims():
    files = [path for path in FILES if path.relative_to(PACKAGE).parts[0] in IN_GRAPHS]
    found = {label(path): list(new_axes(path.read_text())) for path in files}
    assert len(found) > 100 and not {path: axes for path, axes in found.items() if axes}, (
        "LiteRT has no slice with a new axis, and in the loops of ONNX it is converted wrongly: use `ops.expand_dims`, "
        "or for NumPy arrays `np.expand_dims`"
    )


@pytest.mark.parametrize("index", ["None", "..., None", "None, :", ":, i, None", "np.newaxis", "keras.ops.newaxis, 1:"])
def test_new_axes_are_found(index):
    assert list(new_axes(f"y = f(x[{index}]) + 1"))
    assert not list(new_axes("x[None:], x[:, 1:None], x[..., 0], x[f(None)], x[i or None], d['None'], d[None or k]"))


def test_importing_the_package_imports_nothing_beyond_keras():
    code = "import sys, keras; before = set(sys.modules); import keras_attention; print(*set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    top = {name.partition(".")[0] for name in found.split()}
    assert "keras_attention" in top and top - sys.stdlib_module_names == {"keras_attention"}


def test_every_package_has_import_rules():
    assert set(PACKAGES) <= set(MAY_IMPORT)


def public_classes_and_functions():
    """Yields (package, name, object) of everything in the `__all__` of each package."""
    for package in (*PACKAGES, "export.serving"):
        module = importlib.import_module(f"keras_attention.{package}")
        for name in module.__all__:
            yield package, name, getattr(module, name)


PUBLIC = list(public_classes_and_functions())
PUBLIC_MODULES = {thing.__module__ for _, _, thing in PUBLIC}


@functools.cache
def imported():
    """The set of names that files of the library import."""
    return {name for path in FILES for _, name, _ in imports(ast.parse(path.read_text()), parts_of(path))}


def test_every_module_has_a_test_file():
    """`tests/ops/test_masks.py` or `test_masks_*.py` tests `ops/masks.py`.

    A module without a public name may instead be tested by those that import it; at least one must.
    """
    for path in MODULES:
        tests = ROOT / "tests" / path.relative_to(PACKAGE).parent
        if [*tests.glob(f"test_{path.stem}.py"), *tests.glob(f"test_{path.stem}_*.py")]:
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        assert module not in PUBLIC_MODULES, f"no test_{path.stem}.py in {label(tests)}"
        assert any(name.startswith(module) for name in imported()), f"nothing imports {label(path)}"


def test_files_have_at_most_330_lines():
    lines = {label(path): len(path.read_text().splitlines()) for path in [*(ROOT / "tests").rglob("*.py"), *FILES]}
    assert len(lines) > 300 and not {path: count for path, count in lines.items() if count > 330}


def length(function):
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1) * documented


def test_functions_have_at_most_40_lines():
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
    for package in ("layers", "models"):
        public = {thing.__module__ for name, _, thing in PUBLIC if name == package}
        files = {f"keras_attention.{package}.{path.stem}" for path in (PACKAGE / package).glob("*.py")}
        assert files - {f"keras_attention.{package}.__init__"} <= public


def test_no_public_operation_hides_its_module():
    names = {path.stem for path in (PACKAGE / "ops").glob("*.py")}
    assert not names & {name for package, name, _ in PUBLIC if package == "ops"}


def test_public_names_have_docstrings():
    assert len(PUBLIC) > 100
    assert not [f"{package}.{name}" for package, name, thing in PUBLIC if not inspect.getdoc(thing)], (
        "have no docstring"
    )


def is_serializable(thing):
    kinds = (keras.Layer, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.schedules.LearningRateSchedule)
    return inspect.isclass(thing) and issubclass(thing, kinds)


def test_serializable_classes_are_registered():
    names = {cls.__name__: keras.saving.get_registered_name(cls) for *_, cls in PUBLIC if is_serializable(cls)}
    assert len(names) > 50 and names == {name: f"keras_attention>{name}" for name in names}


def test_each_layer_is_in_a_file_of_its_name():
    from keras_attention import layers

    for name in layers.__all__:
        file = getattr(layers, name).__module__.rpartition(".")[2]
        assert file.replace("_", "") == name.lower().replace("_", ""), f"{name} is in {file}.py"


def shell_commands(text):
    """The lines of all bash blocks of a page."""
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.S) for line in block.splitlines()]


def test_ci_runs_the_test_command_of_the_readme():
    [command] = re.findall(r'^TEST_COMMAND="(.*)"$', (ROOT / ".ci" / "run").read_text(), re.M)
    assert command in shell_commands((ROOT / "README.md").read_text())


def test_readme_names_the_oldest_supported_versions():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    oldest = dict(re.findall(r"(\w+)>=(\S+)", setup["options"]["install_requires"]))
    oldest |= re.findall(r"(\w+)>=(\S+)", setup["options.extras_require"]["tensorflow"])
    readme = (ROOT / "README.md").read_text()
    assert f"TensorFlow {oldest['tensorflow']}" in readme
    assert f"Keras {oldest['keras']}" in readme


def test_version_is_a_literal():
    """`setup.cfg` reads it without importing the package, which needs Keras."""
    assert re.search(r'^__version__ = "\d+\.\d+\.\d+"$', (PACKAGE / "__init__.py").read_text(), re.M)


def test_pages_in_mkdocs_yml_exist():
    pages = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text())
    assert pages
    assert not [page for page in pages if not (ROOT / "docs" / page).is_file()]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_an_index_page(package):
    assert f"- api/{package}.md\n" in (ROOT / "mkdocs.yml").read_text()
