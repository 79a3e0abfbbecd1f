import pathlib

import pytest
from arguments import Parser, above_zero, at_least_zero, rate, seed


def parser():
    parser = Parser("What it shows.\n\n    python examples/it.py")
    parser.networks({"one": 1, "two, more": 2})
    parser.training(steps=7, batch=3, unit="digits", seeds=2)
    parser.number("--rate", 0.5, "of learning", above_zero)
    parser.number("--dropout", 0.0, "rate", rate)
    parser.number("--weight", 0.0, "of a loss", at_least_zero)
    parser.number("--seed", 0, "of weights", seed)
    parser.folders(pathlib.Path("runs/it"))
    return parser


def test_defaults():
    found = vars(parser().parse_args([]))
    output = pathlib.Path("runs/it")
    assert found == {
        "networks": ["one", "two, more"],
        "steps": 7,
        "batch": 3,
        "seeds": 2,
        "rate": 0.5,
        "dropout": 0.0,
        "weight": 0.0,
        "seed": 0,
        "cache": None,
        "output": output,
        "fresh": False,
    }


def test_given_values():
    given = ["--networks", "two, more", "--steps", "70", "--batch", "30", "--seeds", "20", "--rate", "0.25"]
    given += ["--cache", "a", "--output", "b", "--fresh"]
    found = parser().parse_args(given)
    assert found.networks == ["two, more"] and found.fresh and found.rate == 0.25
    assert (found.steps, found.batch, found.seeds) == (70, 30, 20)
    assert (found.cache, found.output) == (pathlib.Path("a"), pathlib.Path("b"))


def test_the_help_names_choices_units_and_defaults():
    text = " ".join(parser().format_help().split())
    for part in (
        "of: one; two, more (default: all)",
        "digits per update (default: 3)",
        "(default: 0.5)",
        "python examples/it.py",
    ):
        assert part in text, part
    some = Parser("")
    some.networks(["one", "two"], ["two"])
    some.training(steps=7, batch=3, unit="digits")
    some.add_argument("--task", default="far")
    some.folders(pathlib.Path("runs/it"), "task")
    text, found = " ".join(some.format_help().split()), some.parse_args([])
    assert "of: one; two (default: two)" in text and "(default: it/TASK)" in text
    assert found.networks == ["two"] and found.output == pathlib.Path("runs/it/far") and not hasattr(found, "seeds")


@pytest.mark.parametrize(
    "option, value",
    [
        ("--steps", "0"),
        ("--batch", "-1"),
        ("--seeds", "2.5"),
        ("--rate", "0"),
        ("--rate", "inf"),
        ("--dropout", "1.0"),
        ("--dropout", "nan"),
        ("--weight", "-0.1"),
        ("--weight", "inf"),
        ("--seed", "-1"),
        ("--seed", "4294967296"),
        ("--rate", "much"),
        ("--networks", "three"),
    ],
)
def test_wrong_values_are_named(option, value, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args([option, value])
    printed = capsys.readouterr().err
    assert f"argument {option}: " in printed and value in printed.split(f"argument {option}: ")[1]


def test_a_network_is_named_only_once(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["--networks", "one", "two, more", "one"])
    assert "--networks: the names must be different. Received: one; two, more; one" in capsys.readouterr().err
