import numpy as np
import pytest
from keras import ops

from keras_attention.training.padding import not_padding, require_padding_id


def test_the_mask_is_true_where_tokens_are_not_padding():
    tokens = np.array([[4, 0, 9]])
    assert ops.convert_to_numpy(not_padding(tokens, 0)).tolist() == [[True, False, True]]
    assert ops.convert_to_numpy(not_padding(tokens, 9)).tolist() == [[True, True, False]]
    assert ops.convert_to_numpy(not_padding(tokens, None)).tolist() == [[True, True, True]]


@pytest.mark.parametrize("bad", ["0", 1.0, True])
def test_padding_ids_that_are_no_integers_are_refused(bad):
    with pytest.raises(ValueError, match="`padding_id` must be an int"):
        require_padding_id(bad)


def test_padding_ids_become_plain_integers():
    assert require_padding_id(None) is None
    assert type(require_padding_id(np.int64(3))) is int
