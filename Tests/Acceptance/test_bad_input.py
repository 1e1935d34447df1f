"""What cannot be done is refused: one clear sentence that names the place, an exit status, and nothing left behind."""

import contextlib
import json
import os
import re
import struct
import subprocess

import pytest

import ebml
import tools

CLIP = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=15", "-f", "lavfi", "-i", "sine", "-t", "2", "-pix_fmt",
        "yuv420p", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-c:a", "libopus"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting and changing the user take root")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    file = tmp_path_factory.mktemp("clip") / "clip.webm"
    tools.ffmpeg(*CLIP, file)
    return file


def player(uri="${input}", **more):
    return {"class": "PlayerEndpoint", "with": {"uri": uri, **more}}


def recorder(uri="${output}", **more):
    return {"class": "RecorderEndpoint", "with": {"uri": uri, **more}}


def document(elements: dict, links: list) -> str:
    """A document with the parameters input and output, one item to a line."""
    return json.dumps({
        "description": "A document for a test.",
        "parameters": {"input": {"type": "uri"}, "output": {"type": "uri"}},
        "elements": elements,
        "links": [{"from": a, "to": b} for a, b in links],
    }, indent=2)


def assert_refused(run: tools.Run, *words: str, output=None) -> None:
    """Not zero, not a signal, no trace of a crash; few lines, and one of them has all the words (any case)."""
    said = run.out + run.err
    assert 0 < run.status < 128, f"exit status {run.status}\n{said}"
    assert "Fatal error" not in said and "Crash" not in said and "Sanitizer" not in said, said
    lines = [line for line in said.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 12, f"{len(lines)} lines:\n{said}"
    fitting = [line for line in lines if all(re.search(word, line, re.IGNORECASE) for word in words)]
    assert fitting, f"no line has all of {words}:\n{said}"
    if output is not None:
        assert not output.exists(), f"{output.name} was left behind, {output.stat().st_size} bytes"


# --- documents -----------------------------------------------------------------------------------------------------

P, R = player(), recorder()
PASS = {"class": "PassThrough"}
BAD_DOCUMENTS = {
    "unknown class": (document({"p": {"class": "PlayerEndpiont", "with": {"uri": "${input}"}}, "r": R}, [("p", "r")]),
                      [r":\d+:\d+", "PlayerEndpiont", "PlayerEndpoint"]),
    "wrong type": (document({"p": P, "c": {"class": "Composite", "with": {"width": "wide"}}, "r": R}, [("p", "r")]),
                   [r":\d+:\d+", "width", "number|int"]),
    "out of range": (document({"p": P, "c": {"class": "Composite", "with": {"width": 1000000}}, "r": R},
                              [("p", "r")]), [r":\d+:\d+", "width", "1000000"]),
    "missing parameter": (document({"p": {"class": "PlayerEndpoint"}, "r": R}, [("p", "r")]),
                          [r":\d+:\d+", "uri"]),
    "unknown parameter": (document({"p": player(volum=3), "r": R}, [("p", "r")]), [r":\d+:\d+", "volum"]),
    "unknown parameter of the document": (document({"p": player("${inptu}"), "r": R}, [("p", "r")]),
                                          [r":\d+:\d+", "inptu", "input"]),
    "cycle": (document({"p": P, "a": PASS, "b": PASS, "r": R}, [("a", "b"), ("b", "a")]),
              [r":\d+:\d+", "cycle|circle|loop", "a", "b"]),
    "two sources into one sink": (document({"p": P, "q": P, "r": R}, [("p", "r"), ("q", "r")]),
                                  [r":\d+:\d+", "'?r'?", "'?p'?"]),
    "link to nowhere": (document({"p": P, "r": R}, [("p", "recorder")]), [r":\d+:\d+", "recorder"]),
    "not JSON": ("pipelines are fun\n", [r":1:1", "JSON|expected|value"]),
    "JSON cut off": ('{\n  "description": "x",\n  "elements": {', [r":3:\d+"]),
    "not an object": ("[1, 2]", [":1:1", "object"]),
    "empty": ("", ["empty|JSON|end"]),
    "unknown codec": (document({"p": P, "r": recorder(videoCodec="theora")}, [("p", "r")]),
                      [r":\d+:\d+", "theora", "vp8"]),
    "codec that the container does not take": (
        document({"p": P, "r": recorder("${output}", mediaProfile="WEBM", videoCodec="h264")}, [("p", "r")]),
        [r":\d+:\d+", "h264", "WEBM"]),
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
@pytest.mark.parametrize("command", ["run", "check"])
def test_bad_document(clip, tmp_path, name, command):
    text, words = BAD_DOCUMENTS[name]
    file, output = tmp_path / "document.json", tmp_path / "out.webm"
    file.write_text(text)
    options = tools.settings(input=clip, output=output) if command == "run" else []
    assert_refused(tools.tessera(command, file, *options), "document.json", *words, output=output)


def test_check_tells_all_errors_at_once(tmp_path):
    file = tmp_path / "document.json"
    file.write_text(document({"p": {"class": "Nonsense"}, "q": player(x=1), "r": R}, [("p", "nobody")]))
    run = tools.tessera("check", file)
    for word in ("Nonsense", "'?x'?", "nobody"):
        assert_refused(run, r":\d+:\d+", word)


def test_good_documents_pass_the_check():
    for file in sorted(tools.PIPELINES.glob("*.json")):
        tools.tessera("check", file).check()


# --- command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, words", [
    (["run"], ["usage|document|FILE"]),
    (["dance"], ["dance"]),
    (["run", "nowhere.json"], ["nowhere.json", "no such file|not found|does not exist"]),
    (["run", "pipelines/grid.json", "--loud"], ["--loud"]),
    (["run", "pipelines/grid.json", "--set"], ["--set"]),
    (["run", "pipelines/grid.json", "--set", "inputs"], ["inputs", "="]),
    (["run", "pipelines/grid.json", "--set", "fsp=30"], ["fsp", "fps"]),
    (["run", "pipelines/grid.json", "--set", "output=x.webm"], ["inputs"]),
    (["run", "pipelines/grid.json", "--set", "inputs=a.webm", "--set", "output=x.webm", "--set", "fps=many"],
     ["fps", "many"]),
    (["run", "pipelines/grid.json", "--set", "inputs=a.webm", "--set", "output=x.ogv"], ["x.ogv"]),
])
def test_bad_command_line(arguments, words):
    assert_refused(tools.tessera(*arguments), *words)
    assert not (tools.REPOSITORY / "x.webm").exists() and not (tools.REPOSITORY / "x.ogv").exists()


