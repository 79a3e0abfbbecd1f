"""What is not among the choices is refused by name."""

import numpy as np
import pytest

from keras_attention.ops.require import require_choice, require_classes


@pytest.mark.parametrize("choices", [("sum", "mean", None), {"sum": 1, "mean": 2, None: 3}])
def test_only_what_is_among_the_choices_is_taken(choices):
    for value in ("sum", None):
        require_choice(value, "pool", choices)
    with pytest.raises(ValueError, match=r"`pool` must be one of \('sum', 'mean', None\)\. Received: pool='max'"):
        require_choice("max", "pool", choices)


def test_classes_that_there_are_not_are_refused():
    require_classes(np.array([0, 3]), 4)
    require_classes(np.array([], "int32"), 4)
    for label, found in (([0, 4], "0 to 4"), ([-1, 2], "-1 to 2")):
        with pytest.raises(ValueError, match=rf"`label` must be from 0 to 3 \(`num_classes=4`\). Received.* {found}"):
            require_classes(np.array(label), 4)
