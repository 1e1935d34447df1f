"""`tessera serve` and real WebRTC peers: WHIP, WHEP, what becomes of pictures and sound, and of all afterwards."""

import asyncio
import re
import signal

import numpy
import pytest

import tools
from live import Peer, Picture, Server, Tone, ask, request, until

RED, BLUE = (81, 90, 240), (41, 240, 110)


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


def samples(peer: Peer, blocks: int = 25) -> numpy.ndarray:
    """The last half second a peer heard, as floats."""
    frames = [frame for _, frame in peer.frames["audio"][-blocks:]]
    return numpy.concatenate([frame.to_ndarray().reshape(-1, 2)[:, 0] for frame in frames]) / 32768


def picture(peer: Peer) -> numpy.ndarray:
    return peer.frames["video"][-1][1].to_ndarray(format="rgb24").astype(int)


def is_red(pixel) -> bool:
    return pixel[0] > 180 and pixel[1] < 90 and pixel[2] < 90


def is_blue(pixel) -> bool:
    return pixel[2] > 180 and pixel[0] < 90 and pixel[1] < 90


# --- media ---------------------------------------------------------------------------------------------------------


def test_what_is_published_is_watched(server):
    async def run():
        sender = await server.peer("whip").send(Picture(RED), Tone(440)).join()
        await sender.connected()
        watcher = await server.peer("whep").receive().join()
        await watcher.connected()
        await until(lambda: len(watcher.frames["audio"]) > 75 and len(watcher.frames["video"]) > 30, 15, "no media")
        # The bar is white wherever it is; the rest is red.
        await until(lambda: is_red(numpy.median(picture(watcher).reshape(-1, 3), axis=0)), 10, "not red")
        last = picture(watcher)
        await until(lambda: abs(picture(watcher) - last).max() > 100 if picture(watcher).shape == last.shape else True)
        await until(lambda: tools.tone_level(samples(watcher), 440) > 0.1, 20, "no tone")
        assert tools.tone_level(samples(watcher), 660) < 0.02
        states = {session["role"]: session for session in server.stats["sessions"]}
        assert states["publish"]["connection"] == states["watch"]["connection"] == "CONNECTED"
        assert states["publish"]["video"]["receives"] and not states["publish"]["video"]["sends"]
        assert (await sender.leave()).status == 200
        assert (await watcher.leave()).status == 200

    asyncio.run(run())


