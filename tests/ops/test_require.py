"""What is not among the choices is refused by name."""

import pytest

from keras_attention.ops.require import require_choice


@pytest.mark.parametrize("choices", [("sum", "mean", None), {"sum": 1, "mean": 2, None: 3}])
def test_only_what_is_among_the_choices_is_taken(choices):
    for value in ("sum", None):
        require_choice(value, "pool", choices)
    with pytest.raises(ValueError, match=r"`pool` must be one of \('sum', 'mean', None\)\. Received: pool='max'"):
        require_choice("max", "pool", choices)
