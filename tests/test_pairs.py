"""The covering arrays that stand for full factorials."""

from itertools import combinations, product

import pytest

from tests.pairs import all_pairs


@pytest.mark.parametrize("axes", [("abc", "de", (1, 2)), ("abcd", (1, 2, 3), ("x", "y"), (True, False)), ("ab", "cd")])
def test_any_two_values_meet(axes):
    cases = all_pairs(*axes)
    assert set(cases) <= set(product(*axes)) and len(set(cases)) == len(cases)
    for i, j in combinations(range(len(axes)), 2):
        assert {(case[i], case[j]) for case in cases} == set(product(axes[i], axes[j]))


def test_three_axes_need_no_more_than_the_two_longest():
    assert len(all_pairs("abcd", "efg", "hi")) == 12
