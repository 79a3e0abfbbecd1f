"""Command-line arguments of the examples."""

import argparse
import math
import pathlib


class Parser(argparse.ArgumentParser):
    """Parser with the arguments that several examples have.

    Args:
        description: Docstring of the example.
    """

    def __init__(self, description):
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._folder = None  # function of the parsed arguments: the default of --output

    def number(self, name, default, what, kind=None):
        """Adds a number, by default a positive int; `what` it is, for the help."""
        self.add_argument(name, type=kind or positive, default=default, help=f"{what} (default: %(default)s)")

    def networks(self, names, usual=None):
        """Adds --networks, some of `names`; `usual` are the default, or all."""
        usual = [*names] if usual is None else usual
        text = f"of: {'; '.join(names)} (default: {'all' if usual == [*names] else '; '.join(usual)})"
        self.add_argument("--networks", nargs="+", choices=names, default=usual, metavar="NAME", help=text)

    def training(self, steps, batch, unit, seeds=None):
        """Adds --steps, --batch of examples that are called `unit`, and --seeds if it has a default."""
        self.number("--steps", steps, "updates of each network")
        self.number("--batch", batch, f"{unit} per update")
        if seeds is not None:
            self.number("--seeds", seeds, "networks of each kind")

    def folders(self, output, inner=None):
        """Adds --cache, --output and --fresh; with `inner`, the name of another argument, each choice has a folder."""
        self.cache()
        self._folder = (lambda options: output / getattr(options, inner)) if inner else lambda options: output
        text = f"folder of the results (default: {output.name}{'/' + inner.upper() if inner else ''})"
        self.add_argument("--output", type=pathlib.Path, help=text)
        self.add_argument("--fresh", action="store_true", help="start over: delete the checkpoints of an earlier run")

    def parse_args(self, args=None, namespace=None):
        options = super().parse_args(args, namespace)
        networks = getattr(options, "networks", [])
        if len({*networks}) < len(networks):  # else one counts as several in the intervals
            self.error(f"argument --networks: the names must be different. Received: {'; '.join(networks)}")
        if self._folder and options.output is None:
            options.output = self._folder(options)
        return options

    def cache(self):
        self.add_argument("--cache", type=pathlib.Path, help="folder of downloads (default: the user's cache folder)")


def positive(text):
    """A positive int."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a positive number. Received: {text}")
    return number


def above_zero(text):
    """A positive finite float."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be finite and above 0. Received: {text}")
    return number


def rate(text):
    """A float from 0 on, below 1."""
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 1. Received: {text}")
    return number


def seed(text):
    """An int that NumPy and Keras take as a seed."""
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"must be at least 0 and below 2**32. Received: {text}")
    return number


def at_least_zero(text):
    """A finite float that is not negative."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be finite and not negative. Received: {text}")
    return number
