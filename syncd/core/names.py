"""
What files and folders are called, as pure functions of names.

Knows which names are items, which are safe on every common file system, and when two names are one
to a file system that folds case or normalises. Names carry no meaning: nothing here reads a UID
back out of one. Knows no disk.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Container, Iterator
from itertools import count

from syncd.core.ids import FileName, Uid

__all__ = ["file_name", "folded", "folder_name", "is_item_name", "saved_name"]

SUFFIX = ".ics"
MAX_FOLDER_BYTES = 100
MAX_SAVED_BYTES = 200
MAX_SUFFIX_BYTES = 20

# 200 leaves room under the usual 255 bytes for a clash's suffix and for a temporary name.
_PLAIN_UID = re.compile(r"(?![.-])[A-Za-z0-9_.+@-]{1,200}(?<!\.)", re.ASCII)
_DEVICES = frozenset({"con", "prn", "aux", "nul"}) | {
    f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"
}
_SEPARATORS = frozenset('/\\:*?"<>|')
# Zero-width joiners are letters' business (Persian, Indic scripts, emoji); other format characters
# only serve to disguise a name.
_JOINERS = frozenset("\u200c\u200d")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_item_name(name: str) -> bool:
    """
    Say whether a folder's entry of this name is an item's file.

    Ends in `.ics` in any case, so that backups and half-written files (`~`, `.tmp`, `.part`,
    `.swp`, `x.ics8f3k`) are none, and begins with neither `.` nor `#`.
    """
    return name[-4:].lower() == SUFFIX and name[0] not in ".#" and not {"/", "\0"} & set(name)


def folded(name: str) -> str:
    """The form under which two names are one to a file system that folds case or normalises."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def file_name(uid: Uid, taken: Container[str]) -> FileName:
    """
    Return the name for a new file of `uid`: the UID where it is safe, else a stable hash of it.

    Args: taken: the names in the folder, as `folded` gives them.
    """
    digest = hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()
    stem = uid if _is_plain(uid) else digest[:40]
    return FileName(_first_free(_file_candidates(stem, digest[:8]), taken))


def folder_name(calendar_name: str, taken: Container[str]) -> str:
    """
    Return a safe, readable folder name for a calendar, at most 100 bytes of UTF-8 and a number.

    Args: taken: the names beside it, as `folded` gives them.
    """
    return _first_free(_folder_candidates(_safe_folder(calendar_name)), taken)


def saved_name(name: str, suffix: str = "") -> str:
    """
    Return a safe name for a file that somebody else named, at most 200 bytes of UTF-8.

    Neither separators nor a leading dot are left, and what is too long is cut before its suffix.
    Args: suffix: that it has to end in, such as ".ics".
    """
    stem, end = _split(_tidy(name).lstrip(".-~ "), suffix)
    stem = ("_" if _is_device(stem) else "") + stem
    return (_cut(stem, MAX_SAVED_BYTES - len(end.encode())).rstrip(".~ ") or "attachment") + end


def _split(name: str, suffix: str) -> tuple[str, str]:
    """A name and what it ends in, its own or the one that it has to."""
    if suffix:
        has_it = name.lower().endswith(suffix)
        return (name[: -len(suffix)], name[-len(suffix) :]) if has_it else (name, suffix)
    stem, dot, end = name.rpartition(".")
    return (stem, dot + end) if stem and len(end.encode()) <= MAX_SUFFIX_BYTES else (name, "")


def _is_plain(uid: str) -> bool:
    return _PLAIN_UID.fullmatch(uid) is not None and not _is_device(uid)


def _is_device(stem: str) -> bool:
    """Windows keeps these names in any case, and with any suffix after a dot."""
    return stem.split(".", 1)[0].rstrip(" ").lower() in _DEVICES


def _file_candidates(stem: str, digest: str) -> Iterator[str]:
    yield f"{stem}{SUFFIX}"
    yield f"{stem}-{digest}{SUFFIX}"
    for number in count(2):
        yield f"{stem}-{digest}-{number}{SUFFIX}"


def _folder_candidates(stem: str) -> Iterator[str]:
    yield stem
    for number in count(2):
        yield f"{stem}-{number}"


def _first_free(candidates: Iterator[str], taken: Container[str]) -> str:
    return next(name for name in candidates if folded(name) not in taken)


def _safe_folder(calendar_name: str) -> str:
    name = _cut(_tidy(calendar_name).lstrip(".-#~ "), MAX_FOLDER_BYTES).rstrip(".~ ")
    if not name:
        return "calendar"
    return f"calendar {name}" if _is_device(name) else name


def _tidy(name: str) -> str:
    """Without separators and unseen characters, and with single spaces."""
    tidy = unicodedata.normalize("NFC", "".join(map(_safe_character, name)))
    return " ".join(tidy.split()).rstrip(".~ ")


def _safe_character(character: str) -> str:
    if character in _SEPARATORS:
        return "_"
    if character in _JOINERS:
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _UNSEEN else character


def _cut(text: str, size_bytes: int) -> str:
    """Cut to so many bytes of UTF-8, between characters."""
    return text.encode()[:size_bytes].decode(errors="ignore")
