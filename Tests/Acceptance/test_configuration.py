"""The settings of `tessera serve`: effects, places where they are set, wrong values."""

import asyncio
import json
import os
import re
import socket
import subprocess
import urllib.parse

import pytest
import websockets

import live
import tools
from rpc import Client

MANAGER = "manager_ServerManager"


def listing(*arguments, environment={}, config=None):
    """What `tessera configuration` says, by setting."""
    prefix = ("env", *(f"{name}={value}" for name, value in environment.items()))
    extra = ("--config", str(config)) if config else ()
    done = tools.tessera("configuration", *extra, *arguments, prefix=prefix, timeout=20)
    assert done.status == 0, done.err
    return {line.split()[0]: line for line in done.out.splitlines()}, done.err


def control(server):
    return server.url.replace("http", "ws", 1) + "/kurento"


def run(server, body, url=None):
    async def with_client():
        async with Client(url or control(server)) as client:
            return await body(client)

    return asyncio.run(with_client())


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- the places ----------------------------------------------------------------------------------------------------


def names():
    text = (tools.REPOSITORY / "docs" / "configuration.md").read_text()
    return re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)


# A right value of each, and a wrong one (None: any text is right).
VALUES = {
    "port": ("0", "x"), "address": ("127.0.0.1", "here"), "path": ("/api", "/a?b"), "https-port": ("0", "-1"),
    "certificate": (None, "nowhere.pem"), "key": (None, "nowhere.pem"), "self-signed": ("true", "maybe"),
    "media-port": ("0", "70000"), "ports": ("40000-40100", "9-1"), "interface": ("lo", None),
    "external-ip": ("203.0.113.7", "me"), "stun": ("127.0.0.1:3478", "127.0.0.1"),
    "turn": ("me:pass@127.0.0.1:3478", "nobody"), "turn-ca": (None, "README.md"), "ice-tcp": ("false", "perhaps"),
    "mtu": ("1000", "100"), "post-port": ("0", "x"), "token": ("secret", None),
    "allow-origin": ("https://example.org", None), "read-folder": ("/tmp", "/nowhere"),
    "write-folder": ("/tmp", "/nowhere"), "allow-scheme": ("file", "gopher"), "default-path": ("/tmp/", "clips"),
    "peers": ("2", "0"), "connections": ("10", "0"), "sessions": ("10", "many"), "objects": ("10", "0"),
    "message-bytes": ("2048", "1"), "requests-per-second": ("5", "0"), "collector-period": ("5", "0"),
    "metadata": ('{"a":1}', "{"), "dot-folder": ("/tmp", "/nowhere"), "workers": ("1", "0"), "log": ("info", "loud"),
}


def test_every_setting_is_known_here():
    assert sorted(VALUES) == sorted(names())


def test_every_setting_in_every_place(tmp_path):
    right = {name: value for name, (value, _) in VALUES.items() if value is not None}
    file = tmp_path / "tessera.json"
    numbers = {"port", "https-port", "media-port", "mtu", "post-port", "peers", "connections", "sessions", "objects",
               "message-bytes", "requests-per-second", "collector-period", "workers"}
    plain = {name: int(value) if name in numbers else {"true": True, "false": False}.get(value, value)
             for name, value in right.items()}
    plain["metadata"] = {"a": 1}
    file.write_text("// a comment\n" + json.dumps(plain))
    found, _ = listing(config=file)
    assert set(found) == set(right) and all(str(file) in line for line in found.values())
    variables = {"TESSERA_" + name.upper().replace("-", "_"): value for name, value in right.items()}
    found, _ = listing(environment=variables)
    assert set(found) == set(right)
    assert all("environment variable TESSERA_" in line for line in found.values())
    options = []
    for name, value in right.items():
        flags = {"true": [f"--{name}"], "false": [f"--{name}=false"]}
        options += flags.get(value, [f"--{name}", value])
    found, _ = listing(*options, config=file)
    assert set(found) == set(right) and all("command line" in line for line in found.values())
    assert "secret" not in found["token"] and "pass" not in found["turn"]


