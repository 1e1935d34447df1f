"""Other people's WebRTC peers. The quick ones here; `--long` runs the matrix of docs/interop.md and a room."""

import re

import pytest

import matrix
import peers
import room
from live import Server

QUICK = [
    (peers.Chromium, "VP8", "opus", "both"),
    (peers.Chromium, "H264", "G722", "both"),
    (peers.Chromium, "AV1", "PCMU", "receive"),
    (peers.Chromium, "VP8", "opus", "answers"),
    (peers.FirefoxPeers, "VP8", "opus", "both"),
    (peers.FirefoxPeers, "VP9", "PCMA", "both"),
    (peers.FirefoxPeers, "AV1", "G722", "answers"),
    (peers.GStreamer, "VP8", "opus", "both"),
    (peers.GStreamer, "H264", "PCMU", "receive"),
    (peers.WHIPClient, "VP8", "opus", "send"),
    (peers.FFmpeg, "VP8", "opus", "send"),
    (peers.FFmpeg, "H264", "G722", "answers"),
]


@pytest.fixture(scope="module")
def server():
    with Server("Tests/Browser/documents/loops.json") as running:
        yield running


@pytest.fixture(scope="module")
def reference():
    with peers.Aiortc() as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    with peers.Chromium() as running:
        yield running


@pytest.fixture(scope="module")
def firefox():
    with peers.FirefoxPeers() as running:
        yield running


@pytest.fixture(scope="module")
def gstreamer():
    with peers.GStreamer() as running:
        yield running


@pytest.fixture(scope="module")
def whipclient():
    with peers.WHIPClient() as running:
        yield running


@pytest.fixture(scope="module")
def ffmpeg():
    with peers.FFmpeg() as running:
        yield running


def maker(kind, request):
    return request.getfixturevalue(kind.__name__.lower().removesuffix("peers"))


@pytest.mark.parametrize("kind, video, audio, direction", QUICK, ids=lambda value: getattr(value, "name", value))
def test_peer(request, server, reference, kind, video, audio, direction):
    found = matrix.try_one(server, maker(kind, request), reference, direction, video, audio)
    assert found == {"video": None, "audio": None}


@pytest.mark.parametrize("codec", ["VP8", "H264", "AV1"])
def test_colours(server, reference, chromium, codec):
    """Chromium sends canvases in BT.709 with full range; in the grid they have the colours they were drawn in."""
    sender, watcher = chromium.peer(server), reference.peer(server)
    try:
        sender.start(f"{server.url}/whip/grid", "sendonly", codec, None)
        watcher.start(f"{server.url}/whep/grid", "recvonly", "VP8", None)
        found, seen = matrix.wait(watcher, codec, None, matrix.PATIENCE)
        assert not found["video"], found
        for side, wanted in (("left", peers.mark.RED), ("right", peers.mark.BLUE)):
            assert max(abs(a - b) for a, b in zip(seen["video"][side], wanted)) < 15, seen["video"]
    finally:
        sender.stop()
        watcher.stop()


@pytest.mark.parametrize("kind, most", [(peers.Chromium, 262_144), (peers.FirefoxPeers, 1_048_576)],
                         ids=["Chromium", "Firefox"])
def test_messages(request, server, kind, most):
    """Back comes what was sent. Chromium sends and takes 256 KiB at most, whatever is announced."""
    peer = maker(kind, request).peer(server)
    try:
        peer.start(f"{server.url}/whip/loop", "sendrecv", "VP8", "opus", channel=True)
        answer = peer.page.evaluate("async () => peer.accepted")
        assert int(re.search(r"a=max-message-size:(\d+)", answer)[1]) >= 1 << 20
        for length, is_text in ((12, True), (1200, False), (65_538, True), (most, False), (most // 6 * 6, True)):
            took = peer.page.evaluate(f"async () => peer.echo({length}, {str(is_text).lower()})")
            assert isinstance(took, (int, float)), f"{length} {'characters' if is_text else 'bytes'}: {took}"
            print(f"{kind.name}: {length} {'text' if is_text else 'binary'} in {took:.0f} ms")
    finally:
        peer.stop()


@pytest.mark.long
@pytest.mark.parametrize("kind", peers.ALL, ids=lambda kind: kind.name)
def test_matrix(request, server, reference, kind):
    under = reference if kind is peers.Aiortc else maker(kind, request)
    cells = matrix.run(server, under, reference)
    print(matrix.table({under.name: cells}))
    assert not {key: cell for key, cell in cells.items() if "FAILED" in cell}


@pytest.mark.long
def test_room(server, chromium, firefox, tmp_path):
    rows = room.gather(server, [chromium] * 4 + [firefox], tmp_path)
    print(room.table(rows))
    print(f"pages: {tmp_path}")
    for row in rows:
        for tile, wanted in zip(row["left"], room.SHADES):
            assert peers.mark.is_near(tile, map(int, re.findall(r"\d+", wanted))), row
        assert min(row["seen"]) >= 27, row
        assert min(row["others"]) > 0.9 and row["own"] < 0.1, row
