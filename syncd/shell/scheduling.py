"""
Free and busy times, times for a meeting, reminders: asked of the service, told from the state.

Knows which days and times people mean, in how many questions an answer comes, what is told offline,
and how a time that was found becomes a file. Nothing here writes to the service: a meeting is a new
file in the default calendar's folder, and goes out by the next round and its mail policy.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import msgspec

from syncd.core.errors import (
    BadAnswer,
    CommandError,
    DiskTrouble,
    ExitCode,
    SyncdError,
    Unreachable,
)
from syncd.core.event import FIRST_YEAR, LAST_YEAR, Attendee, Event, Item, Person, ShowAs, Timed
from syncd.core.free_busy import Availability, Busy, day_span
from syncd.core.ids import AccountName, FileName, GraphId, Uid
from syncd.core.mailbox_settings import MailboxSettings, shown_day, shown_time
from syncd.core.owner import Owner
from syncd.core.state import CalendarRecord, ItemRecord
from syncd.core.wire.dialects.graph_scheduling import (
    MOST_ADDRESSES,
    Found,
    GraphScheduling,
    MeetingWish,
    Place,
    Reminder,
    Suggestion,
    Window,
)
from syncd.core.wire.ics_read import FileItem, read
from syncd.core.wire.ics_write import Stamps, render
from syncd.core.zones import UTC_ZONE, WindowsZone, instant, wall_time, windows_zone, zone_info
from syncd.ports import Answer, Failed, Taken, WriteFile, Wrote
from syncd.shell.config import Account, Config, SyncSettings
from syncd.shell.directory import Directory, directory_of
from syncd.shell.moments import Span, moments_of
from syncd.shell.way_back import WayBack, owner_of
from syncd.shell.workshop import Workshop
from syncd.store.schedules import Schedules
from syncd.store.store import Store

__all__ = [
    "Home",
    "Known",
    "Scheduling",
    "Written",
    "addresses_in",
    "meeting_file",
    "new_uid",
    "own_address",
    "own_busy",
    "scheduling_of",
    "why_none",
    "write_meeting",
    "zone_of",
]

PATIENCE_S: Final = 5.0
"""Somebody waits at a terminal, and what was known before is better than a long silence."""
MOST_PAGES: Final = 100
LONGEST_ADDRESS: Final = 320  # RFC 3696, erratum 1690, rounded up as everybody does
SHARED_READ: Final = "Calendars.Read.Shared"
SHARED_WRITE: Final = "Calendars.ReadWrite.Shared"
CALENDARS_READ: Final = "Calendars.Read"


# --- what people write ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Written:
    """
    Reads days and times as people write them, on the clocks of a mailbox, and shows them.

    Args: zone: the mailbox's. now: aware. settings: with the formats of the mailbox.
    """

    zone: WindowsZone
    now: datetime
    settings: MailboxSettings = field(default_factory=MailboxSettings)

    def day(self, text: str) -> date:
        """
        A day: 2031-03-04, today, tomorrow, yesterday, +7d, -1d.

        Raises: CommandError: it is none.
        """
        try:
            return _in_range(self._day(text))
        except (ValueError, OverflowError):
            raise CommandError(
                f"{text!r} is no day", hint="Write 2031-03-04, today, tomorrow or +7d."
            ) from None

    def days(self, first: str | None, last: str | None, *, most: int, further: int) -> list[date]:
        """
        The days from one to another, both included; one day, and so many more, where none is named.

        Raises: CommandError: an end before the start, or more than `most` days.
        """
        begin = self.day(first or "today")
        end = self.day(last) if last is not None else begin + timedelta(days=further)
        if end < begin:
            raise CommandError(f"{end} lies before {begin}")
        if (end - begin).days >= most:
            raise CommandError(f"this is more than {most} days", hint="Ask for fewer days.")
        return [begin + timedelta(days=n) for n in range((end - begin).days + 1)]

    def moment(self, text: str, *, is_end: bool = False, day: date | None = None) -> datetime:
        """
        An instant, aware UTC: a day and a time, with or without an offset, or a day, or `now`.

        Args: is_end: a day alone means its end. day: that of a time alone.
        Raises: CommandError: it is none.
        """
        try:
            return self._moment(text.strip(), is_end=is_end, day=day)
        except (ValueError, OverflowError):
            raise CommandError(
                f"{text!r} is no time",
                hint="Write 2031-03-04T09:00 (in the mailbox's zone), 2031-03-04T09:00+01:00,"
                ' "tomorrow 09:00", a day, or now.',
            ) from None

    def slot(self, text: str) -> Window:
        """
        START/END, where END may be a time alone.

        Raises: CommandError: it is none, or ends before it begins.
        """
        first, slash, last = text.partition("/")
        if not slash:
            raise CommandError(
                f"{text!r} is no span of time",
                hint="Write START/END, for example 2031-03-04T09:00/17:00 or tomorrow/+3d.",
            )
        start = self.moment(first)
        day = wall_time(start, self.zone).date()
        end = self.moment(last, is_end=True, day=day)
        if end <= start:
            raise CommandError(f"{text!r} ends before it begins")
        return start, end

    def local(self, at: datetime) -> datetime:
        """An instant on the mailbox's clocks, aware."""
        return at.astimezone(zone_info(self.zone))

    def shown(self, at: datetime) -> str:
        """An instant with its weekday, as the mailbox's owner writes days and times."""
        local = self.local(at)
        return f"{local:%a} {self._day_of(local)} {shown_time(local, self.settings.time_format)}"

    def shown_span(self, start: datetime, end: datetime) -> str:
        """The same of a span; of its end the time alone where that will do."""
        first, last = self.local(start), self.local(end)
        day = "" if first.date() == last.date() else f"{self._day_of(last)} "
        return f"{self.shown(start)}-{day}{shown_time(last, self.settings.time_format)}"

    def _day_of(self, at: datetime) -> str:
        return shown_day(at.date(), self.settings.date_format)

    def _day(self, text: str) -> date:
        today = self.local(self.now).date()
        words = {"yesterday": -1, "today": 0, "tomorrow": 1}
        if text in words:
            return today + timedelta(days=words[text])
        if text[:1] in ("+", "-") and text[-1:] == "d":
            return today + timedelta(days=int(text[:-1]))
        return date.fromisoformat(text)

    def _moment(self, text: str, *, is_end: bool, day: date | None) -> datetime:
        if text == "now":
            return self.now.astimezone(UTC)
        at, _, clock = text.replace(" ", "T", 1).partition("T")
        if not clock and ":" in at and day is not None:
            return self._on(day, time.fromisoformat(at))
        found = _in_range(self._day(at))
        if not clock:
            return day_span(found, self.zone)[1 if is_end else 0]
        return self._on(found, time.fromisoformat(clock))

    def _on(self, day: date, clock: time) -> datetime:
        at = datetime.combine(day, clock)
        return at.astimezone(UTC) if at.tzinfo is not None else instant(at, self.zone)


