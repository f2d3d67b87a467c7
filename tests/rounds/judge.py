"""An independent judge: the instances that other people's libraries see in the folder."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import icalendar
import recurring_ical_events

Seen = tuple[str, str, str, str]


def in_folder(folder: Path, first: datetime, last: datetime) -> Counter[Seen]:
    """Summary, start, end and place of every instance in a window; all-day as dates."""
    found: Counter[Seen] = Counter()
    for path in folder.glob("*.ics"):
        calendar = icalendar.Calendar.from_ical(path.read_bytes())
        for one in recurring_ical_events.of(calendar).between(first, last):
            start, end = one["DTSTART"].dt, one["DTEND"].dt
            place = str(one.get("LOCATION", ""))
            found[(str(one.get("SUMMARY", "")), _text(start), _text(end), place)] += 1
    return found


def on_service(box: Any, calendar: str, first: datetime, last: datetime) -> Counter[Seen]:
    """The same of what the simulator's mailbox lists."""
    found: Counter[Seen] = Counter()
    for one in box.instances(calendar, first, last):
        start, end = one.start, one.end
        if one.values.get("isAllDay"):
            times = start.local.date().isoformat(), end.local.date().isoformat()
        else:
            times = _text(start.instant), _text(end.instant)
        place = (one.values.get("location") or {}).get("displayName", "")
        found[(_line(one.subject), *times, _line(place))] += 1
    return found


def _text(at: date | datetime) -> str:
    return at.astimezone(UTC).isoformat() if isinstance(at, datetime) else at.isoformat()


def _line(text: str) -> str:
    flat = text.replace("\r\n", " ")
    return "".join(c if c >= " " and c != "\x7f" else " " for c in flat).strip()