def test_over_one_connection_everybody_sees_all_and_hears_the_others(server):
    async def run():
        first = await server.peer("whip").send(Picture(RED), Tone(440), direction="sendrecv").join()
        second = await server.peer("whip").send(Picture(BLUE), Tone(660), direction="sendrecv").join()
        await first.connected()
        await second.connected()
        await until(lambda: all(len(p.frames["audio"]) > 100 and len(p.frames["video"]) > 30
                                for p in (first, second)), 15, "no media")
        for peer, own, other in ((first, 440, 660), (second, 660, 440)):
            await until(lambda: tools.tone_level(samples(peer), other) > 0.1, 20, "the other is not heard")
            assert tools.tone_level(samples(peer), own) < 0.02

            def both() -> bool:
                seen = picture(peer)
                left, right = seen[:, :seen.shape[1] // 2], seen[:, seen.shape[1] // 2:]
                return (is_red(numpy.median(left.reshape(-1, 3), axis=0))
                        and is_blue(numpy.median(right.reshape(-1, 3), axis=0)))

            await until(both, 10, "two halves are not there")
        for peer in (first, second):
            await peer.leave()

    asyncio.run(run())


def test_a_stage_takes_one_peer_and_records_it(tmp_path):
    file = tmp_path / "stage.webm"
    document = tools.REPOSITORY / "Tests/Acceptance/documents/live-stage.json"

    async def run(server):
        sender = await server.peer("whip", "stage").send(Picture(RED), Tone(440)).join()
        await sender.connected()
        watcher = await server.peer("whep", "stage").receive().join()
        second = await ask("POST", f"{server.url}/whip/stage", await Peer("").send(Tone()).offer(),
                           Content_Type="application/sdp")
        assert second.status == 409 and "one at a time" in second.text
        await until(lambda: len(watcher.frames["video"]) > 60 and len(watcher.frames["audio"]) > 100, 15, "no media")
        assert watcher.frames["video"][-1][1].width == 640
        await sender.leave()
        again = await server.peer("whip", "stage").send(Tone()).join()
        assert again.answer.status == 201
        await again.leave()
        await watcher.close()

    with Server(document, *tools.settings(output=file)) as server:
        asyncio.run(run(server))
        assert server.end().status == 0
    found = tools.probe(file)
    assert found["video"][0]["codec_name"] == "vp8" and found["audio"][0]["codec_name"] == "opus"
    assert found["duration"] > 1.5


def test_a_room_is_recorded_until_the_end(tmp_path):
    file = tmp_path / "room.webm"

    async def run(server):
        peer = await server.peer("whip").send(Picture(BLUE), Tone(440)).join()
        await peer.connected()
        await asyncio.sleep(2.5)
        await peer.leave()

    with Server("pipelines/live-grid.json", *tools.settings(record=file)) as server:
        asyncio.run(run(server))
        assert server.end().status == 0
    found = tools.assert_sound_file(file)
    assert found["video"][0]["width"] == 1280 and found["duration"] > 2
    heard = tools.sound(file)
    assert max(tools.tone_level(heard[start:start + 9600], 440) for start in range(0, len(heard) - 9600, 9600)) > 0.1


# --- the protocol --------------------------------------------------------------------------------------------------


def test_trickle(server):
    async def run():
        peer = server.peer("whip").send(Tone())
        offer = await peer.offer()
        found = re.findall(r"a=(candidate:[^\r\n]*)", offer)
        bare = re.sub(r"a=(candidate:|end-of-candidates)[^\r\n]*\r\n", "", offer)
        answer = await ask("POST", peer.url, bare, Content_Type="application/sdp")
        assert answer.status == 201 and "a=candidate:" in answer.text
        assert answer.headers["ETag"] and answer.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        session = server.url + answer.headers["Location"]
        ufrag, password = (re.search(f"a={name}:([^\r\n]*)", offer)[1] for name in ("ice-ufrag", "ice-pwd"))
        head = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
        lines = head + "".join(f"a={line}\r\n" for line in found) + "a=end-of-candidates\r\n"
        kind, tag = {"Content_Type": "application/trickle-ice-sdpfrag"}, {"If_Match": answer.headers["ETag"]}
        assert (await ask("PATCH", session, lines, **kind)).status == 428
        assert (await ask("PATCH", session, lines, If_Match='"other"', **kind)).status == 412
        assert (await ask("PATCH", session, lines, Content_Type="text/plain", **tag)).status == 415
        assert (await ask("PATCH", session, "nonsense", **kind, **tag)).status == 400
        assert (await ask("PATCH", session + "0", lines, **kind, **tag)).status == 404
        assert (await ask("PATCH", session, lines, **kind, **tag)).status == 204
        await peer.connection.setRemoteDescription(type(peer.connection.localDescription)(answer.text, "answer"))
        await peer.connected()
        # A restart gives new credentials and another tag; the old one is stale from then on.
        other = "a=ice-ufrag:newname\r\na=ice-pwd:0123456789012345678901\r\n"
        assert (await ask("PATCH", session, other, **kind, **tag)).status == 409
        restarted = await ask("PATCH", session, other, If_Match="*", **kind)
        assert restarted.status == 200 and restarted.headers["ETag"] != answer.headers["ETag"]
        assert re.search("a=ice-ufrag:(.*)", restarted.text)[1] not in answer.text
        assert len(re.findall("a=candidate:", restarted.text)) == len(re.findall("a=candidate:", answer.text))
        assert (await ask("PATCH", session, lines, **kind, **tag)).status == 412
        assert (await ask("DELETE", session)).status == 200
        assert (await ask("DELETE", session)).status == 404
        await peer.close()

    asyncio.run(run())


def test_what_is_refused_and_how(server):
    async def watching() -> str:
        return await Peer("").receive().offer()

    offer = asyncio.run(watching())
    sdp = {"Content_Type": "application/sdp"}
    cases = [
        ("POST", "/whip/grid", "hello", sdp, 400, "no SDP offer"),
        ("POST", "/whip/grid", "", sdp, 400, "empty"),
        ("POST", "/whip/grid", offer, sdp, 422, "sends neither"),
        ("POST", "/whip/grid", offer, {"Content_Type": "text/plain"}, 415, "application/sdp"),
        ("POST", "/whip/grid", offer, {**sdp, "Accept": "text/html"}, 406, "application/sdp"),
        ("POST", "/whip/gird", offer, sdp, 404, "did you mean 'grid'"),
        ("POST", "/whep/grid", "v=0\r\n" + "a=x\r\n" * 80_000, sdp, 413, "bytes"),
        ("GET", "/whip/grid", None, {}, 405, "POST"),
        ("POST", "/stats", "", {}, 405, "only be read"),
        ("GET", "/nothing", None, {}, 404, "nothing"),
    ]
    for method, path, body, headers, status, words in cases:
        answer = request(method, server.url + path, body, **headers)
        assert answer.status == status and words in answer.text, f"{method} {path}: {answer.status} {answer.text}"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    unknown = re.sub(r"(?m)^a=(rtpmap:\d+) .*$", r"a=\1 nobody/90000", offer)
    answer = request("POST", server.url + "/whep/grid", unknown, **sdp)
    assert answer.status == 422 and "no codec in common" in answer.text


def test_preflight(server):
    answer = request("OPTIONS", server.url + "/whip/grid", Origin="https://elsewhere.example")
    assert answer.status == 204 and answer.headers["Accept-Post"] == "application/sdp"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]


