"""MkDocs hook: a reference page for every line of names in `api/*.md`; the build fails if a public name has no heading.

A line such as "- `transformer`, `Transformer`" is one page, with both names; in its place, the index page links to each
name, with the first sentence of its docstring. A heading above such lines is a topic of the navigation.
"""

import functools
import importlib
import inspect
import pathlib
import pkgutil
import re

import keras_attention

LINE = re.compile(r"^- (`[\w.]+`(?:, `[\w.]+`)*)$")
# What is a link already, a heading or a block of code; or the name of something in a line of text.
CODE = re.compile(r"<(a|autoref|h\d|pre)\b.*?</\1>|<code>([\w.]+)</code>", re.S)
PAGE = """::: {}
    options:
      heading_level: 1
"""


def on_files(files, config):
    from mkdocs.structure.files import File

    for file in list(files.documentation_pages()):
        if package := package_of(file.src_uri):
            for names in pages(file.content_string):
                page = "\n".join([PAGE.format(f"{package}.{names[0]}"), *(f"::: {package}.{n}\n" for n in names[1:])])
                files.append(File.generated(config, page_path(file.src_uri, names), content=page))
    for section in config.nav:
        if isinstance(section, dict):
            for title, entries in section.items():
                section[title] = [entry for path in entries for entry in navigation(path, files)]
    return files


def on_page_markdown(markdown, page, **kwargs):
    package = package_of(page.file.src_uri)
    return "\n".join(index_line(line, package) for line in markdown.split("\n")) if package else markdown


def on_page_content(content, **kwargs):
    """Links the names in the text to their pages."""

    def link(match):
        path = addresses().get(match[2])
        return f'<autoref identifier="{path}">{match[0]}</autoref>' if path else match[0]

    return CODE.sub(link, content)


def on_post_build(config):
    from mkdocs.exceptions import PluginError

    pages = pathlib.Path(config["site_dir"]).glob("api/**/*.html")
    lacking = without_heading(public_names(), "".join(page.read_text() for page in pages))
    if lacking:
        raise PluginError(
            f"The reference must have a heading for every public name: add to docs/api/*.md {', '.join(lacking)}"
        )


def package_of(path):
    """The package that an index page such as `api/layers.md` lists; `None` for other pages."""
    match = re.fullmatch(r"api/(\w+)\.md", path)
    return match and f"keras_attention.{match[1]}"


def page_path(index, names):
    return f"{index.removesuffix('.md')}/{names[0]}.md"


def pages(text):
    """The names of each page that an index page lists."""
    return [names for topic in topics(text).values() for names in topic]


def topics(text):
    """The pages of an index page under each of its headings, as lists of names; those before the first under `None`."""
    found, heading = {}, None
    for line in text.split("\n"):
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif names := names_of(line):
            found.setdefault(heading, []).append(names)
    return found


def names_of(line):
    match = LINE.match(line)
    return match and re.findall(r"[\w.]+", match[1])


def navigation(path, files):
    """The entries of the navigation for a page: of an index page, all pages that it lists by topic."""
    if not isinstance(path, str) or not package_of(path):
        return [path]
    found = topics(files.get_file_from_path(path).content_string)
    below = {topic: [{names[0]: page_path(path, names)} for names in listed] for topic, listed in found.items()}
    package = path.removeprefix("api/").removesuffix(".md")
    first = [{"Overview": path}, *below.pop(None, [])]
    return [{package: [*first, *({topic: entries} for topic, entries in below.items())]}]


def index_line(line, package):
    """A link to each name of a line, with its first sentence. The anchor is that of a page with the whole package."""
    paths = [f"{package}.{name}" for name in names_of(line) or ()]
    links = [f'- <span id="{path}"></span>[`{path.removeprefix(package + ".")}`][{path}]: ' for path in paths]
    return "\n".join(link + first_sentence(path) for link, path in zip(links, paths)) or line


def first_sentence(path):
    package, _, name = path.rpartition(".")
    text = inspect.getdoc(getattr(importlib.import_module(package), name))
    return " ".join(text.partition("\n\n")[0].split())


def public_names():
    """`package.name` for every name of every `__all__` but modules, as people import it."""
    for found in pkgutil.walk_packages(keras_attention.__path__, "keras_attention."):
        package = importlib.import_module(found.name) if found.ispkg else None
        names = getattr(package, "__all__", ())
        yield from (f"{found.name}.{name}" for name in names if not inspect.ismodule(getattr(package, name)))


@functools.cache
def addresses():
    """The full names by the names of the text: `layers.CBAM`, and of classes `CBAM`, too."""
    found = {path.partition(".")[2]: path for path in public_names()}
    last = [path.rpartition(".")[2] for path in found]
    return found | {
        name: path for path, name in zip(found.values(), last) if name != name.lower() and last.count(name) == 1
    }


def without_heading(names, html):
    """The names for which the pages have no heading."""
    return [name for name in names if f'id="{name}" class="doc doc-heading"' not in html]
