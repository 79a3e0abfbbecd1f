"""Writes the notebooks of the short examples from their scripts.

    python examples/notebooks.py

The docstring of a script, and each block of comment lines after an empty line, become a cell of text; the code
between them a cell of code. Notebooks have no outputs, and belong into the folder of the scripts, whose modules they
import.
"""

import json
import pathlib
import re

SCRIPTS = sorted(pathlib.Path(__file__).parent.glob("short_*.py"))
# The docstring of the file, and comments at the margin after an empty line; not those of one line of code.
TEXT = re.compile(r'(\A"""[\s\S]*?"""\n|(?<=\n\n)(?:#.*\n)+)')


def notebook(source):
    """The notebook of a script, as the text of an .ipynb file."""
    cells = []
    for number, part in enumerate(TEXT.split(source)):
        if number % 2:
            text = part.replace('"""', "") if part.startswith('"""') else re.sub(r"^# ?", "", part, flags=re.M)
            cells.append({"cell_type": "markdown", "metadata": {}, "source": text.strip()})
        elif part.strip():
            code = {"cell_type": "code", "metadata": {}, "source": part.strip(), "outputs": [], "execution_count": None}
            cells.append(code)
    cells = [{"id": f"cell-{index}", **cell} for index, cell in enumerate(cells)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for script in SCRIPTS:
        script.with_suffix(".ipynb").write_text(notebook(script.read_text()))
