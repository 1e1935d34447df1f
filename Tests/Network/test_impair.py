"""Chromium behind bad networks: docs/robustness.md has the table. What is asserted here leaves room for a busy machine;
`script/impair` on an idle one tells how smooth it is."""

import pathlib

import pytest

import impair
import peers
import space

needs_relay = pytest.mark.skipif(
    not pathlib.Path(impair.relay_program()).exists(), reason="build the relay first: swift build -c release "
    "--product relay")


@pytest.fixture(scope="module")
def server():
    with impair.serving() as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    with peers.Chromium() as running:
        yield running


@needs_relay
@pytest.mark.parametrize("way", impair.WAYS)
@pytest.mark.parametrize("network", ["loss-10", "outage", "moves"])
def test_relay(server, chromium, network, way):
    row = impair.try_one(server, chromium, chromium, network, way)
    print(impair.table([row]))
    assert row["rate"] > 0.4 * row["drawn"], row
    if network != "loss-10":
        assert row["back"] is not None and row["back"] < 4, row


@pytest.mark.skipif(space.missing() is not None, reason=space.missing() or "")
@pytest.mark.parametrize("network", ["loss-10", "outage", "moves"])
def test_filter(network):
    row = impair.try_filter(network)
    print(impair.table([row]))
    assert row["rate"] > 0.4 * row["drawn"], row
    if network != "loss-10":
        assert row["back"] is not None and row["back"] < 4, row
