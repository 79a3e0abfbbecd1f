"""Argument validation: each function returns the value, or raises a `ValueError` that names the argument.

NumPy numbers come back as plain Python ones, so that a configuration can be serialized.
"""

import math
import numbers

import keras
import numpy as np

SEEDS = 2 ** (31 if keras.backend.backend() == "torch" else 32)  # Keras takes smaller ones only


def require_int(value, name, optional=False, least=1, odd=False):
    """Returns `value`, an int of at least `least` (and odd, if `odd`); or `None`, if `optional`."""
    if optional and value is None:
        return None
    if not is_int(value) or value < least or (odd and not value % 2):
        expected = "a positive int" if least == 1 else f"an int of at least {least}"
        expected = f"{expected}, and odd" if odd else expected
        none = "`None` or " if optional else ""
        raise ValueError(f"The argument `{name}` must be {none}{expected}. Received: {name}={value!r}")
    return int(value)


def require_size(value, name="size"):
    """Returns `value`, (rows, columns) of an image, as a tuple of two positive ints."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(is_int(n) and n > 0 for n in value):
        raise ValueError(f"`{name}` must be (rows, columns), two positive ints. Received: {name}={value!r}")
    return tuple(int(n) for n in value)


def require_ints(value, name, least=None):
    """Returns `value`, an int or a list or tuple of ints (of at least `least`), as a tuple; `None` stays `None`."""
    if value is None or (isinstance(value, list | tuple) and not value):
        return None
    values = (value,) if is_int(value) else value
    if not isinstance(values, list | tuple) or not all(is_int(v) and (least is None or v >= least) for v in values):
        bound = "" if least is None else f" of at least {least}"
        raise ValueError(
            f"The argument `{name}` must be `None`, an int or a tuple of ints{bound}. Received: {name}={value!r}"
        )
    return tuple(int(v) for v in values)


def require_pair(value, name, least=1):
    """Returns two ints (rows, columns) of at least `least`; one int stands for both."""
    pair = (value, value) if is_int(value) else value
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(is_int(n) and n >= least for n in pair):
        raise ValueError(
            f"The argument `{name}` must be two ints (rows, columns), each at least {least}, or one for both. "
            f"Received: {name}={value!r}"
        )
    return tuple(int(n) for n in pair)


def require_bool(value, name, optional=False):
    """Returns `value`, a bool (or `None`, if `optional`). A string is refused: even "False" is truthy."""
    if optional and value is None:
        return None
    if not isinstance(value, bool | np.bool_):
        expected = "`None`, `True` or `False`" if optional else "`True` or `False`"
        raise ValueError(f"The argument `{name}` must be {expected}. Received: {name}={value!r}")
    return bool(value)


def require_number(value, name, optional=False, least=-math.inf, above=-math.inf):
    """Returns `value`, a finite number (of at least `least` and greater than `above`); or `None`, if `optional`."""
    if optional and value is None:
        return None
    if not is_number(value) or not math.isfinite(value) or not (value >= least and value > above):
        bound = f" greater than {above}" if above > -math.inf else f" of at least {least}" if least > -math.inf else ""
        none = "`None` or " if optional else ""
        raise ValueError(f"The argument `{name}` must be {none}a finite number{bound}. Received: {name}={value!r}")
    return _plain(value)


def require_rate(value, name):
    """Returns `value`, a number in [0, 1)."""
    if not is_number(value) or not 0 <= value < 1:
        raise ValueError(f"The argument `{name}` must be a float in [0, 1). Received: {name}={value!r}")
    return _plain(value)


def require_seed(value, name="seed", generator=False):
    """Returns `value`, `None` or an int that Keras takes as a seed (or a generator, or a tensor: one, or one a row)."""
    if value is None or (generator and (isinstance(value, keras.random.SeedGenerator) or _is_integer_tensor(value))):
        return value
    if not is_int(value) or not 0 <= value < SEEDS:
        others = "`None`, a `keras.random.SeedGenerator`, an integer tensor, a scalar or [B], or an int"
        expected = others if generator else "`None` or an int"
        raise ValueError(f"The argument `{name}` must be {expected} from 0 to {SEEDS - 1}. Received: {name}={value!r}")
    return int(value)


def _is_integer_tensor(value):
    if not keras.ops.is_tensor(value) or len(value.shape) > 1:
        return False
    return "int" in keras.backend.standardize_dtype(value.dtype)


def require_choice(value, name, choices):
    """Returns the entry of `choices`, any collection, that equals `value`."""
    choices = tuple(choices)
    for choice in choices:
        if _equal(value, choice):
            return choice
    raise ValueError(f"The argument `{name}` must be one of {choices}. Received: {name}={value!r}")


def require_data_format(value):
    """Returns `value`, a data format; for `None`, Keras's global one."""
    value = keras.config.image_data_format() if value is None else value
    return require_choice(value, "data_format", ("channels_last", "channels_first"))


def require_classes(label, num_classes):
    """Raises unless all of `label`, a NumPy array, are classes from 0 to `num_classes` - 1.

    Only arrays can be checked: in a compiled step a class out of range gives an error of TensorFlow's, or NaN on JAX.
    """
    if np.size(label) and (np.min(label) < 0 or np.max(label) >= num_classes):
        raise ValueError(
            f"`label` must be from 0 to {num_classes - 1} (`num_classes={num_classes}`). "
            f"Received: labels from {np.min(label)} to {np.max(label)}"
        )


def is_int(value):
    """Whether `value` is an int of Python or NumPy. A bool is not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_number(value):
    """Whether `value` is a real number of Python or NumPy. A bool is not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _equal(value, choice):
    """Whether the two are equal. A bool equals no int, and an array, whose `==` is an array, equals nothing."""
    if isinstance(value, bool | np.bool_) != isinstance(choice, bool):
        return False
    return isinstance(value, str | numbers.Integral | np.bool_ | None) and bool(value == choice)


def _plain(value):
    return int(value) if is_int(value) else float(value)
