"""Runs the conformance suites case by case, so that all tests of a case share one built layer."""

from tests.layers.cases import CASES


def pytest_collection_modifyitems(items):
    """Sorts the tests of the conformance suites by their case."""
    number = {id(case): i for i, case in enumerate(CASES)}

    def at(item):
        case = item.callspec.params.get("case") if hasattr(item, "callspec") else None
        return number.get(id(case), -1)

    slots = [i for i, item in enumerate(items) if item.path.name.startswith("test_conformance")]
    for slot, item in zip(slots, sorted((items[i] for i in slots), key=at)):
        items[slot] = item