def _in_range(day: date) -> date:
    if not FIRST_YEAR < day.year < LAST_YEAR:
        raise ValueError(day)
    return day


def addresses_in(texts: Iterable[str]) -> list[str]:
    """
    Mail addresses, each text one or several with commas between; each once, in their order.

    Raises: CommandError: one is no address.
    """
    found: dict[str, str] = {}
    for address in (part.strip() for text in texts for part in text.split(",")):
        name, _, domain = address.rpartition("@")
        is_plain = address.isprintable() and not any(c.isspace() or c in "<>" for c in address)
        if not (name and domain and is_plain) or len(address) > LONGEST_ADDRESS:
            raise CommandError(f"{address!r} is no mail address", hint="Write name@example.org.")
        found.setdefault(address.casefold(), address)
    return list(found.values())


async def zone_of(store: Store, account: AccountName) -> WindowsZone:
    """The mailbox's zone; this machine's where that is not known, UTC where neither is."""
    import tzlocal

    known = await store.account(account)
    zone = windows_zone(known.zone) if known is not None and known.zone else None
    return zone or windows_zone(tzlocal.get_localzone_name() or "") or UTC_ZONE


# --- asking --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """An answer, or why there is none; `is_old`: it was given before, and is told offline."""

    answer: Availability
    is_old: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where a meeting is kept: the default calendar, its settings, and who invites."""

    calendar: CalendarRecord
    settings: SyncSettings
    owner: Owner
    address: str


@asynccontextmanager
async def scheduling_of(config: Config, name: AccountName) -> AsyncIterator[Scheduling]:
    """What can be asked for an account, beside a daemon. Raises: CommandError: a group's."""
    from syncd.shell.output import log_fact

    account = config.accounts[name]
    if account.user_kind == "group":
        raise CommandError(
            f"account {name!r} is a group's, which has neither free and busy times nor reminders",
            hint="Name the account of a person.",
        )
    async with Workshop.open(config, log_fact, patience_s=PATIENCE_S, dry=True) as workshop:
        now = datetime.now(UTC)
        known = await workshop.store.account(name)
        settings = known.settings if known is not None else MailboxSettings()
        written = Written(await zone_of(workshop.store, name), now, settings)
        yield Scheduling(account, workshop, written, GraphScheduling(account.user_id))