# --- files ---------------------------------------------------------------------------------------------------------


def grid(inputs, output, prefix=()) -> tools.Run:
    return tools.tessera("run", tools.PIPELINES / "grid.json", "--quiet", *tools.settings(
        inputs=inputs, output=output, width=320, height=180), prefix=prefix)


def test_input_that_does_not_exist(tmp_path):
    output = tmp_path / "out.webm"
    assert_refused(grid([tmp_path / "gone.webm"], output), "gone.webm", "no such file|not exist", output=output)


def test_input_that_is_a_folder(tmp_path):
    output = tmp_path / "out.webm"
    assert_refused(grid([tmp_path], output), re.escape(str(tmp_path)), "director|folder", output=output)


def test_input_of_no_length(tmp_path):
    (tmp_path / "nothing.webm").touch()
    output = tmp_path / "out.webm"
    assert_refused(grid([tmp_path / "nothing.webm"], output), "nothing.webm", "empty|no media|invalid", output=output)


def test_input_that_is_no_media(tmp_path):
    (tmp_path / "text.webm").write_text("Dear diary\n" * 1000)
    output = tmp_path / "out.webm"
    assert_refused(grid([tmp_path / "text.webm"], output), "text.webm", output=output)


def test_input_in_a_codec_nobody_knows(clip, tmp_path):
    """A track whose codec is a word of ours: named, and the rest of the file is still played."""
    data = clip.read_bytes()
    assert data.count(b"V_VP8") == 1
    (tmp_path / "odd.webm").write_bytes(data.replace(b"V_VP8", b"V_XY8"))
    output = tmp_path / "out.webm"
    run = grid([tmp_path / "odd.webm"], output)
    told = [line for line in run.err.splitlines() if "odd.webm" in line or re.search(r"\[0\]", line)]
    assert told and re.search("codec|V_XY8|unknown", " ".join(told)), run.out + run.err
    if output.exists():
        assert tools.probe(output)["duration"] > 1.9


