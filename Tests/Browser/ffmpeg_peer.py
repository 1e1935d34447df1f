"""ffmpeg as a peer of plain RTP: joined by the control API to an RtpEndpoint, in the clear, over loopback."""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import threading
import time

import numpy

import mark

# Payload type, name in descriptions, parameters, and how ffmpeg makes it. ffmpeg 5.1 has no AV1 in RTP.
CODECS = {
    "VP8": (96, "VP8/90000", "", "-c:v libvpx -deadline realtime -cpu-used 8 -g 30 -b:v 800k"),
    "VP9": (98, "VP9/90000", "profile-id=0",
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30 -b:v 800k -strict experimental"),
    "H264": (102, "H264/90000", "packetization-mode=1;profile-level-id=42e01f",
             "-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -g 30 -b:v 800k"),
    "opus": (111, "opus/48000/2", "", "-c:a libopus -b:a 64k"),
    "PCMU": (0, "PCMU/8000", "", "-c:a pcm_mulaw -ar 8000 -ac 1"),
    "PCMA": (8, "PCMA/8000", "", "-c:a pcm_alaw -ar 8000 -ac 1"),
    # 16 kHz, though descriptions and time stamps say 8000 (RFC 3551, section 4.5.2).
    "G722": (9, "G722/8000", "", "-c:a g722 -ar 16000 -ac 1"),
}
RATE = 48000


def box(x: int, y: int, width: int, height: int, colour: tuple, more: str = "") -> str:
    return f"drawbox={x}:{y}:{width}:{height}:0x{bytes(colour).hex()}:fill{more}"


def picture() -> str:
    """`mark.draw` as a source of ffmpeg: 30 a second, numbered by themselves."""
    half, white = mark.WIDTH // 2, (255, 255, 255)
    boxes = [box(0, 0, half, mark.HEIGHT, mark.RED), box(half, 0, half, mark.HEIGHT, mark.BLUE),
             box(0, mark.TOP, mark.WIDTH, mark.CELL, (0, 0, 0))]
    boxes += [box(bit * mark.CELL, mark.TOP, mark.CELL, mark.CELL, white, f":enable='mod(floor(n/{1 << bit}),2)'")
              for bit in range(8)]
    return f"color=s={mark.WIDTH}x{mark.HEIGHT}:r=30,format=rgb24,{','.join(boxes)},format=yuv420p"


SOURCES = {"video": picture(), "audio": f"sine=frequency={mark.TONE}:sample_rate={RATE}:samples_per_frame=960"}


def free_ports(kinds) -> dict[str, int]:
    """For each kind of media an even port that is free, and so is the next one."""
    found = []
    with contextlib.ExitStack() as stack:
        # Held until all are found, so that they differ.
        while len(found) < len(kinds):
            first, second = (stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in "ab")
            first.bind(("", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("", port + 1))
                found += [port] if port % 2 == 0 else []
    return dict(zip(kinds, found))


def bound() -> set[int]:
    """The UDP ports that somebody has."""
    lines = pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]
    return {int(line.split()[1].split(":")[1], 16) for line in lines}


def describe(media, ports, profile="RTP/AVP", direction=None) -> str:
    """A description; `media` is kind → payload type, name, parameters, and its order that of the lines."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    for kind, (number, name, parameters) in media.items():
        lines += [f"m={kind} {ports[kind]} {profile} {number}", f"a=rtpmap:{number} {name}"]
        lines += [f"a=fmtp:{number} {parameters}"] if parameters else []
        lines += [f"a={direction}"] if direction else []
    return "\r\n".join(lines) + "\r\n"


def chosen(offer, codecs):
    """What `describe` takes, for an answer: of each line of the offer just that codec, by the offer's numbers."""
    media = {}
    for part in offer.split("\r\nm=")[1:]:
        kind = part.split()[0]
        _, name, parameters, _ = CODECS[codecs[kind]]
        for number in re.findall(rf"a=rtpmap:(\d+) {name}\r", part, re.IGNORECASE):
            said = re.search(rf"a=fmtp:{number} (.*?)\r", part)
            if all(each in said[1] for each in parameters.split(";") if each):
                media[kind] = int(number), name, parameters
                break
    assert set(media) == set(codecs), f"not in the offer: {codecs}\n{offer}"
    return media


def section(description, kind):
    return re.search(rf"m={kind} (?:.*\r\n)(?:(?!m=).*\r\n)*", description)[0]


class FFmpegPeer:
    """One ffmpeg sends and another receives, by other ports: it has no sessions that go both ways."""

    def __init__(self):
        self.processes, self.lines = [], []
        self.numbers, self.sounds, self.seen, self.codecs = [], [], {}, {}

    def start(self, control, endpoint, direction, video, audio):
        codecs = {kind: codec for kind, codec in (("video", video), ("audio", audio)) if codec}
        media = {kind: CODECS[codec][:3] for kind, codec in codecs.items()}
        sends, receives = direction != "receive", direction != "send"
        way = "sendrecv" if sends and receives else "sendonly" if sends else "recvonly"
        offer, profile = None, "RTP/AVP"
        if direction == "answers":
            options = {"offerToReceiveVideo": bool(video), "offerToReceiveAudio": bool(audio)}
            offer = control.invoke(endpoint, "generateOffer", options=options)
            media, profile = chosen(offer, codecs), "RTP/AVPF"
        ports = free_ports(media)
        if receives:
            self._receive(describe(media, ports), ports)
        own = describe(media, ports, profile, way)
        if offer:
            theirs = control.invoke(endpoint, "processAnswer", answer=own)
        else:
            theirs = control.invoke(endpoint, "processOffer", offer=own)
        parts = {kind: section(theirs, kind) for kind in media}
        far = {kind: int(re.match(r"m=\w+ (\d+)", part)[1]) for kind, part in parts.items()}
        if sends:
            self._send(media, codecs, None if receives else ports, far)
        for kind, (number, _, _) in media.items():
            name = re.search(rf"a=rtpmap:{number} ([\w-]+)/", parts[kind])[1]
            self.codecs |= {f"{kind}.out": name if sends else None, f"{kind}.in": name if receives else None}
        return self

    def _launch(self, arguments, **more):
        made = subprocess.Popen(
            ["ffmpeg", "-hide_banner", "-v", "error", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, **more)
        self.processes.append(made)
        threading.Thread(target=lambda: self.lines.extend(made.stderr), daemon=True).start()
        return made

    def _send(self, media, codecs, ports, to):
        arguments = ["-nostdin"]
        for kind in media:
            arguments += ["-re", "-f", "lavfi", "-i", SOURCES[kind]]
        for index, (kind, (number, _, _)) in enumerate(media.items()):
            arguments += ["-map", f"{index}:{kind[0]}", *CODECS[codecs[kind]][3].split(), "-payload_type", str(number)]
            # From the ports of the description, unless somebody listens there.
            local = f"&localrtpport={ports[kind]}&localrtcpport={ports[kind] + 1}" if ports else ""
            arguments += ["-f", "rtp", f"rtp://127.0.0.1:{to[kind]}?pkt_size=1200{local}"]
        self._launch(arguments, stdin=subprocess.DEVNULL)

    def _receive(self, description, ports):
        # Reports go to whence the media came, not to the address in the description, which is its own.
        arguments = ["-protocol_whitelist", "pipe,rtp,udp", "-analyzeduration", "2000000",
                     "-sdp_flags", "rtcp_to_source", "-f", "sdp", "-i", "pipe:0"]
        ends = []
        for kind in ports:
            reader, writer = os.pipe()
            ends.append(writer)
            raw = (["-vsync", "passthrough", "-s", f"{mark.WIDTH}x{mark.HEIGHT}", "-pix_fmt", "rgb24", "-f", "rawvideo"]
                   if kind == "video" else ["-ac", "1", "-ar", str(RATE), "-f", "s16le"])
            arguments += ["-map", f"0:{kind[0]}", *raw, f"pipe:{writer}"]
            read = self._read_pictures if kind == "video" else self._read_sound
            threading.Thread(target=read, args=(os.fdopen(reader, "rb"),), daemon=True).start()
        made = self._launch(arguments, stdin=subprocess.PIPE, pass_fds=ends)
        for end in ends:
            os.close(end)
        made.stdin.write(description)
        made.stdin.close()
        end = time.monotonic() + 10
        while not {port + offset for port in ports.values() for offset in (0, 1)} <= bound():
            assert made.poll() is None and time.monotonic() < end, f"ffmpeg does not listen: {self.lines}"
            time.sleep(0.02)

    def _read_pictures(self, pipe):
        with pipe:
            while len(data := pipe.read(mark.WIDTH * mark.HEIGHT * 3)) == mark.WIDTH * mark.HEIGHT * 3:
                self.seen = mark.read(numpy.frombuffer(data, numpy.uint8).reshape(mark.HEIGHT, mark.WIDTH, 3))
                self.numbers = [*self.numbers[-100:], (time.monotonic(), self.seen["number"])]

    def _read_sound(self, pipe):
        with pipe:
            while data := pipe.read(RATE // 50 * 2):
                self.sounds = [*self.sounds[-24:], (time.monotonic(), numpy.frombuffer(data, numpy.int16))]

    def report(self):
        since = time.monotonic() - 3
        ended = [made.returncode for made in self.processes if made.poll() is not None]
        said = {"codecs": self.codecs, "ended": ended, "lines": self.lines[-8:]}
        if numbers := [number for at, number in self.numbers if at > since]:
            distinct = sum(a != b for a, b in zip(numbers, numbers[1:]))
            said["video"] = {**self.seen, "frames": len(numbers), "distinct": distinct}
        if sounds := [sound for at, sound in self.sounds if at > since]:
            said["audio"] = mark.spectrum(numpy.concatenate(sounds) / 32768, RATE)
        return said

    def stop(self):
        for made in self.processes:
            made.terminate()
        for made in self.processes:
            try:
                made.wait(5)
            except subprocess.TimeoutExpired:
                made.kill()
                made.wait()
