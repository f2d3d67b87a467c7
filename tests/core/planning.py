"""Items as a round meets them, for tests of planning: read from a file's and an event's own bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from syncd.core.decide import Absent, MakeEvent, Present, Remote, RestoreFile, Same, Sides, decide
from syncd.core.ids import AccountName, CalendarId, FileName, Fingerprint, GraphId, ProblemId, Uid
from syncd.core.mail import MailPolicy
from syncd.core.plan import Desk, ItemPlan, plan_item
from syncd.core.policies import POLICIES
from syncd.core.state import ItemRecord, Problem, RemoteRecord, StoredStat, VerdictRecord
from syncd.core.wire.graph import decode_event, read_item, stamps
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_write import local_view, render
from tests.strategies import OWNER

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SAVED = datetime(2026, 3, 1, 8, tzinfo=UTC)
SEEN = datetime(2026, 3, 1, 7, tzinfo=UTC)
UID = Uid("u-1")
STAT = StoredStat(1, 2, 3, 4)
SEND_ALL = MailPolicy("send", "send", "send", "send")
WEEKLY = {
    "pattern": {
        "type": "weekly",
        "interval": 1,
        "daysOfWeek": ["monday"],
        "firstDayOfWeek": "sunday",
    },
    "range": {"type": "noEnd", "startDate": "2026-03-02"},
}


def moment(day: str, hour: int = 9) -> dict[str, str]:
    return {"dateTime": f"{day}T{hour:02}:00:00.0000000", "timeZone": "W. Europe Standard Time"}


def person(address: str, response: str = "none") -> dict[str, Any]:
    return {
        "emailAddress": {"address": address, "name": address.partition("@")[0]},
        "type": "required",
        "status": {"response": response},
    }


def there(**changes: Any) -> Remote:
    """An event on the service: "Stand-up" at nine on a Monday in March."""
    said: dict[str, Any] = {
        "id": "g-1",
        "@odata.etag": "e-1",
        "iCalUId": UID,
        "subject": "Stand-up",
        "body": {"contentType": "text", "content": ""},
        "start": moment("2026-03-02"),
        "end": moment("2026-03-02", 10),
        "originalStartTimeZone": "W. Europe Standard Time",
        "originalEndTimeZone": "W. Europe Standard Time",
        "location": {"displayName": "Room 1"},
        "organizer": {"emailAddress": {"address": "me@example.org", "name": "Me"}},
        "createdDateTime": "2026-01-01T00:00:00Z",
        "lastModifiedDateTime": "2026-01-02T00:00:00Z",
        **changes,
    }
    raw = json.dumps(said).encode()
    event = decode_event(raw)
    record = RemoteRecord(GraphId(event.id), UID, event.etag or "", raw, SEEN, 1)
    return Remote(record, event, read_item(event, OWNER))


def series(**changes: Any) -> Remote:
    """The same every Monday."""
    return there(type="seriesMaster", recurrence=WEEKLY, **changes)


def exception(day: str, **changes: Any) -> dict[str, Any]:
    """An occurrence that differs from its series."""
    return {
        "id": f"x-{day}",
        "type": "exception",
        "seriesMasterId": "g-1",
        "originalStart": f"{day}T08:00:00Z",
        "subject": "Stand-up",
        "body": {"contentType": "text", "content": ""},
        "start": moment(day),
        "end": moment(day, 10),
        "location": {"displayName": "Room 1"},
        **changes,
    }


def invited(**changes: Any) -> dict[str, Any]:
    """What makes an event somebody else's meeting, to which the owner is invited."""
    return {
        "isOrganizer": False,
        "organizer": {"emailAddress": {"address": "boss@example.com", "name": "Boss"}},
        "attendees": [person("me@example.org"), person("bob@example.org")],
        "responseStatus": {"response": "none"},
        **changes,
    }


def file_of(remote: Remote) -> bytes:
    """The file that syncd writes for an event."""
    return render(UID, remote.item, stamps(remote.event), OWNER)


def known(remote: Remote, **changes: Any) -> ItemRecord:
    """The item as both sides agreed on it."""
    agreed = ItemRecord(
        UID,
        graph_id=remote.record.graph_id,
        file=FileName("u-1.ics"),
        fingerprint=Fingerprint("f-1"),
        stat=STAT,
        base_local=local_view(remote.item),
        base_remote=remote.item,
        content=file_of(remote),
    )
    return replace(agreed, **changes)


