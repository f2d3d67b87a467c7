"""
A process that does one job in a folder and is killed beside the rename.

Run as: python -m tests.vdir.killed FOLDER write|replace|remove before|after DATA. DATA, if not
empty, is saved by a person just before the rename.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from syncd.ports import FileWork, RemoveFile, ReplaceFile, WriteFile
from tests.vdir.places import A, Act, BusySwaps, Place, print_of

OLD, OURS = b"old", b"ours"
JOBS: dict[str, FileWork] = {
    "write": WriteFile(A, OURS),
    "replace": ReplaceFile(A, OURS, print_of(OLD)),
    "remove": RemoveFile(A, print_of(OLD)),
}


def swaps(file: Path, moment: str, data: bytes) -> BusySwaps:
    def save() -> None:
        if data:
            file.write_bytes(data)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def save_and_die() -> None:
        save()
        die()

    before: Act = save_and_die if moment == "before" else save
    return BusySwaps(before=[before], after=[die])


def main(folder: Path, job: str, moment: str, data: bytes) -> None:
    place = Place(folder, swaps=swaps(folder / A, moment, data))
    asyncio.run(place.one(JOBS[job]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4].encode())