@pytest.mark.parametrize("name", [name for name, (_, wrong) in VALUES.items() if wrong is not None])
def test_a_wrong_value_is_named(name):
    wrong = VALUES[name][1]
    variable = "TESSERA_" + name.upper().replace("-", "_")
    done = tools.tessera("configuration", timeout=20, prefix=("env", f"{variable}={wrong}"))
    assert done.status == 2 and (name in done.err or wrong in done.err), done.err


def test_a_wrong_name_is_named(tmp_path):
    file = tmp_path / "tessera.json"
    file.write_text('{\n  "media-prot": 1 }')
    done = tools.tessera("configuration", "--config", file, timeout=20)
    assert done.status == 2 and "line 2" in done.err and "media-port" in done.err


def test_names_of_kurento():
    found, _ = listing(environment={
        "KMS_MIN_PORT": 5000, "KMS_MAX_PORT": 5050, "KMS_EXTERNAL_IPV4": "198.51.100.1", "KMS_ICE_TCP": 0,
        "KMS_STUN_IP": "127.0.0.1", "KMS_STUN_PORT": 19302, "KMS_TURN_URL": "me:pass@127.0.0.1:3478", "KMS_MTU": 1000,
        "KMS_NETWORK_INTERFACES": "lo", "TESSERA_MTU": 1100,
    })
    assert "5000-5050" in found["ports"] and "198.51.100.1" in found["external-ip"]
    assert "127.0.0.1:19302" in found["stun"] and "turn" in found and " lo " in found["interface"]
    assert "1100" in found["mtu"] and "TESSERA_MTU" in found["mtu"]
    _, words = listing(environment={"KMS_EXTERNAL_IPV4": "auto"})
    assert "KMS_EXTERNAL_IPV4" in words


def test_the_reference_is_current():
    """`TESSERA_UPDATE_GOLDENS=1` writes it anew."""
    done = tools.tessera("configuration", "--markdown", timeout=20)
    file = tools.REPOSITORY / "docs" / "configuration.md"
    if os.environ.get("TESSERA_UPDATE_GOLDENS") == "1":
        file.write_text(done.out)
    assert file.read_text() == done.out, "tessera configuration --markdown > docs/configuration.md"


# --- the effects ---------------------------------------------------------------------------------------------------


async def trouble(client, pipeline, kind, uri, start):
    """The reason of the error that playing or recording there gives; None if there is none."""
    element = await client.create(kind, mediaPipeline=pipeline, uri=uri)
    await client.subscribe(element, "Error")
    answer = await client.ask("invoke", object=element, operation=start, operationParams={})
    if "error" in answer:
        return answer["error"]["message"]
    event = await client.until(lambda: next((e for e in client.events if e["object"] == element), None), 1.5)
    return event["data"]["description"] if event else None