def saved(data: bytes, record: ItemRecord | None = None) -> Present:
    """A file that was saved, as a round reads it."""
    file = read(data, OWNER, record.base_local if record is not None else None)
    assert isinstance(file, FileItem), file
    return Present(file, data, Fingerprint("f-2"), SAVED)


def edited(data: bytes, changes: Mapping[str, str]) -> bytes:
    """The file with texts replaced; each must be there."""
    for old, new in changes.items():
        assert old.encode() in data, (old, data.decode())
        data = data.replace(old.encode(), new.encode(), 1)
    return data


def event_text(*lines: str, uid: str = UID) -> bytes:
    """A file with one event, as somebody writes it."""
    return "\r\n".join(
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", "BEGIN:VEVENT", f"UID:{uid}"),
            *("DTSTAMP:20260101T000000Z", *lines, "END:VEVENT", "END:VCALENDAR", ""),
        ]
    ).encode()


NEW = ("SUMMARY:New", "DTSTART:20260302T090000Z", "DTEND:20260302T100000Z")


def desk(**changes: Any) -> Desk:
    """The desk of a calendar in which everything is allowed and nothing was decided yet."""
    given: dict[str, Any] = {
        "account": AccountName("work"),
        "calendar": CalendarId("c-1"),
        "calendar_name": "Calendar",
        "owner": OWNER,
        "now": NOW,
        "policy": POLICIES["remote"],
        "mail": MailPolicy(),
        "may_write": True,
        "why_not": "",
        "replace_rich": False,
        "foreign_meeting": "hold",
        "verdicts": {},
        "open_problems": {},
        "new_name": lambda uid, former: former or FileName(f"{uid}.ics"),
        **changes,
    }
    return Desk(**given)


READ_ONLY = {"may_write": False, "why_not": "the calendar is read-only"}


def planned(sides: Sides, at: Desk) -> ItemPlan:
    """What is decided of an item, and done about it; a plan and its problems say of which."""
    decision = decide(sides, at.policy)
    plan = plan_item(sides, decision, at)
    assert (plan.uid, plan.sides) == (sides.uid, sides)
    assert plan.decision == decision or isinstance(plan.decision, RestoreFile)
    assert {one.uid for one in plan.problems} <= {sides.uid}
    again = isinstance(decision, MakeEvent) and decision.again and sides.known is not None
    in_place_of = sides.known.graph_id if again and sides.known is not None else ""
    for write in plan.writes:
        assert write.kind == "respond" or write.action == (in_place_of or "")
    return plan


def made(*lines: str, at: Desk | None = None, uid: Uid = UID) -> ItemPlan:
    """The plan for a new file."""
    record = ItemRecord(uid, file=FileName(f"{uid}.ics"))
    return planned(Sides(uid, record, saved(event_text(*lines, uid=uid)), None), at or desk())


def after_save(
    before: Remote,
    changes: Mapping[str, str],
    *,
    now: Remote | None = None,
    at: Desk | None = None,
    record: ItemRecord | None = None,
) -> ItemPlan:
    """The plan where somebody edited the file, and perhaps the event moved to `now` meanwhile."""
    record = record or known(before)
    local = saved(edited(record.content, changes), record)
    return planned(Sides(UID, record, local, now or before), at or desk())


def after_change(before: Remote, now: Remote | None, *, at: Desk | None = None) -> ItemPlan:
    """The plan where only the service's event changed, or went."""
    return planned(Sides(UID, known(before), Same(), now), at or desk())


def after_deletion(
    before: Remote, now: Remote | None = None, *, at: Desk | None = None
) -> ItemPlan:
    """The plan where the file was deleted."""
    return planned(Sides(UID, known(before), Absent(), now or before), at or desk())


def told(at: Desk, problem: Problem, verdict: str) -> Desk:
    """The desk after a person decided of a problem that was listed."""
    record = VerdictRecord(problem.id, verdict, problem.exact)  # type: ignore[arg-type]
    verdicts: Mapping[ProblemId, VerdictRecord] = {**at.verdicts, problem.id: record}
    return replace(at, verdicts=verdicts, open_problems={problem.id: problem})


__all__ = [
    *("NEW", "NOW", "READ_ONLY", "SAVED", "SEEN", "SEND_ALL", "STAT", "UID", "WEEKLY"),
    *("after_change", "after_deletion", "after_save", "desk", "edited", "event_text", "exception"),
    *("file_of", "invited", "known", "made", "moment", "person", "planned", "saved", "series"),
    *("there", "told"),
]
