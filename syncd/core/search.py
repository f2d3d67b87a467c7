"""
Whether an event has some words, whatever their case and their accents.

Knows which texts of an event are searched. Knows no store; an item of which only an occurrence has
the words is found by that occurrence.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from syncd.core.event import Event, Item, effective

__all__ = ["Query", "folded_text", "indexed_text"]


def folded_text(text: str) -> str:
    """A text in which `Ü` is `u`, `ß` is `ss`, and full-width letters are plain ones."""
    if text.isascii():
        return text.lower()
    return _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold())).casefold()


# Combining marks: of Latin, Greek and Cyrillic, then the points of Hebrew and Arabic. A class of
# characters is removed many times faster than each character is asked what it is.
_MARKS = re.compile(
    r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670]+"
)


@dataclass(frozen=True, slots=True)
class Query:
    """Words that all have to occur somewhere in an event."""

    words: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Query:
        """The words of what a person typed; none finds nothing."""
        return cls(tuple(dict.fromkeys(folded_text(text).split())))

    @property
    def trigrams(self) -> tuple[str, ...]:
        """All pieces of three letters in the words; none of words that are shorter."""
        pieces = (word[at : at + 3] for word in self.words for at in range(len(word) - 2))
        return tuple(one for one in dict.fromkeys(pieces) if "\0" not in one)

    def finds(self, event: Event) -> bool:
        """Whether an event has all the words."""
        text = folded_text(_text(event))
        return bool(self.words) and all(word in text for word in self.words)

    def slots(self, item: Item) -> list[date | None]:
        """Where the words are: [None] for the item itself, else the occurrences that have them."""
        if self.finds(item.master):
            return [None]
        slots = sorted(set(item.overrides) - item.cancelled)
        return [slot for slot in slots if self.finds(effective(item, slot))]


def indexed_text(item: Item) -> str:
    """All that a query may find of an item, as it is compared; what it repeats stands once."""
    events = [item.master, *(effective(item, slot) for slot in sorted(item.overrides))]
    lines = (line for event in events for line in folded_text(_text(event)).split("\n"))
    # SQLite's text ends at a NUL for some of its functions.
    return "\n".join(dict.fromkeys(lines)).replace("\0", " ")


def _text(event: Event) -> str:
    people = [f"{one.name} {one.address}" for one in event.attendees]
    if event.organizer is not None:
        people.append(f"{event.organizer.name} {event.organizer.address}")
    # A line each: no word reaches from one text into the next.
    return "\n".join((event.subject, event.location, event.body, *people, *event.categories))
