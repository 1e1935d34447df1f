"""Just enough Matroska (RFC 9559) to look into files and to spoil them on purpose: badly interleaved, with holes."""

import dataclasses
import pathlib

SEGMENT, CLUSTER, TIMESTAMP = 0x18538067, 0x1F43B675, 0xE7
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xA3, 0xA0, 0xA1
INFO, TRACKS, CUES, SEEK_HEAD, DURATION = 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x114D9B74, 0x4489


@dataclasses.dataclass
class Element:
    """An element: its id, where it begins, where its body lies (end exclusive)."""

    id: int
    start: int
    body: int
    end: int


def elements(data: bytes, start: int, end: int):
    """The elements between two offsets. One of unknown size, or cut off, reaches to the end."""
    position = start
    while position < end:
        length = 9 - data[position].bit_length()
        identity = int.from_bytes(data[position:position + length], "big")
        size_at = position + length
        if size_at >= end or length > 4:
            return
        width = 9 - data[size_at].bit_length()
        size = int.from_bytes(data[size_at:size_at + width], "big") & ~(1 << 7 * width)
        body = size_at + width
        unknown = size == (1 << 7 * width) - 1
        stop = end if unknown else min(end, body + size)
        yield Element(identity, position, body, stop)
        position = stop


def segment(data: bytes) -> Element:
    return next(element for element in elements(data, 0, len(data)) if element.id == SEGMENT)


def top_level(file: pathlib.Path) -> list[int]:
    """Ids of the elements directly in the segment of a finished file."""
    data = file.read_bytes()
    inside = segment(data)
    return [element.id for element in elements(data, inside.body, inside.end)]


@dataclasses.dataclass
class Frame:
    """A block with everything around it; time in the file's ticks (milliseconds, as ffmpeg writes)."""

    track: int
    time: int
    element: bytes
    time_at: int  # where in `element` the block's 16-bit relative time is


def frames(data: bytes) -> list[Frame]:
    """All blocks in file order."""
    found = []
    inside = segment(data)
    for cluster in elements(data, inside.body, inside.end):
        if cluster.id != CLUSTER:
            continue
        base = 0
        for child in elements(data, cluster.body, cluster.end):
            if child.id == TIMESTAMP:
                base = int.from_bytes(data[child.body:child.end], "big")
            block = child if child.id == SIMPLE_BLOCK else None
            if child.id == BLOCK_GROUP:
                block = next((inner for inner in elements(data, child.body, child.end) if inner.id == BLOCK), None)
            if block:
                relative = int.from_bytes(data[block.body + 1:block.body + 3], "big", signed=True)
                found.append(Frame(
                    data[block.body] & 0x7F, base + relative, data[child.start:child.end],
                    block.body + 1 - child.start))
    return found


def written(identity: int, body: bytes) -> bytes:
    """An element with an eight-byte size."""
    length = (identity.bit_length() + 7) // 8
    return identity.to_bytes(length, "big") + (1 << 56 | len(body)).to_bytes(8, "big") + body


def rewrite(source: pathlib.Path, target: pathlib.Path, clusters: list[list[Frame]]) -> None:
    """The same file with other clusters: no index, no duration, blocks exactly in the order given."""
    data = source.read_bytes()
    inside = segment(data)
    kept = b"".join(
        data[element.start:element.end]
        for element in elements(data, inside.body, inside.end) if element.id in (INFO, TRACKS))
    body = kept
    for cluster in clusters:
        base = max(0, min(frame.time for frame in cluster))
        blocks = b"".join(
            frame.element[:frame.time_at] + (frame.time - base).to_bytes(2, "big", signed=True)
            + frame.element[frame.time_at + 2:]
            for frame in cluster)
        body += written(CLUSTER, written(TIMESTAMP, base.to_bytes(8, "big")) + blocks)
    target.write_bytes(data[:inside.start] + written(SEGMENT, body))


def interleave_badly(source: pathlib.Path, target: pathlib.Path, seconds: float) -> None:
    """All video of each stretch of some seconds first, then all its sound."""
    listed = frames(source.read_bytes())
    span = round(seconds * 1000)
    clusters = []
    for start in range(0, max(frame.time for frame in listed) + 1, span):
        stretch = [frame for frame in listed if start <= max(0, frame.time) < start + span]
        clusters += [part for track in (1, 2) if (part := [frame for frame in stretch if frame.track == track])]
    rewrite(source, target, clusters)


def cut_out(source: pathlib.Path, target: pathlib.Path, track: int, start: float, end: float) -> None:
    """Without the frames of a track between two times in seconds: the track stands still meanwhile."""
    kept = [
        frame for frame in frames(source.read_bytes())
        if frame.track != track or not 1000 * start <= frame.time < 1000 * end]
    spans = {}
    for frame in kept:
        spans.setdefault(max(0, frame.time) // 1000, []).append(frame)
    rewrite(source, target, [spans[key] for key in sorted(spans)])


def damage(source: pathlib.Path, target: pathlib.Path, track: int, every: int) -> None:
    """With bytes of each n-th frame of a track overwritten (never the first), lengths unchanged."""
    data = bytearray(source.read_bytes())
    position = 0
    for number, frame in enumerate(f for f in frames(bytes(data)) if f.track == track):
        position = data.index(frame.element, position)
        if number % every == every - 1:
            payload = position + frame.time_at + 3
            stop = position + len(frame.element)
            for offset in range(payload, min(stop, payload + 40)):
                data[offset] ^= 0xA5
        position += len(frame.element)
    target.write_bytes(bytes(data))
