"""Fixtures of the acceptance tests. See CONTRIBUTING.md for how to run them."""

import sys

import pytest

import tools

sys.path.insert(0, str(tools.REPOSITORY / "script"))
import clips as demonstration  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also run what takes minutes")
    parser.addoption("--write", action="store_true", help="also write tables into docs/")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes minutes; run with --long")


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """The nine demonstration clips, four seconds each, in the order of `demonstration.CLIPS`."""
    return demonstration.make(tmp_path_factory.mktemp("clips"), 4)
