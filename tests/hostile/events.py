"""
Events that no service should send, as the JSON of Graph.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

__all__ = ["EVENTS", "event_json", "series_json"]

MONDAY = date(2026, 3, 2)


def event_json(**members: Any) -> dict[str, Any]:
    """A plain event as Graph sends it, with some members changed."""
    return {
        "id": "AAMk1",
        "@odata.etag": "W/1",
        "type": "singleInstance",
        "iCalUId": "040000008200E00074C5B7101A82E008" + "0" * 80,
        "subject": "Lunch",
        "body": {"contentType": "html", "content": "<p>x</p>"},
        "start": {"dateTime": "2026-03-02T09:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-02T10:00:00.0000000", "timeZone": "UTC"},
        "originalStartTimeZone": "W. Europe Standard Time",
        "originalEndTimeZone": "W. Europe Standard Time",
        "isOrganizer": True,
        **members,
    }


def series_json(pattern: Any = None, span: Any = None, **members: Any) -> dict[str, Any]:
    """The same for a series, with some members of its recurrence changed."""
    weekly = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "sunday"}
    endless = {"type": "noEnd", "startDate": "2026-03-02", "endDate": "0001-01-01"}
    recurrence = {"pattern": {**weekly, **(pattern or {})}, "range": {**endless, **(span or {})}}
    return event_json(**{"type": "seriesMaster", "recurrence": recurrence, **members})


def _exception(**members: Any) -> dict[str, Any]:
    start = {"dateTime": "2026-03-09T11:00:00", "timeZone": "UTC"}
    end = {"dateTime": "2026-03-09T12:00:00", "timeZone": "UTC"}
    own = {"type": "exception", "start": start, "end": end, "originalStart": "2026-03-09T09:00:00Z"}
    return event_json(**{**own, **members})


def _at(text: Any, zone: Any = "UTC") -> dict[str, Any]:
    return {"dateTime": text, "timeZone": zone}


def _nested(depth: int) -> bytes:
    return b'{"id":"x","recurrence":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


_NULLABLE = (
    *(
        "type",
        "@odata.etag",
        "seriesMasterId",
        "iCalUId",
        "createdDateTime",
        "lastModifiedDateTime",
    ),
    *("subject", "body", "isAllDay", "originalStartTimeZone", "originalEndTimeZone", "recurrence"),
    *("originalStart", "occurrenceId", "location", "locations", "showAs", "sensitivity"),
    *("importance", "categories", "isReminderOn", "reminderMinutesBeforeStart", "attendees"),
    *("organizer", "isOrganizer", "isCancelled", "isDraft", "isOnlineMeeting", "onlineMeeting"),
    *("responseStatus", "responseRequested", "cancelledOccurrences", "exceptionOccurrences"),
    *("singleValueExtendedProperties", "allowNewTimeProposals", "hideAttendees"),
)

EVENTS: dict[str, tuple[str, bytes]] = {
    name: (verdict, given if isinstance(given, bytes) else json.dumps(given).encode())
    for name, (verdict, given) in {
        # no event at all
        "nothing": ("refused", b""),
        "no JSON": ("refused", b"<html>503</html>"),
        "half of it": ("refused", b'{"id":"x","subject":"'),
        "not UTF-8": ("refused", b'{"id":"\xff"}'),
        "a list": ("refused", []),
        "null": ("refused", None),
        "no members": ("refused", {}),
        "an id alone": ("refused", {"id": "x"}),
        "nested 100,000 deep": ("refused", _nested(100_000)),
        "nested 500 deep": ("refused", _nested(500)),
        "NaN": ("refused", b'{"id":"x","reminderMinutesBeforeStart":NaN}'),
        # wrong types
        "numbers for words": ("refused", event_json(subject=1)),
        "words for truths": ("refused", event_json(isAllDay="yes")),
        "an object for a list": ("refused", event_json(attendees={"0": None})),
        "nulls everywhere": ("item", event_json(**dict.fromkeys(_NULLABLE))),
        "nulls in lists": (
            "item",
            event_json(categories=[None, "", "a"], cancelledOccurrences=[None]),
        ),
        "a null id": ("refused", event_json(id=None)),
        # times
        "no start": ("refused", event_json(start=None)),
        "no end": ("refused", event_json(end=None)),
        "year 0": ("refused", event_json(start=_at("0000-00-00T00:00:00"))),
        "year 1": ("refused", event_json(start=_at("0001-01-01T00:00:00"))),
        "year 9999": ("refused", event_json(end=_at("9999-12-31T23:59:59"))),
        "year 10000": ("refused", event_json(end=_at("10000-01-01T00:00:00"))),
        "the last half-hour": (
            "item",
            event_json(start=_at("4500-12-31T22:30:00"), end=_at("4500-12-31T22:45:00")),
        ),
        "after the last half-hour": (
            "refused",
            event_json(start=_at("4500-12-31T23:30:00"), end=_at("4500-12-31T23:45:00")),
        ),
        "the first hour": (
            "item",
            event_json(
                start=_at("1601-01-01T08:00:00"),
                end=_at("1601-01-01T09:00:00"),
                originalStartTimeZone="Pacific Standard Time",
            ),
        ),
        "before the first hour": (
            "refused",
            event_json(
                start=_at("1601-01-01T00:00:00"),
                end=_at("1601-01-01T01:00:00"),
                originalStartTimeZone="Pacific Standard Time",
            ),
        ),
        "a month of 31 February": ("refused", event_json(start=_at("2026-02-31T00:00:00"))),
        "a week for a day": (
            "item",
            event_json(start=_at("2026-W10-1"), end=_at("2026-W10-1"), isAllDay=True),
        ),
        "an offset in a time": ("item", event_json(start=_at("2026-03-02T09:00:00+14:00"))),
        "a time that is a number": ("refused", event_json(start=_at(0))),
        "an empty time": ("refused", event_json(start=_at(""))),
        "an end before the start": ("item", event_json(end=_at("2026-03-01T09:00:00"))),
        "an all-day end before the start": (
            "item",
            event_json(end=_at("2025-03-01T00:00:00"), isAllDay=True),
        ),
        "a zone that nobody knows": (
            "item",
            event_json(originalStartTimeZone="Nowhere", start=_at("2026-03-02T09:00:00", "?")),
        ),
        "a zone of a million letters": ("item", event_json(originalStartTimeZone="x" * 10**6)),
        "the last whole day": (
            "item",
            event_json(
                start=_at("4500-12-31T00:00:00"), end=_at("4500-12-31T00:00:00"), isAllDay=True
            ),
        ),
        # series
        "an empty recurrence": ("refused", event_json(recurrence={})),
        "a pattern that is a list": (
            "refused",
            event_json(recurrence={"pattern": [], "range": []}),
        ),
        "a pattern of another kind": ("refused", series_json({"type": "hourly"})),
        "an interval of nothing": ("refused", series_json({"interval": 0})),
        "an interval of ages": ("refused", series_json({"interval": 2**40})),
        "an interval of truth": ("refused", series_json({"interval": True})),
        "a fraction of an interval": ("refused", series_json({"interval": 1.5})),
        "an interval of centuries": ("item", series_json({"interval": 99_999})),
        "days that are none": ("refused", series_json({"daysOfWeek": ["payday", None, 7]})),
        "a day 32": ("refused", series_json({"type": "absoluteMonthly", "dayOfMonth": 32})),
        "a month 13": (
            "refused",
            series_json({"type": "absoluteYearly", "dayOfMonth": 1, "month": 13}),
        ),
        "a 30th of February": (
            "item",
            series_json({"type": "absoluteYearly", "dayOfMonth": 30, "month": 2}),
        ),
        "a fifth week": ("refused", series_json({"type": "relativeMonthly", "index": "fifth"})),
        "a count of nothing": (
            "refused",
            series_json(span={"type": "numbered", "numberOfOccurrences": 0}),
        ),
        "a count without end": (
            "refused",
            series_json(span={"type": "numbered", "numberOfOccurrences": 10**12}),
        ),
        "a count of centuries": (
            "item",
            series_json(span={"type": "numbered", "numberOfOccurrences": 99_999}),
        ),
        "an end before the series": (
            "refused",
            series_json(span={"type": "endDate", "endDate": "1999-01-01"}),
        ),
        "an end of nothing": ("refused", series_json(span={"type": "endDate", "endDate": None})),
        "an end of all times": (
            "item",
            series_json(span={"type": "endDate", "endDate": "9999-12-31"}),
        ),
        "an end that is no day": (
            "refused",
            series_json(span={"type": "endDate", "endDate": "2026-02-31"}),
        ),
        "a zone that is a list": ("item", series_json(span={"recurrenceTimeZone": ["UTC"]})),
        "a series at the end of times": (
            "item",
            series_json(
                {"type": "daily"},
                start=_at("4500-12-31T09:00:00"),
                end=_at("4500-12-31T10:00:00"),
                cancelledOccurrences=["OID.x.4501-01-01", "OID.x.9999-12-31"],
            ),
        ),
        "odd cancellations": (
            "item",
            series_json(
                cancelledOccurrences=["", "x", "OID.x.2026-99-99", "OID.x.2026-03-09" * 99]
            ),
        ),
        "10,000 cancellations": (
            "item",
            series_json(
                {"type": "daily"},
                cancelledOccurrences=[f"OID.x.{MONDAY + timedelta(days=n)}" for n in range(10_000)],
            ),
        ),
        "an exception without times": (
            "refused",
            series_json(exceptionOccurrences=[_exception(start=None)]),
        ),
        "an exception of no slot": (
            "item",
            series_json(exceptionOccurrences=[_exception(originalStart=None)]),
        ),
        "an exception at the end of times": (
            "item",
            series_json(exceptionOccurrences=[_exception(originalStart="9999-12-31T23:59:59Z")]),
        ),
        "an exception that is moved away": (
            "item",
            series_json(
                exceptionOccurrences=[
                    _exception(start=_at("4500-12-31T00:00:00"), end=_at("4500-12-31T01:00:00"))
                ]
            ),
        ),
        "exceptions of exceptions": (
            "item",
            series_json(exceptionOccurrences=[_exception(exceptionOccurrences=[_exception()])]),
        ),
        "an exception twice": (
            "item",
            series_json(exceptionOccurrences=[_exception(), _exception(subject="b")]),
        ),
        # words
        "lone surrogates": (
            "refused",
            event_json(
                subject="\ud800",
                location={"displayName": "\udfff"},
                body={"contentType": "text", "content": "\ud83d"},
            ),
        ),
        "control characters": (
            "item",
            event_json(
                subject="".join(map(chr, range(32))),
                body={"contentType": "text", "content": "\0\x0b\x7f"},
            ),
        ),
        "lines of a file": (
            "item",
            event_json(
                subject="a\r\nEND:VEVENT\r\nX:", onlineMeeting={"joinUrl": "https://x/\r\nX:1"}
            ),
        ),
        "a subject of megabytes": ("item", event_json(subject="x\n" * 10**6)),
        "a body of megabytes": (
            "item",
            event_json(body={"contentType": "html", "content": "<div><pre>" * 200_000}),
        ),
        "a body of spaces": (
            "item",
            event_json(body={"contentType": "text", "content": " " * 10**6 + "x \n"}),
        ),
        "a UID of control characters": ("item", event_json(iCalUId="\n\x01 ")),
        "a UID of megabytes": ("uid-too-long", event_json(iCalUId="x" * 10**6)),
        "a wrapped UID that is cut": (
            "item",
            event_json(
                iCalUId="040000008200E00074C5B7101A82E008"
                + "0" * 48
                + "7643616C2D55696401000000"
                + "F"
            ),
        ),
        "the longest reminder": (
            "item",
            event_json(isReminderOn=True, reminderMinutesBeforeStart=2**31 - 1),
        ),
        "the latest reminder": (
            "item",
            event_json(isReminderOn=True, reminderMinutesBeforeStart=1 - 2**31),
        ),
        "a reminder of ages": (
            "item",
            event_json(isReminderOn=True, reminderMinutesBeforeStart=2**62),
        ),
        "a place at the other end": (
            "item",
            event_json(
                location={"displayName": "x", "coordinates": {"latitude": 1e308, "longitude": "x"}}
            ),
        ),
        "guests that are nobody": (
            "item",
            event_json(attendees=[{}, {"emailAddress": None}, {"emailAddress": {"address": None}}]),
        ),
        "5,000 guests": (
            "item",
            event_json(attendees=[{"emailAddress": {"address": f"a{n}@x"}} for n in range(5000)]),
        ),
    }.items()
}
"""By what they are: what `received` says of each, and its bytes."""