def test_token_and_servers():
    servers = ("--token", "secret", "--stun", "127.0.0.1:9", "--turn", "me:pass@127.0.0.1:9?transport=tcp",
               "--turn", "me:pass@127.0.0.1:9?transport=tls")

    async def run(server):
        offer = await Peer("").send(Tone()).offer()
        sdp = {"Content_Type": "application/sdp"}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
            answer = await ask("POST", f"{server.url}/whip/grid", offer, **sdp, **headers)
            assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert request("GET", server.url + "/stats").status == 401
        peer = await server.peer("whip", token="secret").send(Tone()).join()
        links = peer.answer.headers.get_all("Link")
        assert links[0] == '<stun:127.0.0.1:9>; rel="ice-server"'
        assert links[1] == ('<turn:127.0.0.1:9?transport=tcp>; rel="ice-server"; username="me"; credential="pass"; '
                            'credential-type="password"')
        assert links[2].startswith("<turns:127.0.0.1:9?transport=tcp>")
        await peer.connected()
        assert request("DELETE", peer.session).status == 401
        assert (await peer.leave()).status == 200

    with Server("pipelines/live-grid.json", *servers) as server:
        asyncio.run(run(server))


# --- afterwards ----------------------------------------------------------------------------------------------------


def test_twenty_joins_and_leaves_leave_nothing(server):
    async def one(number):
        role = "whip" if number % 2 else "whep"
        peer = server.peer(role)
        peer = peer.send(Picture(size=(160, 120)), Tone()) if role == "whip" else peer.receive()
        await peer.join()
        if number % 3:
            await peer.connected()
        # Some say good-bye, some only close, which their DTLS tells; some go at once and never connect.
        await (peer.close() if number % 3 == 1 else peer.leave())

    async def run():
        await until(lambda: not server.stats["sessions"], 40, "sessions of other tests are left")
        before = server.stats
        for start in range(0, 20, 5):
            await asyncio.gather(*(one(number) for number in range(start, start + 5)))
        await until(lambda: not server.stats["sessions"], 10, "sessions are left")
        after = server.stats
        assert after["joined"] - before["joined"] == 20 and after["left"] - before["left"] == 20
        assert after["elements"] == before["elements"]

    asyncio.run(run())


def test_the_room_is_full():
    async def run(server):
        peers = [await server.peer("whip").send(Tone()).join() for _ in range(2)]
        answer = await ask("POST", f"{server.url}/whip", await Peer("").send(Tone()).offer(),
                           Content_Type="application/sdp")
        assert answer.status == 503 and answer.headers["Retry-After"] and "2 places" in answer.text
        for peer in peers:
            await peer.leave()

    with Server("pipelines/live-grid.json", "--peers", 2) as server:
        asyncio.run(run(server))


@pytest.mark.parametrize("arguments, words", [
    (["pipelines/live-grid.json", "--port", "x"], "--port is “x”"),
    (["pipelines/live-grid.json", "--https-port", "0"], "self-signed"),
    (["pipelines/live-grid.json", "--certificate", "x.pem"], "x.pem"),
    (["pipelines/live-grid.json", "--key", "x.pem"], "certificate is missing"),
    (["pipelines/live-grid.json", "--turn", "nobody"], "user:password@"),
    (["pipelines/live-grid.json", "--turn", "turns:me:pass@127.0.0.1:9?transport=udp"], "user:password@"),
    (["pipelines/live-grid.json", "--turn-ca", "README.md"], "no certificate"),
    (["pipelines/live-grid.json", "--turn-ca", "nowhere.pem"], "nowhere.pem"),
    (["pipelines/live-grid.json", "--stun", "127.0.0.1"], "HOST:PORT"),
    (["pipelines/live-grid.json", "--ports", "9-1"], "40000-40100"),
    (["pipelines/live-grid.json", "--interface", "nowhere0"], "no such interface"),
    (["pipelines/live-grid.json", "--external-ip", "me"], "IP address"),
    (["pipelines/grid.json", "--set", "inputs=a.webm", "--set", "output=b.webm"], "has no doors"),
    (["--set", "record=x.webm"], "pipeline document"),
    (["--path", "/kurento?x"], "--path is “/kurento?x”"),
])
def test_wrong_usage(arguments, words):
    done = tools.tessera("serve", *arguments, timeout=20)
    assert done.status == 2 and words in done.err, done.err


def test_a_port_that_is_taken(server):
    port = server.url.rsplit(":", 1)[1]
    done = tools.tessera("serve", "pipelines/live-grid.json", "--port", port, timeout=20)
    assert done.status == 2 and f"0.0.0.0:{port}" in done.err and "in use" in done.err


def test_run_sends_to_serve():
    done = tools.tessera("run", "pipelines/live-grid.json", timeout=20)
    assert done.status == 2 and "tessera serve" in done.err


def test_interrupted():
    with Server() as server:
        assert server.end(signal.SIGINT).status == 130
        server.result.status = 0
