"""Refusing wrong arguments by name, whatever room they are given in."""


def require_choice(value, name, choices):
    """Raises unless `value` is one of `choices`, any collection."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
