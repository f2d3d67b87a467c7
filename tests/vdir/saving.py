"""
A program that saves versions of files as fast as it can, in every way that programs do.

Run as: python -m tests.vdir.saving FOLDER GENERATIONS FILES SAVES. Each generation saves each file
so many times; then it prints a line and waits for one. The last save of file F in generation G
holds `last(F, G)`.
"""

import hashlib
import os
import random
import sys
from pathlib import Path

CHUNK = 64


def name(file: int) -> str:
    return f"{file}.ics"


def last(file: int, generation: int) -> bytes:
    return version(file, generation, "last")


def version(file: int, generation: int, save: object) -> bytes:
    return f"file {file} generation {generation} save {save} ".encode() * 40


def in_place(path: Path, data: bytes) -> None:
    """Truncate and write in pieces, as simple programs do."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for start in range(0, len(data), CHUNK):
        os.write(fd, data[start : start + CHUNK])
    os.close(fd)


def by_rename(path: Path, data: bytes) -> None:
    """Write beside and rename over, as careful programs do."""
    temp = path.with_name(f"{path.name}~")
    temp.write_bytes(data)
    temp.rename(path)


def without_truncating(path: Path, data: bytes) -> None:
    """Open, overwrite, cut to length: the file is never empty."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    for start in range(0, len(data), CHUNK):
        os.pwrite(fd, data[start : start + CHUNK], start)
    os.ftruncate(fd, len(data))
    os.close(fd)


def think() -> None:
    """Be busy for about half a millisecond, so that a swap now and then comes in between."""
    hashlib.pbkdf2_hmac("sha256", b"", b"", 800)


WAYS = (in_place, by_rename, without_truncating)


def main(folder: Path, generations: int, files: int, saves: int) -> None:
    chance = random.Random(20260105)
    for generation in range(generations):
        for save in range(saves):
            for file in range(files):
                data = version(file, generation, save)
                chance.choice(WAYS)(folder / name(file), data)
                think()
        for file in range(files):
            chance.choice(WAYS)(folder / name(file), last(file, generation))
            think()
        print(generation, flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
