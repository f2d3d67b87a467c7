"""
What was asked for by a command and waits for the service, on the list of what is open.

Knows how such a wish reads, and how it is taken back as long as it has not left; what has left, and
of which nobody knows, can be let alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from syncd.core.errors import CommandError
from syncd.core.plan import problem_id
from syncd.core.state import CalendarKey, CalendarRecord, Errand, OutboxEntry, Problem
from syncd.core.wishes import word_of
from syncd.store.store import Store

__all__ = [
    "KEPT",
    "LISTED",
    "Kept",
    "errand_notice",
    "kept_errands",
    "kept_wishes",
    "open_matters",
    "take_back",
]

KEPT: Final = "kept-wish"
"""The code of their problems, which need nobody."""

IN_DOUBT: Final = "asked-in-doubt"
"""The code of what left, and of which nobody knows yet what became of it."""

LISTED: Final = frozenset((KEPT, IN_DOUBT))


@dataclass(frozen=True, slots=True)
class Kept:
    """A wish that has not left, and the problem as which it is listed."""

    calendar: CalendarKey
    entry: OutboxEntry
    problem: Problem

    @property
    def word(self) -> str:
        """What a person called it."""
        return word_of(self.entry.kind, self.entry.action)


async def kept_wishes(store: Store) -> list[Kept]:
    """All that waits to be sent, by calendar, oldest first."""
    return [
        Kept(calendar.key, entry, await _listed(store, calendar, entry))
        for calendar in await store.calendars()
        for entry in await store.asked(calendar.key)
    ]


async def open_matters(store: Store) -> list[Problem]:
    """Everything on the list, what was asked for and waits for the service at its end."""
    wishes = [one.problem for one in await kept_wishes(store)]
    return [*await store.problems(), *wishes, *(await kept_errands(store)).values()]


async def kept_errands(store: Store) -> dict[int, Problem]:
    """What was asked of mailboxes and is not done yet, by its number, oldest first."""
    return {one.number: _listed_errand(one) for one in await store.errands()}


def _listed_errand(errand: Errand) -> Problem:
    code, then, back = KEPT, "it is done when the service can be reached", "takes it back"
    if errand.state != "ready":
        then = "the service was asked for it, and whether it is so is being looked for"
        code, back = IN_DOUBT, "ends that; it may have been done"
    return errand_notice(errand, code, then, f"`syncd discard ID` {back}.", errand.since)


def errand_notice(errand: Errand, code: str, reason: str, hint: str, since: datetime) -> Problem:
    """An errand on the list. Args: since: aware UTC."""
    what = KEPT if code in LISTED else code
    return Problem(
        id=problem_id(errand.account, "", "", what, "errand", str(errand.number)),
        kind="notice",
        code=code,
        needs_person=False,
        account=errand.account,
        calendar="",
        uid=None,
        file="",
        summary=errand.attempt,
        line=0,
        reason=reason,
        hint=hint,
        since=since,
    )


async def _listed(store: Store, calendar: CalendarRecord, entry: OutboxEntry) -> Problem:
    known = (await store.items(calendar.key, [entry.uid])).get(entry.uid)
    base = known.base_local if known is not None else None
    account = calendar.account
    what = word_of(entry.kind, entry.action)
    of = f" of {entry.slot}" if entry.slot else ""
    to = f" to {', '.join(entry.mails)}" if entry.mails else ""
    return Problem(
        id=problem_id(account, calendar.id, entry.uid, KEPT, str(entry.number)),
        kind="notice",
        code=KEPT,
        needs_person=False,
        account=account,
        calendar=calendar.name,
        uid=entry.uid,
        file=str(known.file or "") if known is not None else "",
        summary=base.master.subject if base is not None else "",
        line=0,
        reason=f"{what!r}{of}{to}{_words(entry)} is sent when the service can be reached",
        hint="`syncd discard ID` takes it back.",
        since=entry.since,
    )


def _words(entry: OutboxEntry) -> str:
    """What goes along with it."""
    body = msgspec.json.decode(entry.body or b"{}", type=dict[str, Any])
    said = f' with the words "{body["comment"]}"' if body.get("comment") else ""
    time = body.get("proposedNewTime")
    return f"{said}, proposing {time['start']['dateTime'][:16]}" if time else said


async def take_back(store: Store, problem: Problem) -> Errand | None:
    """The errand that is over by it, if it was one. Raises: CommandError: it is on its way."""
    for kept in await kept_wishes(store):
        if kept.problem.id == problem.id and await store.withdraw(kept.entry.number):
            return None
    for errand in await store.errands():
        listed = _listed_errand(errand)
        is_it = (listed.id, listed.code) == (problem.id, problem.code)
        if is_it and await store.end_errand(errand.number, only_ready=listed.code == KEPT):
            return errand
    raise CommandError("it has just been sent", hint="`syncd log` tells what became of it.")
