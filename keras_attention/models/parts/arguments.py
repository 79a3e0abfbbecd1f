"""Argument checks of the models, which run before any layer is built."""

import difflib
import functools
import inspect

from keras_attention.ops.require import is_int, require_choice, require_int, require_number, require_pair

OF_KERAS = ("name", "trainable")  # what `keras.Model` takes besides inputs and outputs

optional_int = functools.partial(require_int, optional=True)
positive_number = functools.partial(require_number, above=0)


def checked(model, values, checks):
    """Checks all arguments of a model and returns them as a dict.

    Args:
        model: Class of the model, which passes its `**kwargs` to `keras.Model`.
        values: `locals()` at the beginning of its `__init__`.
        checks: Dict from argument name to a function (value, name) that returns the value to keep or raises.

    Raises:
        ValueError: If an argument is out of its range, or unknown.
    """
    require_known(model, values["kwargs"])
    return {name: checks[name](values[name], name) for name in own_arguments(model)}


def as_locals(model, arguments):
    """`locals()` at the beginning of `model.__init__(**arguments)`, for checks before the model is built."""
    defaults = {name: parameter.default for name, parameter in _parameters(model).items()}
    kwargs = {name: value for name, value in arguments.items() if name not in defaults}
    return {**defaults, **{name: value for name, value in arguments.items() if name in defaults}, "kwargs": kwargs}


def own_arguments(model):
    """Names of the arguments of a model class, without `dtype` and those of `keras.Model`."""
    return [name for name in _parameters(model) if name != "dtype"]


def require_known(model, kwargs):
    """Raises for keyword arguments that neither `model` nor `keras.Model` has. Keras would ignore them silently."""
    unknown = [name for name in kwargs if name not in OF_KERAS]
    if not unknown:
        return
    known = [*own_arguments(model), "dtype", *OF_KERAS]
    close = {name: difflib.get_close_matches(name, known, n=1) for name in unknown}
    named = ", ".join(f"`{name}`" + (f" (did you mean `{close[name][0]}`?)" if close[name] else "") for name in unknown)
    received = ", ".join(f"{name}={kwargs[name]!r}" for name in unknown)
    raise ValueError(f"`{model.__name__}` has no argument {named}. It has: {', '.join(known)}. Received: {received}")


def one_of(choices):
    """Returns a check that a value is one of `choices`."""
    return functools.partial(require_choice, choices=choices)


def int_or_pair(value, name, least=1):
    """Returns an int, or a pair of ints as a tuple, each at least `least`."""
    return (require_int if is_int(value) else require_pair)(value, name, least=least)


def numbers_of_blocks(value, name):
    """Returns the number of blocks of each stage as a list, the type that a loaded config has."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(
            f"`{name}` must be a list or tuple with the number of blocks of each stage. Received: {name}={value!r}"
        )
    return [require_int(number, name) for number in value]


def keywords(value, name):
    """Returns a copy of a dict of keyword arguments; `{}` for `None`."""
    if value is not None and not (isinstance(value, dict) and all(isinstance(key, str) for key in value)):
        raise ValueError(f"`{name}` must be `None` or a dict of arguments by name. Received: {name}={value!r}")
    return dict(value or {})


def require_heads(arguments):
    """Raises if `model_dim` is not divisible by `num_heads` and heads have no size of their own."""
    D, N = arguments["model_dim"], arguments["num_heads"]
    sizes = [arguments[name] for name in ("key_dim", "value_dim") if name in arguments]
    if (None in sizes or not sizes) and D % N:
        instead = ", or the size of a head (`key_dim`) be given" if sizes else ""
        raise ValueError(
            f"`model_dim` must be divisible by `num_heads`{instead}. Received: model_dim={D}, num_heads={N}"
        )


def _parameters(model):
    _, *parameters = inspect.signature(model.__init__).parameters.values()
    return {p.name: p for p in parameters if p.kind is not p.VAR_KEYWORD}


def require_room(prompt, max_length, positions):
    """Raises unless a prompt [B, P] and `max_length` tokens, of which the prompt's last is the first read, fit.

    Args:
        prompt: Tensor.
        max_length: Positive int.
        positions: Int, the number of learned positions, or `None`.
    """
    require_int(max_length, "max_length")
    if len(prompt.shape) != 2 or prompt.shape[1] == 0:
        raise ValueError(f"`prompt` must be [B, P] with P at least 1. Received: prompt.shape={tuple(prompt.shape)}")
    if None not in (prompt.shape[1], positions) and prompt.shape[1] - 1 + max_length > positions:
        raise ValueError(
            f"The prompt and `max_length` tokens must be at most {positions}, the number of learned positions. "
            f"Received: prompt.shape={tuple(prompt.shape)}, max_length={max_length}"
        )