def test_what_clients_may_open(clips, tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    clip = clips[0]
    (inside / "clip.webm").write_bytes(clip.read_bytes())
    (outside / "clip.webm").write_bytes(clip.read_bytes())
    (inside / "away.webm").symlink_to(outside / "clip.webm")
    picture = tmp_path / "picture.png"
    tools.ffmpeg("-f", "lavfi", "-i", "color=red:s=16x16", "-frames:v", 1, picture)

    async def body(client):
        pipeline = await client.create("MediaPipeline")
        assert await trouble(client, pipeline, "PlayerEndpoint", f"file://{inside}/clip.webm", "play") is None
        # Without a scheme: below the default path.
        assert await trouble(client, pipeline, "PlayerEndpoint", "clip.webm", "play") is None
        for uri in [f"file://{outside}/clip.webm", f"file://{inside}/away.webm", f"{inside}/../out/clip.webm"]:
            reason = await trouble(client, pipeline, "PlayerEndpoint", uri, "play")
            assert reason, uri
        assert "scheme" in await trouble(client, pipeline, "PlayerEndpoint", "http://127.0.0.1:9/x.webm", "play")
        player = await client.create("PlayerEndpoint", mediaPipeline=pipeline, uri="clip.webm")
        for folder, isGood in ((inside, False), (outside, True)):
            recorder = await client.create("RecorderEndpoint", mediaPipeline=pipeline, uri=f"file://{folder}/new.webm")
            await client.subscribe(recorder, "Error", "Recording")
            await client.invoke(player, "connect", sink=recorder)
            await client.invoke(recorder, "record")
            await client.invoke(player, "play")
            event = await client.until(lambda: next((e for e in client.events if e["object"] == recorder), None), 10)
            assert event["type"] == ("Recording" if isGood else "Error"), event
            assert (folder / "new.webm").exists() == isGood
        # Images of filters are files that clients name, too.
        overlay = await client.create("ImageOverlayFilter", mediaPipeline=pipeline)
        await client.subscribe(overlay, "Error")
        await client.invoke(overlay, "addImage", id="a", uri=f"file://{picture}", offsetXPercent=0, offsetYPercent=0,
                            widthPercent=1, heightPercent=1, keepAspectRatio=False, center=False)
        event = await client.until(lambda: next((e for e in client.events if e["object"] == overlay), None), 5)
        assert event and "only below" in event["data"]["description"]

    with live.Server("", "--read-folder", inside, "--write-folder", outside, "--allow-scheme", "file",
                     "--default-path", f"file://{inside}/") as server:
        run(server, body)


def test_mtu_metadata_and_dot(tmp_path):
    async def body(client):
        pipeline = await client.create("MediaPipeline")
        for kind in ("WebRtcEndpoint", "RtpEndpoint"):
            endpoint = await client.create(kind, mediaPipeline=pipeline)
            assert await client.invoke(endpoint, "getMtu") == 1000
        assert json.loads(await client.invoke(MANAGER, "getMetadata")) == {"a": 1}
        for target in (pipeline, endpoint):
            await client.invoke(target, "dumpGstreamerDot")

    with live.Server("", "--dot-folder", tmp_path, "--metadata", '{"a": 1}',
                     prefix=("env", "KMS_MTU=1000")) as server:
        run(server, body)
    files = sorted(tmp_path.glob("*.dot"))
    assert len(files) == 2 and all(file.read_text().startswith("digraph") for file in files)
    assert any("MediaPipeline" in file.name for file in files)


def test_uploads_have_their_port_and_host():
    async def body(client):
        pipeline = await client.create("MediaPipeline")
        return await client.invoke(await client.create("HttpPostEndpoint", mediaPipeline=pipeline), "getUrl")

    port = free_port()
    with live.Server("", "--post-port", port, "--external-ip", "203.0.113.7") as server:
        url = urllib.parse.urlsplit(run(server, body))
        assert (url.hostname, url.port) == ("203.0.113.7", port)
        assert live.request("GET", f"http://127.0.0.1:{port}/nothing").status in (404, 405)


def test_ports_addresses_and_interfaces():
    media = free_port(socket.SOCK_DGRAM)

    async def body(client):
        pipeline = await client.create("MediaPipeline")
        endpoint = await client.create("WebRtcEndpoint", mediaPipeline=pipeline)
        await client.subscribe(endpoint, "IceGatheringDone")
        await client.invoke(endpoint, "generateOffer")
        await client.invoke(endpoint, "gatherCandidates")
        await client.until(lambda: [e for e in client.events if e["type"] == "IceGatheringDone"])
        sdp = await client.invoke(endpoint, "getLocalSessionDescriptor")
        plain = await client.create("RtpEndpoint", mediaPipeline=pipeline)
        return sdp, await client.invoke(plain, "generateOffer")

    with live.Server("", "--media-port", media, "--ports", "42000-42100", "--ice-tcp=false",
                     "--external-ip", "203.0.113.7") as server:
        sdp, plain = run(server, body)
        candidates = re.findall(r"a=candidate:(.*)", sdp)
        assert candidates and all(" udp " in line.lower() for line in candidates)
        assert any(f"203.0.113.7 {media}" in line for line in candidates)
        ports = [int(port) for port in re.findall(r"m=(?:audio|video) (\d+)", plain)]
        assert ports and all(42000 <= port <= 42100 for port in ports)


def test_limits_of_the_control_api():
    async def body(client):
        pipeline = await client.create("MediaPipeline")
        await client.create("PassThrough", mediaPipeline=pipeline)
        answer = await client.ask("create", type="PassThrough", constructorParams={"mediaPipeline": pipeline})
        assert answer["error"]["code"] == 40009 and "3 objects" in answer["error"]["message"]
        answers = [await client.ask("ping", interval=1000) for _ in range(40)]
        assert any("error" in answer and "20 requests" in answer["error"]["message"] for answer in answers)
        async with Client(control_url) as other:
            refused = await other.ask("create", type="MediaPipeline", constructorParams={})
            assert refused["error"]["code"] == 40009
        await client.send("x" * 5000)
        await asyncio.wait_for(client.socket.wait_closed(), 10)

    with live.Server("", "--objects", 3, "--requests-per-second", 20, "--sessions", 1,
                     "--message-bytes", 4096) as server:
        control_url = control(server)
        run(server, body)


def test_path_token_origin_and_address():
    async def connect(url, **headers):
        async with websockets.connect(url, additional_headers=headers) as socket:
            await socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}')
            return json.loads(await asyncio.wait_for(socket.recv(), 5))

    with live.Server("", "--path", "api", "--token", "secret", "--allow-origin", "https://example.org",
                     "--address", "127.0.0.1") as server:
        assert "127.0.0.1" in server.url or "localhost" in server.url
        url = server.url.replace("http", "ws", 1) + "/api"
        good = {"Authorization": "Bearer secret", "Origin": "https://example.org"}
        assert asyncio.run(connect(url, **good))["result"]["value"] == "pong"
        for headers in ({"Origin": "https://example.org"}, {**good, "Origin": "https://example.com"}):
            with pytest.raises(websockets.InvalidStatus):
                asyncio.run(connect(url, **headers))


