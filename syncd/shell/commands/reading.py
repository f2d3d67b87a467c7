"""
`status`, `agenda`, `search`, `show`: read-only questions to the local state, answered offline.

Knows how stored things read. Asks the daemon only when its next rounds are; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import CommandError, ExitCode, SyncdError
from syncd.shell.commands.common import (
    Invocation,
    ask,
    json_option,
    open_store,
    pass_invocation,
    run,
)
from syncd.shell.commands.completing import offering

if TYPE_CHECKING:
    from syncd.core.event import Event, Item, When
    from syncd.core.mailbox_settings import MailboxSettings
    from syncd.core.recurrence import Recurrence
    from syncd.core.search import Query
    from syncd.core.state import CalendarRecord, ItemRecord
    from syncd.core.wire.graph import Proposal
    from syncd.shell.config_model import Account, Config
    from syncd.shell.moments import Moment
    from syncd.store.store import Store

__all__ = [
    "agenda_command",
    "search_command",
    "show_command",
    "shown_rule",
    "shown_when",
    "status_command",
]

AGENDA_DAYS = 7
SEARCH_DAYS = 400
AGENDA_MOST_DAYS = 3700
FIRST_YEAR, LAST_YEAR = 1601, 4500  # MS-OXCICAL: what Exchange can hold


# --- status --------------------------------------------------------------------------------------


@click.command("status")
@click.option("--max-age", metavar="D", help="Exit with 4 if a calendar is older: 90s, 10m, 1h.")
@json_option
@pass_invocation
def status_command(invocation: Invocation, max_age: str | None, as_json: bool) -> int:
    """Tell of each calendar how it is: rounds, items, what is held, the age of the login."""
    most_s = _duration(max_age) if max_age is not None else None
    return run(_status(invocation.config(), most_s, as_json=as_json))


def _duration(written: str) -> int:
    from syncd.shell.durations import parse_duration

    try:
        return parse_duration(written)
    except ValueError as error:
        raise CommandError(
            f"--max-age {written!r}: {error}", hint='Write for example "90s", "10m" or "1h".'
        ) from error


async def _status(config: Config, most_s: int | None, *, as_json: bool) -> int:
    from syncd.shell.kept import kept_errands
    from syncd.shell.output import print_json, say

    now = datetime.now(UTC)
    async with open_store(config) as store:
        states = await store.calendar_states()
        notices = [one for one in await store.problems() if one.code == "state-set-aside"]
        kept = (await kept_errands(store)).values()
    logins: dict[str, float | None] = {
        name: await _login_age_s(config, account, now) for name, account in config.accounts.items()
    }
    daemon = await _daemon(config)
    told = [_told(state, now, logins, daemon) for state in states if state["account"] in logins]
    silent = set(logins) - {one["account"] for one in told}
    if as_json:
        aside = [one.file for one in notices]
        asked = [{"account": one.account, "what": one.summary} for one in kept]
        running = daemon is not None
        print_json({"running": running, "calendars": told, "asked": asked, "set_aside": aside})
    else:
        _print_status(told)
        for one in notices:
            say(f"{one.file}: {one.reason}; see `syncd problems show {one.id}`.", "yellow")
        for one in kept:
            say(f"{one.account}: {one.summary}: {one.reason} (`syncd problems`).")
        for name in sorted(silent):
            say(f"{name}: nothing is known yet; run `syncd sync {name}`.")
        say("The daemon is running." if daemon is not None else "No daemon is running.")
    if most_s is None:
        return ExitCode.OK
    stale = bool(silent) or any(_is_stale(one, most_s) for one in told)
    return ExitCode.PERSON if stale else ExitCode.OK


async def _login_age_s(config: Config, account: Account, now: datetime) -> float | None:
    """Seconds since the login last gave a new token; None where nobody can tell."""
    from syncd.clock import SystemClock
    from syncd.shell.workshop import login_of

    try:
        state = await login_of(config, account, SystemClock()).state()
    except SyncdError:
        return None
    return (now - state.renewed).total_seconds() if state.renewed else None


async def _daemon(config: Config) -> dict[str, Any] | None:
    try:
        return await ask(config, {"do": "status"})
    except SyncdError:
        return None


def _told(
    state: Mapping[str, Any],
    now: datetime,
    logins: Mapping[str, float | None],
    daemon: Mapping[str, Any] | None,
) -> dict[str, Any]:
    ok_at, round_at = _instant(state["last_ok_at"]), _instant(state["last_round_at"])
    upcoming: Mapping[str, Any] = (daemon or {}).get("next") or {}
    account, calendar = state["account"], state["calendar"]
    return {
        "account": account,
        "calendar": calendar,
        "folder": state["folder"],
        "status": state["status"],
        "last_round": round_at,
        "last_ok": ok_at,
        "age_s": (now - ok_at).total_seconds() if ok_at else None,
        "next_round": upcoming.get(f"{account}/{calendar}", upcoming.get(account)),
        "items": state["items"],
        "pending": state["pending"],
        "held": state["held"],
        "problems": state["problems"],
        "token_age_s": logins.get(account),
        "error": state["last_error"] or "",
    }


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _is_stale(told: Mapping[str, Any], most_s: int) -> bool:
    if told["status"] != "active":
        return False
    # A clock that was set back makes the last round lie ahead: it is not fresh for that.
    return told["age_s"] is None or not -60 <= told["age_s"] <= most_s


def _print_status(told: Sequence[Mapping[str, Any]]) -> None:
    from syncd.shell.output import age, say, table

    rows = [
        (
            f"{one['account']}/{one['calendar']}",
            "never" if one["age_s"] is None else f"{age(one['age_s'])} ago",
            _shown_next(one["next_round"]),
            one["items"],
            one["pending"],
            one["held"],
            one["problems"],
            "" if one["token_age_s"] is None else age(one["token_age_s"]),
            one["error"] if one["status"] == "active" else "not synced any more",
        )
        for one in told
    ]
    if rows:
        heads = ("calendar", "in sync", "next", "items", "pending", "held", "problems", "login")
        table((*heads, "error"), rows)
    if any(one["problems"] or one["pending"] for one in told):
        say("`syncd problems` lists what is held, and what waits to be sent.")


def _shown_next(value: object) -> str:
    from syncd.shell.output import age

    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"in {age(value)}"
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    if at.tzinfo is None:
        return str(value)
    return f"in {age((at - datetime.now(UTC)).total_seconds())}"


# --- agenda --------------------------------------------------------------------------------------


def _read_day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    """A day as people write it: 2031-03-04, today, tomorrow, +7d, -1d."""
    if value is None:
        return None
    try:
        day = _day(value)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise ValueError(value)
    except (ValueError, OverflowError):
        shown = f"{value!r} is no day; write 2031-03-04, today, tomorrow or +7d"
        raise click.BadParameter(shown, ctx, param) from None
    return day


def _day(text: str) -> date:
    today = datetime.now().astimezone().date()
    words = {"yesterday": -1, "today": 0, "tomorrow": 1}
    if text in words:
        return today + timedelta(days=words[text])
    if text[:1] in "+-" and text[-1:] == "d":
        return today + timedelta(days=int(text[:-1]))
    return date.fromisoformat(text)


@click.command("agenda")
@click.option(
    "--from", "first", metavar="D", callback=_read_day, help="The first day [default: today]."
)
@click.option(
    "--to",
    "last",
    metavar="D",
    callback=_read_day,
    help="The last day [default: a week after the first].",
)
@json_option
@pass_invocation
def agenda_command(
    invocation: Invocation, first: date | None, last: date | None, as_json: bool
) -> int:
    """List what happens on some days, from the local state."""
    first = first or _day("today")
    last = last or first + timedelta(days=AGENDA_DAYS)
    return run(_agenda(invocation.config(), *_checked(first, last), as_json=as_json))


def _checked(first: date, last: date) -> tuple[date, date]:
    if (last - first).days > AGENDA_MOST_DAYS:
        raise CommandError("this is more than ten years", hint="Ask for fewer days.")
    if last < first:
        raise CommandError(f"--to {last} lies before --from {first}")
    return first, last


async def _agenda(config: Config, first: date, last: date, *, as_json: bool) -> int:
    from syncd.shell.output import print_json

    async with open_store(config) as store:
        found = [
            one
            for account in config.accounts.values()
            for one in await _moments(store, account, first, last)
        ]
        settings = await _settings(store, config)
    found.sort(key=lambda one: one[2].order)
    if as_json:
        print_json([_moment_to_json(*one) for one in found])
    else:
        _print_agenda(found, settings)
    return ExitCode.OK


Found = tuple["CalendarRecord", "ItemRecord", "Moment"]


async def _moments(store: Store, account: Account, first: date, last: date) -> list[Found]:
    from syncd.shell.finding import item_of
    from syncd.shell.moments import Span, moments_of

    span = Span(first, last, await _zone(store, account))
    found: list[Found] = []
    for calendar in await store.calendars(account.name):
        for record in await store.all_items(calendar.key):
            item = item_of(record)
            if item is not None:
                found += [(calendar, record, moment) for moment in moments_of(item, span)]
    return found


async def _settings(store: Store, config: Config) -> MailboxSettings:
    """How days and times are written: as the first mailbox has it that tells."""
    from syncd.core.mailbox_settings import MailboxSettings

    known = [await store.account(name) for name in config.accounts]
    told = (one.settings for one in known if one is not None and one.settings.date_format)
    return next(told, MailboxSettings())


async def _zone(store: Store, account: Account) -> tzinfo:
    """The mailbox's zone; this machine's where that is not known."""
    from syncd.core.zones import windows_zone, zone_info

    known = await store.account(account.name)
    zone = windows_zone(known.zone) if known is not None and known.zone else None
    return zone_info(zone) if zone is not None else _local_zone()


def _local_zone() -> tzinfo:
    import tzlocal

    return tzlocal.get_localzone()


def _moment_to_json(calendar: CalendarRecord, record: ItemRecord, moment: Moment) -> dict[str, Any]:
    event = moment.event
    return {
        "account": calendar.account,
        "calendar": calendar.name,
        "uid": record.uid,
        "summary": event.subject,
        "start": moment.start.date() if moment.all_day else moment.start.isoformat(),
        "end": moment.end.date() if moment.all_day else moment.end.isoformat(),
        "all_day": moment.all_day,
        "location": event.location,
        "show_as": event.show_as,
        "cancelled": event.is_cancelled,
        "file": f"{calendar.account}/{calendar.folder}/{record.file}" if record.file else "",
    }


def _print_agenda(found: Iterable[Found], settings: MailboxSettings) -> None:
    from itertools import groupby

    from syncd.core.mailbox_settings import shown_day
    from syncd.shell.output import say, table

    days = groupby(found, key=lambda one: one[2].start.date())
    empty = True
    for day, group in days:
        empty = False
        say(f"{day:%A} {shown_day(day, settings.date_format)}", "bold")
        table(("", "", "", ""), [_agenda_row(*one, settings) for one in group])
    if empty:
        say("Nothing.")


def _agenda_row(
    calendar: CalendarRecord, record: ItemRecord, moment: Moment, settings: MailboxSettings
) -> tuple[str, ...]:
    event = moment.event
    summary = f"{event.subject or '(no subject)'}{' (cancelled)' if event.is_cancelled else ''}"
    return (f"  {_times(moment, settings)}", summary, event.location, calendar.name)


def _times(moment: Moment, settings: MailboxSettings) -> str:
    from syncd.core.mailbox_settings import shown_day, shown_time

    first, last = moment.start.date(), moment.end.date()
    if moment.all_day:
        last -= timedelta(days=1)
        return "all day" if last <= first else f"until {shown_day(last, settings.date_format)}"
    start, end = (shown_time(at, settings.time_format) for at in (moment.start, moment.end))
    day = "" if first == last else f"{shown_day(last, settings.date_format)} "
    return f"{start}-{day}{end}"


# --- search --------------------------------------------------------------------------------------


@click.command("search")
@click.argument("words", nargs=-1, required=True, metavar="TEXT...")
@json_option
@pass_invocation
def search_command(invocation: Invocation, words: tuple[str, ...], as_json: bool) -> int:
    """
    List the events in which all words occur, whatever their case and accents.

    Looks into subject, text, place, people and categories, in the local state.
    """
    from syncd.core.search import Query

    query = Query.of(" ".join(words))
    if not query.words:
        raise CommandError("there is no word to look for")
    return run(_search(invocation.config(), query, as_json=as_json))


async def _search(config: Config, query: Query, *, as_json: bool) -> int:
    from syncd.shell.output import print_json, progress

    with progress("Searching …"):
        async with open_store(config) as store:
            found = [
                one
                for account in config.accounts.values()
                for one in await _found(store, account, query)
            ]
            settings = await _settings(store, config)
    found.sort(key=lambda one: one[2].order)
    if as_json:
        print_json([_moment_to_json(*one) for one in found])
    else:
        _print_agenda(found, settings)
    return ExitCode.OK


async def _found(store: Store, account: Account, query: Query) -> list[Found]:
    zone = await _zone(store, account)
    return [
        (calendar, record, moment)
        for calendar in await store.calendars(account.name)
        for record in await store.items_with(calendar.key, query)
        for moment in _hits(record, query, zone)
    ]


def _hits(record: ItemRecord, query: Query, zone: tzinfo) -> list[Moment]:
    """Where an item has the words: a series tells its next occurrence, or else its first."""
    from syncd.shell.finding import item_of, told_by_file
    from syncd.shell.moments import Span, moment_of, moments_of

    # A file whose stamp is not known may hold more than both sides have agreed on.
    item = (told_by_file(record) if record.fingerprint is None else None) or item_of(record)
    if item is None:
        return []
    found: list[Moment | None] = []
    for slot in query.slots(item):
        upcoming: Moment | None = None
        if slot is None and item.recurrence is not None:
            today = _day("today")
            span = Span(today, today + timedelta(days=SEARCH_DAYS), zone)
            upcoming = min(moments_of(item, span), key=lambda one: one.order, default=None)
        found.append(upcoming or moment_of(item, slot, zone))
    return [one for one in found if one is not None]


# --- one event -----------------------------------------------------------------------------------


@click.command("show")
@click.argument("uid", required=False, default="", shell_complete=offering("uid"))
@click.option("--match", "words", metavar="TEXT", default="", help="Look for words.")
@click.option(
    "--from", "first", metavar="D", callback=_read_day, help="Its occurrences from that day on."
)
@click.option(
    "--to",
    "last",
    metavar="D",
    callback=_read_day,
    help="Until that day [default: 400 days later].",
)
@json_option
@pass_invocation
def show_command(
    invocation: Invocation,
    uid: str,
    words: str,
    first: date | None,
    last: date | None,
    as_json: bool,
) -> int:
    """
    Show one event in full: a series with its rule, or with `--from` its occurrences.

    UID may be shortened to any unique beginning; `--match TEXT` finds the event by its words.
    """
    if bool(uid) == bool(words):
        raise click.UsageError("say which event: the beginning of its UID, or --match with words")
    if last is not None and first is None:
        first = _day("today")
    days = None
    if first is not None:
        days = _checked(first, last or first + timedelta(days=SEARCH_DAYS))
    return run(_show(invocation.config(), uid, words, days, as_json=as_json))


async def _show(
    config: Config, uid: str, words: str, days: tuple[date, date] | None, *, as_json: bool
) -> int:
    import msgspec

    from syncd.shell.finding import item_of
    from syncd.shell.moments import Span, moments_of
    from syncd.shell.output import print_json

    async with open_store(config) as store:
        calendar, record = await _item_named(store, uid, words)
        settings = await _settings(store, config)
        account = config.accounts.get(calendar.account)
        zone = await _zone(store, account) if account is not None else _local_zone()
        proposed = await _proposals(store, calendar, record)
    item = item_of(record)
    found: list[Found] = []
    if days is not None and item is not None:
        moments = sorted(moments_of(item, Span(*days, zone)), key=lambda one: one.order)
        found = [(calendar, record, one) for one in moments]
    path = config.export_dir / calendar.account / calendar.folder / (record.file or "")
    file = str(path) if record.file else ""
    if as_json:
        told = _item_to_json(calendar, record, item, file)
        told["proposals"] = msgspec.to_builtins(proposed)
        if days is not None:
            told["occurrences"] = [_moment_to_json(*one) for one in found]
        print_json(told)
    elif days is not None:
        _print_agenda(found, settings)
    else:
        _print_item(calendar, record, item, file, proposed)
    return ExitCode.OK


async def _proposals(store: Store, calendar: CalendarRecord, record: ItemRecord) -> list[Proposal]:
    """Other times that guests propose; whoever agrees edits the event."""
    import msgspec

    from syncd.core.wire.graph import decode_event, proposals

    remotes = await store.remotes_by_uid(calendar.key, [record.uid])
    for one in remotes.get(record.uid, ()):
        if one.graph_id == record.graph_id:
            with suppress(ValueError, msgspec.DecodeError):
                return proposals(decode_event(one.raw))
    return []


async def _item_named(store: Store, uid: str, words: str) -> tuple[CalendarRecord, ItemRecord]:
    """Raises: CommandError: no item, or more than one, is called so."""
    from syncd.shell.finding import items_meant, listed

    found = await items_meant(store, await store.calendars(), uid, words)
    if not found:
        hint = "`syncd agenda` and `syncd search` show what there is; `syncd log`, what was."
        raise CommandError(f"{uid or words!r} names no event that is there", hint=hint)
    if len({record.uid for _, record in found}) > 1:
        said = f"{words!r} may be any of these:\n{listed(found)}"
        raise CommandError(said, hint="Write more words, or its UID.")
    # The same UID may be known in two calendars while it moves: where its file is counts.
    return max(found, key=lambda pair: pair[1].file is not None)


def _item_to_json(
    calendar: CalendarRecord, record: ItemRecord, item: Item | None, file: str
) -> dict[str, Any]:
    import msgspec

    return {
        "account": calendar.account,
        "calendar": calendar.name,
        "uid": record.uid,
        "id": record.graph_id,
        "file": file,
        "local_only": record.local_only,
        "event": msgspec.to_builtins(item, str_keys=True) if item is not None else None,
    }


def _print_item(
    calendar: CalendarRecord,
    record: ItemRecord,
    item: Item | None,
    file: str,
    proposed: Iterable[Proposal],
) -> None:
    from syncd.shell.output import say

    say(item.master.subject or "(no subject)" if item is not None else record.uid, "bold")
    rows = [
        ("uid", record.uid),
        ("calendar", f"{calendar.account}/{calendar.name}"),
        ("file", file or "none"),
        ("id", record.graph_id or "not on the service"),
    ]
    if item is not None:
        rows += _event_rows(item.master) + _series_rows(item)
    rows += [
        ("proposed", f"{one.start} to {one.end} {one.zone}, by {one.address}") for one in proposed
    ]
    for name, value in rows:
        if value:
            say(f"  {name + ':':<12} {value}")
    if item is not None and item.master.body:
        say()
        say(item.master.body)


def _event_rows(event: Event) -> list[tuple[str, str]]:
    from syncd.shell.output import size

    reminder = "" if event.reminder_min is None else f"{event.reminder_min} min before"
    people = ", ".join(f"{one.address} ({one.status})" for one in event.attendees)
    return [
        ("when", shown_when(event.when)),
        ("where", event.location),
        ("organizer", event.organizer.address if event.organizer else ""),
        ("people", people),
        ("answer", event.response if event.invited_as else ""),
        ("shown as", event.show_as),
        ("categories", ", ".join(event.categories)),
        ("sensitivity", event.sensitivity if event.sensitivity != "normal" else ""),
        ("importance", event.importance if event.importance != "normal" else ""),
        ("reminder", reminder),
        ("join", event.join_url),
        ("attached", ", ".join(f"{one.name} ({size(one.size_bytes)})" for one in event.attached)),
        ("state", "cancelled" if event.is_cancelled else ""),
    ]


def shown_when(when: When) -> str:
    """A time as people read it, with its zones."""
    from syncd.core.event import AllDay

    if isinstance(when, AllDay):
        last = when.end - timedelta(days=1)
        return f"{when.start}" if last <= when.start else f"{when.start} to {last}"
    end_zone = "" if when.end_zone == when.start_zone else f" {when.end_zone}"
    return f"{when.start:%Y-%m-%d %H:%M} {when.start_zone} to {when.end:%Y-%m-%d %H:%M}{end_zone}"


def _series_rows(item: Item) -> list[tuple[str, str]]:
    if item.recurrence is None:
        return []
    return [
        ("repeats", shown_rule(item.recurrence)),
        *((str(slot), _own(item, slot)) for slot in sorted(item.overrides)),
        ("not on", ", ".join(sorted(map(str, item.cancelled)))),
    ]


def _own(item: Item, slot: date) -> str:
    """What one occurrence has of its own, one's own answer to it among that."""
    import msgspec

    from syncd.core.event import effective

    event, series = effective(item, slot), dict(_event_rows(item.master))
    # Its day alone makes another time of it, which is no change.
    moved = item.overrides[slot].when is not msgspec.UNSET
    told = [event.subject] if event.subject != item.master.subject else []
    told += [
        f"{name}: {value or 'none'}"
        for name, value in _event_rows(event)
        if value != series[name] and (name != "when" or moved)
    ]
    return "; ".join(told) or "changed"


def shown_rule(rule: Recurrence) -> str:
    """A rule in a few words."""
    told = [rule.type, f"every {rule.interval}" if rule.interval > 1 else "", *rule.days]
    if rule.count:
        told.append(f"{rule.count} times")
    if rule.until:
        told.append(f"until {rule.until}")
    return " ".join(filter(None, told))
