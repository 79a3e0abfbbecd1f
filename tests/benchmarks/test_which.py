"""The tables of docs/which.md are those that the layers have now."""

import pytest
import tables
import which


def test_numbers_have_the_digits_of_a_table():
    assert [which.number(x) for x in (0.00123, 9.87, 10.4, 21474.8)] == ["0.0012", "9.9", "10", "21,475"]


@pytest.mark.slow  # formulas of 22 layers: about ten seconds
@pytest.mark.parametrize("name", which.TABLES)
def test_page_has_the_costs_of_the_layers(name):
    page = which.PAGE.read_text()
    assert tables.between(page, name, which.table(which.TABLES[name]())) == page
