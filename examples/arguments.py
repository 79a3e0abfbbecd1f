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


def checked(kind, holds, must):
    """The type of an argument: a function of its text that returns a number of this kind if `holds(number)`."""

    def read(text):
        number = kind(text)
        if not holds(number):
            raise argparse.ArgumentTypeError(f"must be {must}. Received: {text}")
        return number

    read.__name__ = kind.__name__  # argparse names it where the text is no number
    return read


positive = checked(int, lambda number: number > 0, "a positive number")
seed = checked(int, lambda number: 0 <= number < 2**32, "at least 0 and below 2**32")  # of NumPy and of Keras
above_zero = checked(float, lambda number: 0 < number < math.inf, "finite and above 0")
at_least_zero = checked(float, lambda number: 0 <= number < math.inf, "finite and not negative")
rate = checked(float, lambda number: 0 <= number < 1, "at least 0 and below 1")
