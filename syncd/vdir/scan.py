"""
One look over an open folder: what differs from what was known of it.

Knows names, stats and fingerprints. Knows neither whose folder it is nor what a difference means.
"""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Mapping

from syncd.core.ids import FileName
from syncd.core.names import is_item_name
from syncd.ports import FileSeen, FileStat, FileTrouble, KnownFile
from syncd.vdir.disk import MAX_BYTES, Content, is_utf8, read_file, stamp

__all__ = ["Scan"]


class Scan:
    """The findings of one look; `now_ns` is the wall clock before it began."""

    def __init__(
        self, dir_fd: int, known: Mapping[FileName, KnownFile], *, thorough: bool, now_ns: int
    ) -> None:
        self._dir_fd = dir_fd
        self._known = known
        self._thorough = thorough
        self._now_ns = now_ns
        self._present: set[FileName] = set()
        self.changed: list[FileSeen] = []
        self.restamped: dict[FileName, FileStat] = {}
        self.trouble: list[FileTrouble] = []

    def run(self) -> None:
        """
        Look at every item's file once.

        Raises: OSError: the folder itself cannot be read.
        """
        with os.scandir(self._dir_fd) as entries:
            for entry in entries:
                if is_item_name(entry.name):
                    self._look_at(entry)

    def missing(self) -> frozenset[FileName]:
        """The known files that were not there."""
        return frozenset(self._known.keys() - self._present)

    def _look_at(self, entry: os.DirEntry[str]) -> None:
        name = FileName(entry.name)
        try:
            stat = entry.stat(follow_symlinks=False)
            if not self._is_as_known(name, stat):
                self._read(name, stat)
        except FileNotFoundError:
            return  # it went between being listed and being looked at
        self._present.add(name)

    def _is_as_known(self, name: FileName, stat: os.stat_result) -> bool:
        known = self._known.get(name)
        if known is None or known.stat is None or self._thorough:
            return False
        return (
            known.stat.ctime_ns == stat.st_ctime_ns
            and known.stat.mtime_ns == stat.st_mtime_ns
            and known.stat.size == stat.st_size
            and known.stat.inode == stat.st_ino
            and modes.S_ISREG(stat.st_mode)
        )

    def _read(self, name: FileName, stat: os.stat_result) -> None:
        found = _refused(name, stat) or read_file(self._dir_fd, name)
        if isinstance(found, Content):
            self._compare(name, found)
        else:
            self.trouble.append(found)

    def _compare(self, name: FileName, content: Content) -> None:
        known = self._known.get(name)
        stat = stamp(content.stat, self._now_ns)
        if known is None or known.fingerprint != content.fingerprint:
            self.changed.append(FileSeen(name, content.fingerprint, stat, content.data))
        elif known.stat != stat:
            self.restamped[name] = stat


def _refused(name: FileName, stat: os.stat_result) -> FileTrouble | None:
    """What is plain before opening; a device may not even be opened without effect."""
    if not is_utf8(name):
        return FileTrouble(_printable(name), "unreadable", "its name is not UTF-8")
    if not modes.S_ISREG(stat.st_mode):
        return FileTrouble(name, "not-a-file", "it is a link, a folder or a device")
    if stat.st_size > MAX_BYTES:
        return FileTrouble(name, "too-large", "it is larger than 10 MB")
    return None


def _printable(name: FileName) -> FileName:
    return FileName(os.fsencode(name).decode(errors="replace"))
