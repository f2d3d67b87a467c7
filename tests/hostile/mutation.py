"""One small harm done to a file, at random: what an editor, a disk or an enemy might do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.hostile.real import ODD_LINES, REAL

__all__ = ["mutated"]

SIGNS = b'0123456789,;:=-+.\r\n\t \\"^/ZTPWDHMSXYz\x00\x0b\x7f\x85\xc3\xa9\xe2\x80\xa8\xff'
NUMBERS = (b"0", b"-1", b"1", b"31", b"60", b"99", b"999", b"9999", b"99999999", b"9" * 40)
COUNTS = (2, 3, 40, 300)


def mutated(data: bytes, random: Random, others: Sequence[bytes] = tuple(REAL.values())) -> bytes:
    """
    The same bytes with one change; its lines may also come from `others`.

    Most changes are to whole lines, since a file with one broken line is held as a whole.
    """
    return random.choice(CHANGES)(data, random, others)


def _sign_replaced(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes([random.choice(SIGNS)]) + data[at + 1 :]


def _sign_inserted(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes([random.choice(SIGNS)]) * random.choice((1, 1, *COUNTS)) + data[at:]


def _bit_flipped(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    flipped = bytes([byte ^ 1 << random.randrange(8) for byte in data[at : at + 1]])
    return data[:at] + flipped + data[at + 1 :]


def _piece_gone(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.randrange(20) :]


def _cut(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _number_changed(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    begin = next((n for n in range(at, len(data)) if data[n : n + 1].isdigit()), len(data))
    end = next((n for n in range(begin, len(data)) if not data[n : n + 1].isdigit()), len(data))
    return data[:begin] + random.choice(NUMBERS) + data[end:]


def _line_gone(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    del lines[random.randrange(len(lines))]
    return b"\n".join(lines)


def _line_repeated(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    repeated = [random.choice(lines)] * random.choice((1, 1, 1, *COUNTS))
    at = random.randrange(len(lines) + 1)
    return b"\n".join([*lines[:at], *repeated, *lines[at:]])


def _lines_swapped(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _line_added(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(ODD_LINES) + b"\r")
    return b"\n".join(lines)


def _line_taken_over(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines, theirs = data.split(b"\n"), random.choice(others).split(b"\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(theirs))
    return b"\n".join(lines)


def _block_repeated(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A run of lines once more: a second override, alarm, guest or zone block."""
    lines = data.split(b"\n")
    begin = random.randrange(len(lines))
    block = lines[begin : begin + random.randrange(1, 20)]
    at = random.randrange(len(lines) + 1)
    return b"\n".join([*lines[:at], *block, *lines[at:]])


Change = Callable[[bytes, Random, Sequence[bytes]], bytes]
CHANGES: tuple[Change, ...] = (
    *(_sign_replaced, _sign_inserted, _bit_flipped, _piece_gone, _cut),
    *(_number_changed, _number_changed),
    *(_line_gone, _line_repeated, _lines_swapped, _line_added, _line_added),
    *(_line_taken_over, _line_taken_over, _block_repeated),
)
