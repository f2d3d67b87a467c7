"""
What of a file cannot go to the service, and why: a value, with the smallest group it concerns.

Everything else of the item goes on syncing both ways.
"""

from __future__ import annotations

from dataclasses import dataclass

from syncd.core.recurrence import REFUSALS

__all__ = ["Hold", "HoldCode", "hold"]

HoldCode = str


@dataclass(frozen=True, slots=True)
class Hold:
    """
    One held group of fields.

    `slot` is "" for the master or the ISO date of an override; `fields` are members of
    `syncd.core.event` (empty: the whole item); `line` counts from 1, 0 is no line in particular.
    """

    code: HoldCode
    slot: str
    fields: frozenset[str]
    line: int
    reason: str
    hint: str


_HINTS = {
    "unknown-tzid": "Use an IANA or Windows zone name, or add a VTIMEZONE for it.",
    "zone-not-expressible": "Move the series to a zone that Outlook knows.",
    "z-and-tzid": "Drop either the Z or the TZID.",
    "ends-before-start": "Put DTEND after DTSTART.",
    "dtend-and-duration": "Keep either DTEND or DURATION.",
    "mixed-date-types": "Make DTSTART and DTEND both dates or both date-times.",
    "date-with-time-duration": "Give whole days or weeks, for example DURATION:P1D.",
    "bad-time": "Write DTSTART as 20260701 or 20260701T100000.",
    "year-out-of-range": "Outlook holds the years 1601 to 4500.",
    "too-long": "Make it a series, or shorter than 1,825 days.",
    "several-rules": "Make one file for each rule.",
    "recurring-override": "Remove RRULE, RDATE and EXDATE from the override.",
    "orphan-override": "Its RECURRENCE-ID names no occurrence of the series: remove the override.",
    "two-overrides": "Keep one VEVENT for each RECURRENCE-ID.",
    "cancelled-override": "Remove the override and add an EXDATE to leave the occurrence out.",
    "this-and-future": "End the series with UNTIL and make a second file for the rest.",
    "range": "Remove RANGE from the RECURRENCE-ID to change that one occurrence.",
    "multiple-location": "Keep one LOCATION line.",
    "category-separator": "Outlook cannot hold a category with a comma or semicolon.",
    "category-too-long": "Outlook holds up to 255 characters.",
    "foreign-meeting": 'Accept the invitation, or set foreign_meeting = "copy" to keep the event.',
    "too-many-attendees": "Outlook holds up to 500 attendees.",
    "crosses-neighbour": "Keep the occurrence between the ones before and after it.",
    "cannot-restore-occurrence": "Create the meeting again in a file of its own.",
    **{code: suggestion for code, (_, suggestion) in REFUSALS.items()},
}


def hold(
    code: str, reason: str, *, slot: str = "", fields: frozenset[str], line: int = 0, hint: str = ""
) -> Hold:
    """A hold with the usual hint of its code."""
    return Hold(code, slot, fields, line, reason, hint or _HINTS.get(code, ""))
