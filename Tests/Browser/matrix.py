"""Every peer with every codec in every direction, against a running server; the table of docs/interop.md."""

import time

import mark
from peers import AUDIO, VIDEO, NotOffered
from control import Call  # after peers, which says where its own imports are

DIRECTIONS = ("send", "receive", "both", "answers")
PATIENCE = 25
HOLD = 2.5


def watch(peer, video, audio, patience=PATIENCE):
    """Waits until what is reported is right, and whether it stays so; says what is wrong otherwise, by kind."""
    found, seen = wait(peer, video, audio, patience)
    if any(found.values()):
        return found, seen
    time.sleep(HOLD)
    return wait(peer, video, audio, patience)


def wait(peer, video, audio, patience):
    end = time.monotonic() + patience
    while True:
        seen = peer.report()
        found = {}
        if video:
            found["video"] = mark.trouble_with_video(seen.get("video"))
        if audio:
            found["audio"] = mark.trouble_with_audio(seen.get("audio"))
        if not any(found.values()) or time.monotonic() > end:
            return found, seen
        time.sleep(0.4)


def check_codecs(found, seen, video, audio):
    """What the peer says it uses has to be what was asked for."""
    for kind, wanted in (("video", video), ("audio", audio)):
        for way in ("in", "out"):
            used = seen.get("codecs", {}).get(f"{kind}.{way}")
            if wanted and used and used.lower() != wanted.lower() and not found.get(kind):
                found[kind] = f"uses {used}"
    return found


def try_one(server, peers, reference, direction, video, audio):
    """Trouble by kind, None where all is well. `reference` makes the peer at the other end."""
    whip, whep = f"{server.url}/whip/loop", f"{server.url}/whep/loop"
    started = []

    def start(maker, *arguments):
        peer = maker.peer(server)
        started.append(peer)
        return peer.start(*arguments)

    try:
        if hasattr(peers, "join"):
            # It knows no doors.
            under, seer = peers.join(server, reference, direction, video, audio, started)
        elif direction == "both":
            under = seer = start(peers, whip, "sendrecv", video, audio)
        elif direction == "answers":
            under = seer = peers.peer(server)
            # The call ends before its peer does.
            started += [under, call := Call(server)]
            call.start(under, video, audio)
        elif direction == "send":
            under = start(peers, whip, "sendonly", video, audio)
            seer = start(reference, whep, "recvonly", "VP8" if video else None, "opus" if audio else None)
        else:
            under = seer = peers.peer(server)
            start(reference, whip, "sendonly", "VP8" if video else None, "opus" if audio else None)
            started.append(under)
            under.start(whep, "recvonly", video, audio)
        found, seen = watch(seer, video, audio)
        own = seen if seer is under else under.report()
        if any(found.values()):
            sessions = server.stats["sessions"]
            print("   ", own)
            print("   ", [(s["role"], s["connection"], s["dtls"], s["video"], s["audio"]) for s in sessions])
        return check_codecs(found, own, video, audio)
    except NotOffered:
        return {kind: "not offered by the peer" for kind, codec in (("video", video), ("audio", audio)) if codec}
    except Exception as error:  # the table says what, and goes on
        return {kind: f"{error}".splitlines()[0][:120] for kind, codec in (("video", video), ("audio", audio)) if codec}
    finally:
        for peer in reversed(started):
            try:
                peer.stop()
            except Exception as error:  # a peer that never started has nothing to stop
                if not isinstance(error, AttributeError):
                    print("    stop:", repr(error)[:200])


def run(server, peers, reference, directions=DIRECTIONS, pairs=tuple(zip(VIDEO, AUDIO))):
    """Cells of the table: (codec, direction) → verdict. Each connection carries one video and one audio codec."""
    cells = {}
    for video, audio in pairs:
        for direction in directions:
            began = time.monotonic()
            found = try_one(server, peers, reference, direction, video, audio)
            if found.get("video") == found.get("audio") == "not offered by the peer":
                # One of the two may be there.
                found = {**try_one(server, peers, reference, direction, video, None),
                         **try_one(server, peers, reference, direction, None, audio)}
            for kind, codec in (("video", video), ("audio", audio)):
                trouble = found[kind]
                cells[codec, direction] = (
                    "ok" if trouble is None else "–" if trouble.startswith("not offered") else f"FAILED: {trouble}")
            print(f"{peers.name} {video}+{audio} {direction}: {found} {time.monotonic() - began:.1f} s", flush=True)
    return cells


def table(results) -> str:
    """Markdown; `results` is peer's name → cells."""
    lines = [f"| peer | codec | {' | '.join(DIRECTIONS)} |", "| --- | --- |" + " --- |" * len(DIRECTIONS)]
    for name, cells in results.items():
        for codec in (*VIDEO, *AUDIO):
            verdicts = [cells.get((codec, direction), "not run") for direction in DIRECTIONS]
            lines.append(f"| {name} | {'Opus' if codec == 'opus' else codec} | {' | '.join(verdicts)} |")
    return "\n".join(lines)
