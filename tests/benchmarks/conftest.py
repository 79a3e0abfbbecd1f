"""The benchmarks are scripts, not a package: their folder is added to the path, as when one is run."""

import pathlib
import sys

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
