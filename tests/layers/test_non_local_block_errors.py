"""Errors of NonLocalBlock, by name."""

import numpy as np
import pytest

from keras_attention.layers import NonLocalBlock
from tests.layers.helpers import random


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("pairwise", {"pairwise": "cosine"}),
        ("reduction", {"reduction": 0}),
        *[("extent", {"extent": extent}) for extent in ("frame", 0)],
        ("pool", {"pool": "between"}),
        *[("scale", options) for options in ({"scale": 2.0}, {"pairwise": "dot_product", "scale": "inv_sqrt"})],
        ("data_format", {"data_format": "channels"}),
    ],
)
def test_bad_arguments_by_name(name, kwargs):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        NonLocalBlock(**kwargs)


@pytest.mark.parametrize(
    ("name", "kwargs", "shape"),
    [
        *[("inputs", {}, shape) for shape in ((2, 6), (2, 5, 7, None))],
        ("extent", {"extent": "space"}, (2, 5, 7, 6)),
        ("extent", {"extent": 3}, (2, 4, 5, 7, 6)),
        *[("pool", {}, shape) for shape in ((2, 1, 7, 6), (2, 4, 5, 1, 6))],
    ],
)
def test_bad_shapes_by_name(name, kwargs, shape):
    with pytest.raises(ValueError, match=f"`{name}`"):
        NonLocalBlock(**kwargs).build(shape)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="`mask`"):
        NonLocalBlock()(random(2, 5, 7, 6), mask=np.ones((2, 7), bool))
