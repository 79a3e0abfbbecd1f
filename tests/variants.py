"""Variants of a test, of which some are enough for everyday runs."""

import pytest


def variants(values, *quick):
    """Parameters of a test: names, or the values of a dict with its keys as names. Those not in `quick` are slow."""
    named = values if isinstance(values, dict) else {name: name for name in values}
    assert set(quick) <= set(named), f"unknown: {set(quick) - set(named)}"
    return [
        pytest.param(value, id=str(name), marks=() if name in quick else pytest.mark.slow)
        for name, value in named.items()
    ]