@dataclass(frozen=True, slots=True)
class Scheduling:
    """
    The questions about one mailbox.

    All raise SyncdError: the service cannot be asked; CommandError: it refused.
    """

    account: Account
    workshop: Workshop
    written: Written
    graph: GraphScheduling

    # --- free and busy -----------------------------------------------------------------------

    async def availability(
        self, addresses: Sequence[str], days: Sequence[date], interval_min: int
    ) -> dict[date, list[Known]]:
        """
        What is known of addresses on some days, in their order.

        Where the service cannot be reached, the last answers are told; of what was never asked,
        the `error` says so. Raises: Unreachable, BadAnswer: none of it was ever asked.
        """
        windows = [day_span(day, self.written.zone) for day in days]
        try:
            answers = await self._ask(addresses, windows, interval_min)
        except (Unreachable, BadAnswer) as error:
            return await self._remembered(addresses, days, windows, error)
        await self._remember(answers)
        found = iter(answers)
        return {day: [Known(next(found)) for _ in addresses] for day in days}

    async def _ask(
        self, addresses: Sequence[str], windows: Sequence[Window], interval_min: int
    ) -> list[Availability]:
        """Window by window, the addresses in their order."""
        chunks = [
            addresses[at : at + MOST_ADDRESSES] for at in range(0, len(addresses), MOST_ADDRESSES)
        ]
        asked = [(window, chunk) for window in windows for chunk in chunks]
        requests = [self.graph.schedules(chunk, window, interval_min) for window, chunk in asked]
        # They are POSTs, and change nothing: they may be repeated as reads are.
        answers = await self.workshop.mailboxes[self.account.name].remote.read_all(requests)
        found: list[Availability] = []
        for (window, chunk), answer in zip(asked, answers, strict=True):
            self._refuse(answer, "look up free and busy times", CALENDARS_READ)
            now = self.written.now
            found += self.graph.read_schedules(answer, chunk, window, interval_min, now)
        return found

    def _memory(self) -> Schedules:
        folder = self.workshop.config.state_dir / "schedules"
        return Schedules(folder / f"{self.account.name}.json")

    async def _remember(self, answers: Iterable[Availability]) -> None:
        from syncd.shell.output import tell

        try:
            await self._memory().add([one for one in answers if not one.error], self.written.now)
        except DiskTrouble as error:
            # What was asked is told all the same.
            tell(f"syncd: {error}", "yellow")

    async def _remembered(
        self,
        addresses: Sequence[str],
        days: Sequence[date],
        windows: Sequence[Window],
        error: SyncdError,
    ) -> dict[date, list[Known]]:
        memory, found = self._memory(), dict[date, list[Known]]()
        for day, window in zip(days, windows, strict=True):
            answers = await memory.about(addresses, *window)
            found[day] = [
                self._old(address, answer) if answer else Known(self._unknown(address, window))
                for address, answer in zip(addresses, answers, strict=True)
            ]
        if not any(one.is_old for day in found.values() for one in day):
            raise _offline("free and busy times", error) from error
        return found

    def _old(self, address: str, answer: Availability) -> Known:
        return Known(msgspec.structs.replace(answer, address=address), is_old=True)

    def _unknown(self, address: str, window: Window) -> Availability:
        reason = "not known: the service cannot be reached, and this day was not asked for before"
        return Availability(address, *window, 1, self.written.now, error=reason)

    # --- times for a meeting -----------------------------------------------------------------

    async def meeting_times(self, wish: MeetingWish) -> Found:
        """The times that suit."""
        answer = await self._read(self.graph.meeting_times(wish), "times for a meeting")
        scopes = self.account.login_scopes
        scope = SHARED_WRITE if SHARED_WRITE in scopes else SHARED_READ
        self._refuse(answer, "look for times", scope)
        return self.graph.read_meeting_times(answer)

    async def home(self) -> Home:
        """
        The calendar in which a meeting is kept.

        Raises: CommandError: it is not followed here, or takes no edits.
        """
        answer = await self._read(self.graph.default_calendar(), "the default calendar")
        self._refuse(answer, "name the default calendar", CALENDARS_READ)
        calendar_id = self.graph.read_default_calendar(answer)
        calendar = await find_home(self.workshop, self.account.name, calendar_id)
        answer = await self._read(self.graph.own_address(), "the own address")
        self._refuse(answer, "name the mailbox's address", "User.Read")
        owner = await self.workshop.mailboxes[self.account.name].owner()
        address = self.graph.read_own_address(answer)
        if not owner.is_own(address):
            # Whoever is not known as the owner would be taken for a stranger who invites.
            address = min(owner.addresses, default=address)
        return Home(calendar, self.account.sync_for(calendar.name), owner, address)

    # --- reminders ---------------------------------------------------------------------------

    async def reminders(self, window: Window) -> list[Reminder]:
        """The reminders of the events in a window, by the time at which they fire."""
        request, seen = self.graph.reminders(window), set[str]()
        found: list[Reminder] = []
        while True:
            answer = await self._read(request, "reminders")
            self._refuse(answer, "list the reminders", CALENDARS_READ)
            rows, link = self.graph.read_reminders(answer)
            found += rows
            if not link:
                return sorted(found, key=lambda one: (one.fires_at, one.start))
            if link in seen or len(seen) >= MOST_PAGES:
                raise BadAnswer("the pages of the reminders do not end")
            seen.add(link)
            request = self.graph.follow(link)

    async def uids_of(self, ids: Sequence[str]) -> dict[str, Uid]:
        """The UIDs of those events, by their ids, whose files are known here."""
        store = self.workshop.store
        wanted = [GraphId(one) for one in ids]
        found: dict[str, Uid] = {}
        for calendar in await store.calendars(self.account.name):
            records = await store.remotes_by_id(calendar.key, wanted)
            found |= {graph_id: record.uid for graph_id, record in records.items()}
        return found

    # --- the way there -----------------------------------------------------------------------

    async def _read(self, request: Any, what: str) -> Answer:
        try:
            return await self.workshop.mailboxes[self.account.name].remote.read(request)
        except Unreachable as error:
            raise _offline(what, error) from error

    def _refuse(self, answer: Answer, attempt: str, scope: str) -> None:
        if not answer.is_success:
            raise self._directory().refused(attempt, answer, scope)

    def _directory(self) -> Directory:
        return directory_of(self.workshop, self.account.name)