def enormous(clip, target, side: int = 16000) -> None:
    """The clip, with key frames and container that claim to be very large (RFC 6386, 9.1: 14 bits each)."""
    ebml.rewrite(clip, target, [[frame] for frame in ebml.frames(clip.read_bytes())])
    data = bytearray(target.read_bytes())
    old = b"\x9d\x01\x2a" + struct.pack("<HH", 160, 90)
    assert data.count(old) >= 1
    data = data.replace(old, b"\x9d\x01\x2a" + struct.pack("<HH", side, side))
    # PixelWidth and PixelHeight: ids 0xB0 and 0xBA; as ffmpeg writes them, in one and one byte.
    for identity, size in ((0xB0, 160), (0xBA, 90)):
        old = bytes([identity, 0x81, size])
        assert data.count(old) == 1, f"{identity:x}"
        at = data.index(old)
        data[at:at + 3] = bytes([identity, 0x82]) + struct.pack(">H", side)
        grow(data, at, 1)
    target.write_bytes(data)


def grow(data: bytearray, inside: int, bytes_more: int) -> None:
    """Adds to the sizes of all elements that hold a position (those with sizes of one byte or eight)."""
    def walk(start: int, end: int) -> None:
        for element in ebml.elements(bytes(data), start, end):
            if element.start < inside < element.end and element.body <= inside:
                width = element.body - element.start - (element.id.bit_length() + 7) // 8
                size_at = element.body - width
                size = int.from_bytes(data[size_at:element.body], "big") + bytes_more
                data[size_at:element.body] = size.to_bytes(width, "big")
                walk(element.body, element.end)
                return
    walk(0, len(data))


def test_picture_that_is_too_large(clip, tmp_path):
    enormous(clip, tmp_path / "huge.webm")
    found = tools.probe(tmp_path / "huge.webm")["video"][0]
    assert (found["width"], found["height"]) == (16000, 16000)
    output = tmp_path / "out.webm"
    run = grid([tmp_path / "huge.webm"], output)
    said = run.out + run.err
    assert 0 <= run.status < 128, said
    told = [line for line in said.splitlines() if re.search("16000", line)]
    assert 1 <= len(told) <= 2 and re.search("limit|most|8192", told[0]), said
    assert run.memory < 400, f"it took {run.memory:.0f} MiB"


@contextlib.contextmanager
def tiny_disk(folder, kibibytes: int):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@needs_root
@pytest.mark.parametrize("ending", ["webm", "mp4"])
def test_full_disk(tmp_path, ending):
    long = tmp_path / "long.webm"
    tools.ffmpeg("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine", "-t", 10,
                 "-pix_fmt", "yuv420p", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "-8", "-b:v", "1M",
                 "-c:a", "libopus", long)
    with tiny_disk(tmp_path / "disk", 200) as disk:
        output = disk / f"out.{ending}"
        run = grid([long], output)
        assert_refused(run, f"out.{ending}", "no space|full")
        # What was written until then may stay, if it does not pretend to be all: it plays, and is shorter.
        if output.exists() and output.stat().st_size:
            times = tools.pictures(output, 16, 8).times
            assert len(times) < 300


@needs_root
def test_output_where_nobody_may_write(clip, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    for folder in [clip.parent, tmp_path, *list(tmp_path.parents)[:2]]:
        folder.chmod(0o755)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert_refused(grid([clip], locked / "out.webm", prefix=nobody), "out.webm", "permission|denied",
                   output=locked / "out.webm")
    unreadable = tmp_path / "secret.webm"
    unreadable.write_bytes(clip.read_bytes())
    unreadable.chmod(0o600)
    assert_refused(grid([unreadable], "/dev/shm/tessera-test.webm", prefix=nobody), "secret.webm", "permission|denied")


def test_output_into_a_folder_that_cannot_be(clip, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    output = tmp_path / "file" / "out.webm"
    assert_refused(grid([clip], output), "out.webm", "not a directory|not a folder|no such")


def test_output_over_its_own_input(clip, tmp_path):
    file = tmp_path / "both.webm"
    file.write_bytes(clip.read_bytes())
    assert_refused(grid([file], file), "both.webm")
    assert file.read_bytes() == clip.read_bytes(), "the input was written over"
