"""Every public signature is annotated, and its defaults are of the annotated types."""

import importlib
import inspect
import types
import typing

import keras
import numpy as np
import pytest

from keras_attention import PACKAGES
from keras_attention.decoding import greedy
from keras_attention.layers import MultiHeadAttention

PUBLIC = [
    (f"{package}.{name}", getattr(module, name))
    for package in (*PACKAGES, "export.serving")
    for module in [importlib.import_module(f"keras_attention.{package}")]
    for name in module.__all__
]
# What Keras calls, with arguments of its own.
BASES = (keras.Model, keras.Layer)


def is_signature(cls, name):
    """Whether users call this method of a public class: `call`, or one that the base class of Keras does not have."""
    base = next((base for base in BASES if issubclass(cls, base)), object)
    return name in ("__init__", "call") or not (name.startswith("_") or hasattr(base, name))


def is_ours(function):
    """Whether its source is in this library; the `__init__` of a dataclass has none."""
    return function.__module__.startswith("keras_attention") and function.__code__.co_filename != "<string>"


def methods(cls):
    """Yields the (name, function) of the methods and properties of a public class that this library defines."""
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if inspect.isfunction(function) and is_ours(function) and is_signature(cls, name):
            yield name, function


def signatures():
    """Yields (name, function) of everything that users call."""
    for name, thing in PUBLIC:
        if inspect.isclass(thing):
            yield from ((f"{name}.{method}", function) for method, function in methods(thing))
        elif callable(thing):
            yield name, thing


SIGNATURES = dict(signatures())


def missing(function):
    """The names of the parameters without an annotation, and `return`."""
    signature = inspect.signature(function)
    names = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    names = [name for name in names if name not in ("self", "cls")]
    return names + ["return"] * (signature.return_annotation is signature.empty)


def allows(annotation, value):
    """Whether `value`, a default, is of this type; an int is a float, a bool is no int. A tensor is no default."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(allows(argument, value) for argument in arguments)
    if annotation is typing.Any:
        return False
    if value is None or isinstance(value, bool):
        return annotation is type(value)
    if annotation is float:
        return isinstance(value, int | float)
    if isinstance(value, str | tuple) and origin is not None:  # a str is a sequence, but not of strings
        return isinstance(value, tuple) and isinstance(value, origin) and all(allows(arguments[0], x) for x in value)
    return inspect.isclass(annotation) and isinstance(value, annotation)


def wrong_defaults(function):
    """The names of the parameters whose default is not of the annotated type."""
    hints = typing.get_type_hints(function)
    defaults = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.default is not p.empty}
    return [name for name in defaults if name in hints and not allows(hints[name], defaults[name])]


def test_every_public_signature_is_annotated():
    found = {name: missing(function) for name, function in SIGNATURES.items()}
    assert len(found) > 400 and not {name: names for name, names in found.items() if names}


def test_defaults_are_of_the_annotated_types():
    found = {name: wrong_defaults(function) for name, function in SIGNATURES.items()}
    assert not {name: names for name, names in found.items() if names}


def test_the_methods_that_users_call_are_found():
    names = {"layers.MultiHeadAttention.__init__", "layers.MultiHeadAttention.call", "models.GPT.step"}
    names |= {"decoding.greedy", "layers.GatedRecurrentCell.from_keras", "layers.MultiHeadAttention.query_dense"}
    names |= {"export.serving.translation", "metrics.FrechetDistance.update_real", "training.TokenAccuracy.score"}
    assert names <= set(SIGNATURES)


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (int, [3], [None, True, 3.0, "3"]),
        (float, [3.0, 3], [None, True, "3"]),
        (bool, [True], [None, 1]),
        (int | None, [3, None], [3.0, False]),
        (typing.Any | None, [None], [3, True]),  # an optional tensor
        (typing.Any, [], [None, True]),
        (typing.Sequence[str], [("a", "b")], ["a", ("a", 1), None]),
        (str | typing.Sequence[int], ["a", (1, 2)], [("a",), 1, None]),
    ],
)
def test_wrong_defaults_are_found(annotation, right, wrong):
    assert all(allows(annotation, value) for value in right)
    assert not any(allows(annotation, value) for value in wrong)


def test_missing_annotations_are_found():
    def function(a, b: int = "3", *args, c: str = 1, **kwargs: typing.Any): ...

    assert missing(function) == ["a", "args", "return"]
    assert wrong_defaults(function) == ["b", "c"]
    assert not missing(greedy) and typing.get_type_hints(MultiHeadAttention.__init__)["num_heads"] is int
    assert np.ndarray is typing.get_type_hints(SIGNATURES["visualize.rollout"])["return"]
