"""What peers show and play in these tests, and how it is recognised at the other end.

The picture is 320 × 180: the left half red, the right half blue, and at the bottom eight cells of 40 × 40 that are
black or white: a number that grows by one with each picture. The sound is a sine.
"""

import struct
import zlib

import numpy

WIDTH, HEIGHT, CELL, TOP = 320, 180, 40, 130
RED, BLUE = (220, 40, 40), (40, 40, 220)
TONE = 440


def draw(number: int) -> numpy.ndarray:
    """The picture with that number, as rows of RGB."""
    picture = numpy.empty((HEIGHT, WIDTH, 3), numpy.uint8)
    picture[:, :WIDTH // 2], picture[:, WIDTH // 2:] = RED, BLUE
    for bit in range(8):
        shade = 255 if number >> bit & 1 else 0
        picture[TOP:TOP + CELL, bit * CELL:(bit + 1) * CELL] = shade
    return picture


def read(picture: numpy.ndarray) -> dict:
    """The two colours and the number of a picture of any size."""
    height, width = picture.shape[:2]

    def around(x: float, y: float) -> list[int]:
        column, row = int(x * width / WIDTH), int(y * height / HEIGHT)
        return picture[row - 2:row + 3, column - 2:column + 3].reshape(-1, 3).mean(axis=0).astype(int).tolist()

    bits = [sum(around(bit * CELL + CELL / 2, TOP + CELL / 2)) > 384 for bit in range(8)]
    number = sum(1 << bit for bit, is_set in enumerate(bits) if is_set)
    return {"left": around(80, 60), "right": around(240, 60), "number": number}


def spectrum(samples: numpy.ndarray, rate: int) -> dict:
    """The loudest frequency of mono samples in −1…1, and the level of all."""
    if len(samples) < 2048:
        return {"tone": 0, "level": 0}
    windowed = numpy.abs(numpy.fft.rfft(samples * numpy.hanning(len(samples))))
    windowed[:3] = 0
    return {
        "tone": float(windowed.argmax() * rate / len(samples)),
        "level": float(numpy.sqrt(numpy.mean(samples**2))),
    }


def png(picture: numpy.ndarray) -> bytes:
    """A PNG file of rows of RGB."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = picture.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in picture)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


# --- verdicts on what a peer reports -------------------------------------------------------------------------------


def is_near(colour, wanted) -> bool:
    return all(abs(a - b) < 70 for a, b in zip(colour, wanted))


def trouble_with_video(seen: dict | None, least: int = 5) -> str | None:
    """None where the marked picture moves; `least` different numbers within the last three seconds."""
    if not seen or not seen.get("frames"):
        return "no picture"
    if not is_near(seen["left"], RED) or not is_near(seen["right"], BLUE):
        return f"colours {seen['left']} {seen['right']}"
    if seen["distinct"] < least:
        return f"stands still ({seen['distinct']} pictures in 3 s)"
    return None


def trouble_with_audio(heard: dict | None, tone: float = TONE) -> str | None:
    if not heard or heard["level"] < 0.01:
        return "no sound"
    if abs(heard["tone"] - tone) > 20:
        return f"tone of {heard['tone']:.0f} Hz"
    return None
