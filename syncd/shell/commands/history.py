"""
`log`, `why`, `restore`, `undo`: what either side changed, who set what, and the way back.

Knows how versions, fields and returns are printed. What is written is written by the daemon or,
where none is running, by this process, and only as it was printed; the next round sends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import DiskTrouble, ExitCode
from syncd.shell.commands.common import (
    Invocation,
    ask,
    confirmed,
    json_option,
    open_store,
    pass_invocation,
    run,
    through_workshop,
    yes_option,
)
from syncd.shell.commands.completing import offering

if TYPE_CHECKING:
    from syncd.core.history import Origin, Reader, Step
    from syncd.core.ids import Uid
    from syncd.core.state import CalendarKey, HistoryRecord, ItemRecord
    from syncd.shell.config_model import Config
    from syncd.shell.way_back import Back, Return
    from syncd.shell.workshop import Workshop
    from syncd.store.store import Store

__all__ = ["log_command", "restore_command", "undo_command", "why_command"]

dry_option = click.option("--dry-run", is_flag=True, help="Print what would be done, only.")


# --- log -----------------------------------------------------------------------------------------


@click.command("log")
@click.argument("uid", required=False, shell_complete=offering("uid"))
@click.option("-n", "most", type=click.IntRange(1, 100_000), default=50, help="How many at most.")
@json_option
@pass_invocation
def log_command(invocation: Invocation, uid: str | None, most: int, as_json: bool) -> int:
    """List what either side changed, newest first; with UID, the versions of one event."""
    return run(_log(invocation.config(), uid, most, as_json=as_json))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record with its version; without one it tells of a write that was sent."""

    record: HistoryRecord
    step: Step | None
    fields: tuple[str, ...]


async def _log(config: Config, written: str | None, most: int, *, as_json: bool) -> int:
    from syncd.shell.output import print_json, say
    from syncd.shell.way_back import uid_named

    async with open_store(config) as store:
        uid = await uid_named(store, written) if written is not None else None
        pasts = _Pasts(config, store)
        found = [await pasts.entry(one) for one in await store.history(uid, most)]
        first = await pasts.first(uid) if uid is not None and len(found) < most else None
    if as_json:
        print_json([_entry_to_json(one) for one in found])
    elif not found:
        say("Nothing has changed yet.")
    else:
        _print_log(found, first)
    return ExitCode.OK


class _Pasts:
    """The versions of items, read once each."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._steps: dict[Uid, dict[int, Step]] = {}
        self._readers: dict[CalendarKey, Reader] = {}

    async def entry(self, record: HistoryRecord) -> _Entry:
        """A record with its version and the fields that it changed."""
        from syncd.core.history import changed_names

        if record.uid not in self._steps:
            self._steps[record.uid] = await self._steps_of(record.uid)
        step = self._steps[record.uid].get(record.number)
        if step is None:
            return _Entry(record, None, record.fields)
        return _Entry(record, step, changed_names(step, await self.reader(record.key)))

    async def _steps_of(self, uid: Uid) -> dict[int, Step]:
        from syncd.shell.way_back import records_of

        records = await records_of(self._store, uid)
        keys = {one.key for one in records}
        return {
            step.record.number: step
            for key in keys
            for step in await self.steps(uid, key, [one for one in records if one.key == key])
        }

    async def steps(
        self, uid: Uid, key: CalendarKey, records: Sequence[HistoryRecord]
    ) -> list[Step]:
        """The versions of an item in one calendar, oldest first."""
        from syncd.core.history import steps_of

        item = (await self._store.items(key, [uid])).get(uid)
        return steps_of(records, item.content if item is not None else None)

    async def reader(self, key: CalendarKey) -> Reader:
        """What reads the texts of a calendar's items."""
        from syncd.core.history import Reader
        from syncd.core.ids import AccountName
        from syncd.shell.way_back import owner_of

        if key not in self._readers:
            found = [one for one in await self._store.calendars() if one.key == key]
            account = found[0].account if found else AccountName("")
            owner = await owner_of(self._config, self._store, account)
            self._readers[key] = Reader(found[0].whose(owner) if found else owner)
        return self._readers[key]

    async def first(self, uid: Uid) -> Step | None:
        """The oldest version that is kept."""
        steps = self._steps.get(uid) or await self._steps_of(uid)
        return steps[min(steps)] if steps else None


def _entry_to_json(one: _Entry) -> dict[str, Any]:
    record, step = one.record, one.step
    before, after = (step.before, step.after) if step is not None else (b"", b"")
    return {
        "version": record.number,
        "kind": "version" if step is not None else "sent",
        "round": record.round,
        "at": record.at,
        "calendar": record.calendar,
        "uid": record.uid,
        "side": record.side,
        "what": record.what,
        "fields": list(one.fields),
        "before": (before or b"").decode("utf-8", "replace"),
        "after": (after or b"").decode("utf-8", "replace"),
        "mail": {"class": record.mail_kind, "to": list(record.mails)} if record.mail_kind else None,
    }