def test_workers_and_connections():
    with live.Server("", "--workers", 1, "--connections", 3) as server:
        pid = server.run.process.pid
        tasks = f"/proc/{pid}/task"
        threads = [open(f"{tasks}/{task}/comm").read().strip() for task in os.listdir(tasks)]
        assert len([name for name in threads if name.startswith("work-")]) == 1
        host, port = urllib.parse.urlsplit(server.url).netloc.split(":")
        held = [socket.create_connection((host, int(port)), timeout=5) for _ in range(8)]
        open_ones = 0
        for one in held:
            try:
                one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                open_ones += one.recv(100).startswith(b"HTTP/1.1 200")
            except OSError:
                pass
        assert 1 <= open_ones <= 3
        for one in held:
            one.close()


def test_a_session_ends_after_its_period():
    async def body(server):
        async with Client(control(server)) as first:
            pipeline = await first.create("MediaPipeline")
        async with Client(control(server)) as second:
            assert pipeline in await second.invoke(MANAGER, "getPipelines")
            for _ in range(60):
                if pipeline not in await second.invoke(MANAGER, "getPipelines"):
                    return
                await asyncio.sleep(0.1)
            raise AssertionError("the pipeline outlives its session")

    with live.Server("", "--collector-period", 1) as server:
        asyncio.run(body(server))


def test_https(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-keyout", key, "-out", certificate, "-days", "2"],
                   check=True, capture_output=True)
    for options in (["--certificate", certificate, "--key", key], ["--self-signed"]):
        with live.Server("", "--https-port", 0, *options) as server:
            lines = server.run._texts[0].decode().splitlines()
            secure = next(line for line in lines if line.startswith("https"))
            port = urllib.parse.urlsplit(secure).port
            shown = tools.tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-showcerts").decode()
            assert "BEGIN CERTIFICATE" in shown
            if "--key" in options:
                assert certificate.read_text().splitlines()[1] in shown


def test_the_log_says_who_and_what():
    async def body(client):
        pipeline = await client.create("MediaPipeline")
        await client.ask("invoke", object=pipeline, operation="nothing", operationParams={})
        await client.invoke(pipeline, "setName", name="a")
        await client.call("release", object=pipeline)
        return pipeline, client.session

    for level, count in (("debug", 4), ("info", 3), ("warning", 0)):
        with live.Server("", "--json", "--log", level) as server:
            server.url = json.loads(server.run._texts[0].decode().splitlines()[0])["urls"][0].rstrip("/")
            pipeline, session = run(server, body)
            result = server.end()
        lines = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
        ours = [line for line in lines if line.get("method") in ("create", "invoke", "release")]
        assert len(ours) == count, (level, ours)
        for line in ours:
            assert line["object"] == pipeline and (line["method"] == "create" or line["session"] == session), line
        failed = [line for line in ours if "code" in line]
        assert [line["operation"] for line in failed] == (["nothing"] if count else [])