def _offline(what: str, error: SyncdError) -> SyncdError:
    """The same trouble, with what it means for somebody who asks. Its kind stays: exit code 5."""
    return _Offline(
        f"{what}: only the service knows, and it cannot be asked now ({error})",
        hint="Try again later; `syncd check` tells more." if error.retryable else error.hint,
    )


class _Offline(SyncdError):
    """The service is needed for this, and is out of reach."""

    retryable = True
    exit_code = ExitCode.PASSES


_EMPTY: Final[Mapping[str, str]] = {
    "attendeesunavailable": (
        "the people asked for have no time then; try other times, a lower --minimum,"
        " or invite some as they are"
    ),
    "attendeesunavailableorunknown": (
        "the people asked for have no time then, or nobody knows whether they do (people outside"
        " the organization); try other times or a lower --minimum"
    ),
    "locationsunavailable": (
        "no place is free at any time that suits; leave out --location-required, or name others"
    ),
    "organizerunavailable": (
        "you have no time then yourself; try other times, or --organizer-optional"
    ),
    "unknown": (
        "the service does not say why; the times may lie outside the working hours"
        " (--hours unrestricted), or be too short"
    ),
}


def why_none(reason: str) -> str:
    """The service's word for an empty answer, in plain ones."""
    known = _EMPTY.get(reason.casefold())
    return known or (f"the service says {reason!r}" if reason else _EMPTY["unknown"])


# --- a meeting as a file -------------------------------------------------------------------------


async def find_home(workshop: Workshop, account: str, calendar_id: str) -> CalendarRecord:
    """
    The calendar of that id, where a file becomes an event.

    Raises: CommandError: it is not known or not followed, or takes no edits.
    """
    mailbox = workshop.mailboxes.get(AccountName(account))
    known = await mailbox.calendars() if mailbox is not None else []
    for one in known:
        if mailbox is None or one.id != calendar_id:
            continue
        if mailbox.account.sync_for(one.name).direction != "two-way":
            raise CommandError(
                f'the calendar {one.name!r} is followed one way (direction = "pull")',
                hint="A file in it would be undone; create the meeting elsewhere.",
            )
        if not one.can_edit:
            raise CommandError(f"the calendar {one.name!r} is read-only")
        return one
    raise CommandError(
        f"the default calendar of account {account!r} is not followed here",
        hint=f"Run `syncd sync {account}`; see `calendar_filter` if it is left out.",
    )