def _print_log(found: Sequence[_Entry], first: Step | None) -> None:
    from syncd.shell.output import table

    heads = ("version", "at (UTC)", "round", "side", "what", "calendar", "uid", "fields")
    rows = [_log_row(one) for one in found]
    if first is not None and first.before:
        record = first.record
        rows.append(("0", "", "", "", "as it was before", record.calendar, record.uid, ""))
    table(heads, rows)


def _log_row(one: _Entry) -> tuple[object, ...]:
    record = one.record
    fields = ", ".join(one.fields)
    if record.mail_kind:
        fields += f" (mail: {_mail(record.mail_kind, record.mails)})"
    return (
        record.number if one.step is not None else "",
        f"{record.at:%Y-%m-%d %H:%M:%S}",
        record.round or "",
        record.side,
        record.what if one.step is not None else f"sent: {record.what}",
        record.calendar,
        record.uid,
        fields.strip(),
    )


def _mail(kind: str, to: Iterable[str]) -> str:
    return f"{kind} to {', '.join(to)}"


# --- why -----------------------------------------------------------------------------------------


@click.command("why")
@click.argument("uid", shell_complete=offering("uid"))
@json_option
@pass_invocation
def why_command(invocation: Invocation, uid: str, as_json: bool) -> int:
    """Tell of each field of an event which side set it, in which round, and when."""
    return run(_why(invocation.config(), uid, as_json=as_json))


async def _why(config: Config, written: str, *, as_json: bool) -> int:
    from syncd.core.history import origins
    from syncd.shell.output import print_json, say
    from syncd.shell.way_back import records_of, uid_named

    async with open_store(config) as store:
        uid = await uid_named(store, written)
        records = await records_of(store, uid)
        key, record = await _where(store, uid, records)
        pasts = _Pasts(config, store)
        steps = await pasts.steps(uid, key, [one for one in records if one.key == key])
        reader = await pasts.reader(key)
    now = reader.item(record.content) if record is not None else None
    if now is None and record is not None:
        now = record.base_local or record.base_remote
    found = origins(steps, now, reader) if now is not None else []
    gone = steps[-1] if record is None and steps else None
    if as_json:
        print_json(
            {
                "uid": uid,
                "gone": _when_set(gone) if gone is not None else None,
                "fields": [_origin_to_json(one) for one in found],
            }
        )
    elif gone is not None:
        say(f"{uid} is gone: {gone.record.side} {gone.record.what}, {_round_of(gone)}.")
        say(f"`syncd restore {uid}@{gone.record.number}` brings it back.")
    else:
        _print_why(uid, found)
    return ExitCode.OK


async def _where(
    store: Store, uid: Uid, records: Sequence[HistoryRecord]
) -> tuple[CalendarKey, ItemRecord | None]:
    """Where the item is; where it was last, if it is gone."""
    found = [
        (one.key, items[uid])
        for one in await store.calendars()
        if uid in (items := await store.items(one.key, [uid]))
    ]
    if found:
        return max(found, key=lambda pair: pair[1].file is not None)
    return records[-1].key, None


def _when_set(step: Step) -> dict[str, Any]:
    record = step.record
    return {
        "side": record.side,
        "what": record.what,
        "round": record.round,
        "at": record.at,
        "version": record.number,
    }


def _origin_to_json(one: Origin) -> dict[str, Any]:
    import msgspec

    set_by = _when_set(one.step) if one.step is not None else None
    value = msgspec.to_builtins(one.value, str_keys=True)
    return {"field": one.key.name, "slot": one.key.slot, "value": value, "set": set_by}


def _print_why(uid: Uid, found: Iterable[Origin]) -> None:
    from syncd.core.history import named
    from syncd.shell.output import say, table

    say(uid, "bold")
    rows = [
        (
            named(one.key),
            _shown(one.value),
            one.step.record.side if one.step is not None else "",
            one.step.record.what if one.step is not None else "",
            _round_of(one.step) if one.step is not None else "before what is kept",
            one.step.record.number if one.step is not None else "",
        )
        for one in found
    ]
    table(("field", "value", "set by", "with", "in", "version"), rows)


def _round_of(step: Step) -> str:
    return f"round {step.record.round}, {step.record.at:%Y-%m-%d %H:%M:%S} UTC"


SHOWN_CHARACTERS = 60


def _shown(value: object) -> str:
    """A field's value on one line, cut where it is long."""
    from syncd.core.event import AllDay, Attendee, Person, Timed
    from syncd.core.recurrence import Recurrence
    from syncd.shell.commands.reading import shown_rule, shown_when

    match value:
        case None:
            text = "none"
        case bool():
            text = "yes" if value else "no"
        case Timed() | AllDay():
            text = shown_when(value)
        case Recurrence():
            text = shown_rule(value)
        case Person():
            text = value.address
        case tuple():
            text = ", ".join(
                one.address if isinstance(one, Attendee) else str(one) for one in value
            )
        case _:
            text = str(value)
    first, *more = text.split("\n")
    cut = first[:SHOWN_CHARACTERS]
    return f"{cut} …" if more or len(cut) < len(first) else cut


