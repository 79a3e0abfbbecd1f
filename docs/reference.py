"""MkDocs hook: the build fails if the reference lacks a public name."""

import importlib
import inspect
import pathlib
import pkgutil

import keras_attention


def on_post_build(config):
    from mkdocs.exceptions import PluginError

    pages = pathlib.Path(config["site_dir"]).glob("api/**/*.html")
    lacking = without_heading(public_names(), "".join(page.read_text() for page in pages))
    if lacking:
        raise PluginError(f"The reference must have a heading for every public name. It lacks: {', '.join(lacking)}")


def public_names():
    """`package.name` for every name of every `__all__` but modules, as people import it."""
    for found in pkgutil.walk_packages(keras_attention.__path__, "keras_attention."):
        package = importlib.import_module(found.name) if found.ispkg else None
        names = getattr(package, "__all__", ())
        yield from (f"{found.name}.{name}" for name in names if not inspect.ismodule(getattr(package, name)))


def without_heading(names, html):
    """The names for which the pages have no heading."""
    return [name for name in names if f'id="{name}" class="doc doc-heading"' not in html]