def meeting_file(
    uid: Uid, title: str, found: Suggestion, wish: MeetingWish, home: Home, now: datetime
) -> bytes:
    """A calendar object for a time that was found: everybody asked for, and its places."""
    event = Event(
        _timed(found, wish.zone),
        subject=title,
        location="; ".join(one.name or one.address for one in found.places),
        attendees=tuple(_invited(wish.attendees, found.places, home.owner)),
        organizer=Person(home.address),
    )
    stamp = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return render(uid, Item(event), Stamps("", stamp), home.owner)


def _timed(found: Suggestion, zone: WindowsZone) -> Timed:
    walls = [wall_time(at, zone) for at in (found.start, found.end)]
    if [instant(wall, zone) for wall in walls] != [found.start, found.end]:
        # In the second of two equal hours the mailbox's clocks would tell the first.
        zone, walls = UTC_ZONE, [wall_time(at, UTC_ZONE) for at in (found.start, found.end)]
    return Timed(walls[0], zone, walls[1], zone)


def _invited(
    asked: Iterable[Attendee], places: Iterable[Place], owner: Owner
) -> Iterable[Attendee]:
    """Who was asked for, and the rooms that were found: an invitation is what books a room."""
    rooms = {one.address.casefold(): one for one in places if one.address}
    for one in asked:
        if not owner.is_own(one.address):
            room = rooms.pop(one.address.casefold(), None)
            yield Attendee(one.address, room.name, "resource", is_room=True) if room else one
    for room in rooms.values():
        yield Attendee(room.address, room.name, "resource", is_room=True)


async def write_meeting(
    workshop: Workshop, account: str, calendar: str, uid: str, text: str
) -> dict[str, Any]:
    """
    Write a new file into a calendar's folder; no file is ever replaced.

    Args: calendar: its id.
    Returns: `{account, folder, file}`.
    Raises: CommandError: no such calendar, or no such UID. DiskTrouble.
    """
    home = await find_home(workshop, account, calendar)
    name = FileName(f"{_plain(uid)}.ics")
    way = WayBack(workshop.config, workshop.store, workshop.clock)
    folder = await way.folder(home)
    outcome = (await folder.work([WriteFile(name, text.encode())]))[0]
    if isinstance(outcome, Failed):
        raise outcome.error
    # Whose answer got lost on its way from the daemon asks again: it is there already.
    if not isinstance(outcome, (Wrote, Taken)):
        raise DiskTrouble(f"the file {name} cannot be written")
    return {"account": account, "folder": home.folder, "file": name}


def new_uid() -> str:
    """A UID that nobody had before."""
    return str(uuid.uuid4())


def _plain(uid: str) -> str:
    try:
        return str(uuid.UUID(uid))
    except ValueError:
        raise CommandError(f"{uid!r} is no UUID") from None


# --- one's own time, offline ---------------------------------------------------------------------


async def own_busy(
    config: Config, store: Store, account: AccountName, days: Sequence[date]
) -> list[Busy]:
    """
    When an account's owner is taken, by the calendars that are followed and are the owner's.

    What was cancelled or declined takes no time. Calendars that others share, whatever rights they
    gave, and those that are only read say nothing of the owner.
    """
    zone = await zone_of(store, account)
    span = Span(days[0], days[-1], zone_info(zone))
    found: list[Busy] = []
    owner = await owner_of(config, store, account)
    for calendar in await store.calendars(account):
        is_own = calendar.can_edit and not calendar.is_shared_to(owner)
        if calendar.status == "active" and is_own:
            for record in await store.all_items(calendar.key):
                found += _busy(record, span)
    return found


async def own_address(config: Config, store: Store, account: AccountName) -> str:
    """An address of the account's owner, "" where none is known."""
    configured = config.accounts[account]
    known = await store.account(account)
    named = [configured.user] if "@" in configured.user else []
    return next(iter([*named, *configured.addresses, *(known.addresses if known else ())]), "")


def _busy(record: ItemRecord, span: Span) -> list[Busy]:
    item = _item_of(record)
    if item is None:
        return []
    moments = moments_of(item, span)
    return [
        Busy(moment.event.show_as, moment.start, moment.end)
        for moment in moments
        if _takes_time(moment.event)
    ]


def _takes_time(event: Event) -> bool:
    free: tuple[ShowAs, ...] = ("free", "workingElsewhere")
    return not (event.is_cancelled or event.response == "declined" or event.show_as in free)


def _item_of(record: ItemRecord) -> Item | None:
    """What both sides agreed on, else what the file says."""
    agreed = record.base_remote or record.base_local
    if agreed is not None or not record.content:
        return agreed
    told = read(record.content, Owner(frozenset(), UTC_ZONE), None)
    return told.item if isinstance(told, FileItem) else None
