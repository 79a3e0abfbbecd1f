import pytest

from tests.export import exported


@pytest.fixture(scope="session")
def writer(tmp_path_factory):
    """The tiny Transformer and the path of its export."""
    return exported.export_writer(tmp_path_factory.mktemp("writer"))
