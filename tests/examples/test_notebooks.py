import json
import os
import re
import subprocess
import sys

import notebooks
import pytest

# What each script prints at its end: numbers, and what must hold of them.
RESULTS = {
    "short_export": (
        r"accuracy (\S+); always the same answer: (\S+)\n1 before 2: (\S+)\n1 before 2: (\S+)\nimported: tensorflow\n",
        lambda accuracy, chance, yes, no: accuracy > 0.95 and chance < 0.6 and yes > 0.9 and no < 0.1,
    ),
    "short_gan": (
        r"distance to images: (\S+) untrained, (\S+) trained, (\S+) images\n",
        lambda untrained, trained, images: images < trained < untrained / 4,
    ),
    "short_images": (
        r"without attention: .* accuracy (\S+)\n[\s\S]*CBAM: .* accuracy (\S+)\n",
        lambda without, cbam: min(without, cbam) > 0.5,  # neither need be better after so few updates
    ),
    "short_pooling": (
        r"mean pooling: accuracy (\S+) [\s\S]*attention pooling: accuracy (\S+) [\s\S]* in (\S+) of.* in (\S+)\n",
        lambda mean, attention, hit, chance: attention > mean and hit > 2 * chance,
    ),
    "short_sequences": (
        r"last state only: (\S+) of[\s\S]*attention: (\S+) of",
        lambda state, attention: attention > state + 0.3,
    ),
    "short_text": (
        r"bag of letters: accuracy (\S+)\n[\s\S]*Transformer encoder: accuracy (\S+)\n",
        lambda bag, encoder: encoder > bag + 0.02,
    ),
}


def ids(path):
    return path.stem


def test_text_and_code_become_cells():
    remarks = "# A remark\n# of two lines.\nx = 1\n# not one\ny = 2\n"
    function = "def f():\n    # nor here\n    pass\n"
    source = f'"""A title.\n\nMore.\n"""\n\nimport json\n\n{remarks}\n\n{function}'
    cells = json.loads(notebooks.notebook(source))["cells"]
    assert [(cell["cell_type"], cell["source"]) for cell in cells] == [
        ("markdown", "A title.\n\nMore."),
        ("code", "import json"),
        ("markdown", "A remark\nof two lines."),
        ("code", "x = 1\n# not one\ny = 2\n\n\ndef f():\n    # nor here\n    pass"),
    ]
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.parametrize("script", notebooks.SCRIPTS, ids=ids)
def test_notebooks_are_those_of_the_scripts(script):
    assert script.with_suffix(".ipynb").read_text() == notebooks.notebook(script.read_text()), (
        "run examples/notebooks.py"
    )


@pytest.mark.parametrize("script", notebooks.SCRIPTS, ids=ids)
def test_short_examples_are_short(script):
    assert len(script.read_text().splitlines()) <= 60


def test_every_notebook_has_a_script():
    folder = notebooks.SCRIPTS[0].parent
    assert {path.stem for path in folder.glob("*.ipynb")} == {path.stem for path in notebooks.SCRIPTS}


def test_every_script_has_its_results():
    assert set(RESULTS) == {path.stem for path in notebooks.SCRIPTS}


@pytest.mark.slow
@pytest.mark.parametrize("script", notebooks.SCRIPTS, ids=ids)
def test_the_result_beats_the_baseline(script, tmp_path):
    paths = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "KERAS_HOME": str(tmp_path)}
    run = [sys.executable, str(script)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    pattern, holds = RESULTS[script.stem]
    numbers = [float(number) for number in re.search(pattern, done.stdout).groups()]
    assert holds(*numbers), numbers