# --- restore and undo ----------------------------------------------------------------------------


@click.command("restore")
@click.argument("version", metavar="UID@VERSION", shell_complete=offering("uid"))
@dry_option
@json_option
@pass_invocation
def restore_command(invocation: Invocation, version: str, dry_run: bool, as_json: bool) -> int:
    """
    Make a version of an event its file again, as `syncd log UID` numbers them.

    It counts as an edit of the file: the next round merges and sends it by the usual rules. The
    version that it replaces is in the history.
    """
    config = invocation.config()
    return run(_go_back(config, "restore", version, dry=dry_run, yes=True, as_json=as_json))


@click.command("undo")
@click.argument("round_", metavar="ROUND", type=click.IntRange(1, 2**62))
@dry_option
@yes_option
@json_option
@pass_invocation
def undo_command(
    invocation: Invocation, round_: int, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """
    Take back what one round changed, as `syncd log` numbers them; what changed since is left.

    Files are written and removed as a person would: the next round sends it by the usual rules.
    """
    config = invocation.config()
    return run(_go_back(config, "undo", str(round_), dry=dry_run, yes=yes, as_json=as_json))


async def _go_back(
    config: Config, kind: str, what: str, *, dry: bool, yes: bool, as_json: bool
) -> int:
    from syncd.clock import SystemClock
    from syncd.shell.output import print_json, progress, say
    from syncd.shell.way_back import WayBack

    with progress("Looking …"):
        async with open_store(config) as store:
            way = WayBack(config, store, SystemClock())
            planned = await (way.restore(what) if kind == "restore" else way.undo(int(what)))
    if not as_json:
        _print_return(planned)
    done: list[dict[str, Any]] = []
    if not dry and _is_work(planned):
        if not confirmed("Do it?", yes=yes):
            say("Nothing was done.")
            return ExitCode.OK
        done = await _carried_out(config, kind, what, planned)
    if as_json:
        print_json({"items": [_back_to_json(one) for one in planned.backs], "done": done})
    else:
        _print_done(planned, done, dry=dry)
    if any(not one["done"] for one in done):
        raise DiskTrouble(
            "somebody saved or removed a file at this moment; it was left as it is",
            hint="Run the command again.",
        )
    return ExitCode.OK


def _is_work(planned: Return) -> bool:
    return any(one.what != "leave" for one in planned.backs)


async def _carried_out(
    config: Config, kind: str, what: str, planned: Return
) -> list[dict[str, Any]]:
    from syncd.shell.actions import go_back
    from syncd.shell.output import progress

    async def act(workshop: Workshop) -> list[dict[str, Any]]:
        return await go_back(workshop, kind, what, planned.exact)

    with progress("Doing it …") as observe:
        answer = await ask(config, {"do": kind, "what": what, "exact": planned.exact})
        if answer is not None:
            return list(answer["done"])
        return await through_workshop(config, observe, act)


_WORDS = {
    "create": "make its file again",
    "write": "write its file",
    "remove": "remove its file",
    "leave": "leave it",
}


def _print_return(planned: Return) -> None:
    from syncd.shell.output import say, table

    rows = [
        (
            _WORDS[one.what],
            f"{one.calendar.account}/{one.calendar.name}",
            one.file or "",
            one.summary or one.uid,
            one.reason or ", ".join(one.fields),
        )
        for one in planned.backs
    ]
    table(("what", "calendar", "file", "item", ""), rows)
    for one in planned.backs:
        for line in _warnings(one):
            say(f"  {one.summary or one.uid}: {line}", "yellow")


def _warnings(one: Back) -> list[str]:
    lines = []
    if one.guests:
        people = ", ".join(one.guests)
        lines.append(f"it invites {people}; mail to them goes by your policy: {one.rule}")
    if one.unsaved:
        lines.append("what the file holds now was not synced yet; it is kept in the history")
    if one.mails:
        sent = "; ".join(_mail(kind, to) for kind, to in one.mails.items())
        lines.append(f"mail that was sent cannot be taken back: {sent}")
    return lines


def _print_done(planned: Return, done: Sequence[Mapping[str, Any]], *, dry: bool) -> None:
    from syncd.shell.output import counted, say

    if not _is_work(planned):
        say("There is nothing to do.")
    elif dry:
        say("Nothing was written.")
    else:
        number = sum(bool(one["done"]) for one in done)
        say(f"{counted(number, 'file')} done. The next round (`syncd sync`) sends it.")


def _back_to_json(one: Back) -> dict[str, Any]:
    return {
        "uid": one.uid,
        "account": one.calendar.account,
        "calendar": one.calendar.name,
        "what": one.what,
        "file": one.file,
        "summary": one.summary,
        "fields": list(one.fields),
        "reason": one.reason,
        "guests": list(one.guests),
        "rule": one.rule,
        "mails": {kind: list(to) for kind, to in one.mails.items()},
    }
