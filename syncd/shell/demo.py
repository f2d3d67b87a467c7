"""
The demo: a complete two-way sync on this machine alone, told step by step.

Plays three parts: a calendar service, a person who edits files, and a person in Outlook. syncd
itself is used as the commands use it, and at the end both sides are read anew and compared.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from syncd.core.errors import BadAnswer, CommandError, ExitCode
from syncd.core.ids import AccountName
from syncd.core.lines import Component, Document, new_line, parse, to_bytes
from syncd.core.owner import Owner
from syncd.core.state import Problem
from syncd.core.zones import UTC_ZONE
from syncd.graph.settings import DevicePrompt
from syncd.shell.actions import decide_problem, sync_now
from syncd.shell.commands.common import through_workshop
from syncd.shell.commands.login import sign_in
from syncd.shell.config import Config, load_config
from syncd.shell.demo_sides import File, compared, read_files
from syncd.shell.local_service import ACCOUNT, LocalService, local_service
from syncd.shell.mailbox import CalendarReport
from syncd.shell.output import Facts, console, counted, log_fact, say
from syncd.shell.workshop import Workshop
from syncd.simulator.model import Event as Stored

__all__ = ["run_demo"]

USER: Final = "me@example.org"
SEED: Final = 20
APPOINTMENTS: Final = ("Quarterly planning", "Old idea", "Budget", "Dentist", "Retrospective")
MEETING: Final = "Customer visit"
GUESTS: Final = ("ada@contoso.example", "grace@contoso.example")
BUG: Final = "This is a bug in syncd."
LOOKED_BACK_DAYS, LOOKED_AHEAD_DAYS = 80, 350  # within the view that is synced by default


async def run_demo(*, events: int, stay: bool, folder: Path | None) -> int:
    """
    Tell the whole story.

    Args: stay: keep everything running until a signal. folder: where to work, a temporary folder
        by default, which goes in the end.
    Returns: the exit code: 0, or 1 if the sides do not agree.
    Raises: CommandError: the folder is in use. SyncdError: a sync failed.
    """
    from syncd.shell import logs

    logs.setup("error", "console")
    began_s = time.monotonic()
    async with _stage(events, folder) as story:
        await story.signs_in()
        await story.first_sync()
        await story.edits_files()
        await story.edits_in_outlook()
        await story.edits_on_both_sides()
        await story.deletes_a_meeting()
        agree = story.compares(time.monotonic() - began_s)
        if stay:
            await story.stays()
    return ExitCode.OK if agree else ExitCode.BUG


@asynccontextmanager
async def _stage(events: int, folder: Path | None) -> AsyncIterator[_Story]:
    async with AsyncExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="syncd-demo-")))
        else:
            folder = _own(folder)
        _title("A calendar service on this machine")
        service = await stack.enter_async_context(
            local_service(
                user=USER, events=events, seed=SEED, auth=True, folder=folder, approve=True
            )
        )
        text = service.config(folder / "Calendars", folder / "state", poll="2s")
        (folder / "config.toml").write_text(text + "\n", encoding="utf-8")
        _fill(service)
        calendars = len(service.mailbox.folders.calendars)
        many = service.loaded + len(APPOINTMENTS) + 1
        _line(f"{counted(many, 'event')} in {calendars} calendars of {USER}")
        _line(f"{service.base_url}   (TLS, OAuth, loopback only)")
        yield _Story(service, load_config(folder / "config.toml"), folder)


def _fill(service: LocalService) -> None:
    """Put the events that the story is about into the mailbox, beside those that are made up."""
    mailbox, now = service.mailbox, service.service.now()
    for days, title in enumerate(APPOINTMENTS, 1):
        mailbox.create(mailbox.default_calendar.id, _body(title, now, days))
    guests = [{"emailAddress": {"address": one, "name": ""}} for one in GUESTS]
    meeting = _body(MEETING, now, len(APPOINTMENTS) + 1) | {"attendees": guests}
    mailbox.create(mailbox.default_calendar.id, meeting)
    service.service.ledger.clear()


def _own(folder: Path) -> Path:
    folder = folder.absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise CommandError(f"{folder} is not empty", hint="Name a new folder, or none.")
    return folder


# --- how it looks --------------------------------------------------------------------------------


def _title(text: str) -> None:
    say()
    say(text, "bold cyan")


def _line(text: str, style: str = "") -> None:
    say(f"  {text}", style)


def _moved(where: str, what: str, then: str) -> None:
    """One thing that was done somewhere, and what came of it on the other side."""
    _line(f"{where:<8} {what}")
    _line(f"{'':<8} → {then}", "green")


@contextmanager
def _bar(title: str, total: int) -> Iterator[Facts]:
    """A bar of files written, where there is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    target = console()
    if not target.is_terminal:
        yield log_fact
        return
    columns = (TextColumn(f"  {title}"), BarColumn(40), MofNCompleteColumn())
    with Progress(*columns, console=target, transient=True) as drawn:
        task = drawn.add_task(title, total=total)

        def observe(event: str, facts: Any) -> None:
            log_fact(event, facts)
            if event == "files.written":
                drawn.advance(task, facts["count"])

        yield observe


def _show_code(prompt: DevicePrompt) -> None:
    _line(f"Open {prompt.verification_uri} and enter {prompt.user_code}")
    _line("(here nobody has to: the simulated authority approves it by itself)")


# --- the story -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Story:
    """Where the story stands; each step leaves both sides in step again."""

    service: LocalService
    config: Config
    folder: Path

    @property
    def calendar(self) -> Path:
        """The folder of the default calendar."""
        return self.config.export_dir / ACCOUNT / self.service.mailbox.default_calendar.name

    @property
    def owner(self) -> Owner:
        """Whose files they are."""
        return Owner(frozenset({USER}), UTC_ZONE)

    async def signs_in(self) -> None:
        """Device code, with the real library; the authority approves by itself."""
        _title("Sign in")
        account = self.config.accounts[AccountName(ACCOUNT)]
        told = await sign_in(self.config, account, show=_show_code)
        _line(told, "green")

    async def first_sync(self) -> None:
        """Fill the folder."""
        _title("First sync")
        began_s = time.monotonic()
        with _bar("writing files", self.in_view()) as observe:
            reports = await self.sync(observe)
        took_s = time.monotonic() - began_s
        for one in reports:
            _line(f"{one.calendar}: {counted(one.counts.files_written, 'file')}")
        _line(f"{took_s:.1f} s, into {self.config.export_dir}", "green")

    def in_view(self) -> int:
        """About how many items the first sync brings."""
        now, mailbox = self.service.service.now(), self.service.mailbox
        start, end = now - timedelta(days=90), now + timedelta(days=365)
        calendars = mailbox.folders.calendars.values()
        return sum(
            len({id(event.item) for event in mailbox.instances(one.id, start, end)})
            for one in calendars
        )

    async def edits_files(self) -> None:
        """A person edits, makes and deletes files, as an editor or khal does."""
        _title("Edit files, as any editor would")
        changed, gone = self.titled_file("Quarterly planning"), self.titled_file("Old idea")
        before = changed.item.master.subject
        _rewrite(changed.path, {"SUMMARY": "Planning (moved to the garden)", "LOCATION": "Garden"})
        made = self.calendar / "lunch.ics"
        made.write_bytes(_lunch(self.service.service.now()))
        gone.path.unlink()
        await self.sync()
        there = self.stored(changed.uid)
        place = there.values["location"]["displayName"]
        _moved("changed", _q(before), f"the service has {_q(there.subject)} at {_q(place)}")
        _moved("created", made.name, f"the service has {_q(self.titled('Lunch with Ada').subject)}")
        left = [one for one in self.events() if one.ical_uid == gone.uid]
        then = "the service still has it" if left else "gone from the service"
        _moved("deleted", _q(gone.item.master.subject), then)

    async def edits_in_outlook(self) -> None:
        """Somebody changes, makes and deletes events on the service."""
        _title("Change events on the service, as Outlook would")
        changed, gone = self.titled_file("Budget"), self.titled_file("Dentist")
        mailbox = self.service.mailbox
        mailbox.patch(self.stored(changed.uid).id, {"subject": "Budget, second round"})
        review = _body("Design review", self.service.service.now(), 6)
        made = mailbox.create(mailbox.default_calendar.id, review)
        mailbox.delete(self.stored(gone.uid).id)
        await self.sync()
        before, after = changed.item.master.subject, self.file(changed.uid)
        _moved("changed", _q(before), f"the file says {_q(_subject(after))}")
        _moved(
            "created",
            _q(made.subject),
            f"the file says {_q(_subject(self.file(made.ical_uid)))}",
        )
        then = "the file is still there" if gone.path.exists() else "the file is gone"
        _moved("deleted", _q(gone.item.master.subject), then)

    async def edits_on_both_sides(self) -> None:
        """Two fields of the same event change at the same time."""
        _title("Change the same event on both sides at once")
        both = self.titled_file("Retrospective")
        _rewrite(both.path, {"LOCATION": "Room 101"})
        self.service.mailbox.patch(self.stored(both.uid).id, {"subject": "Renamed in Outlook"})
        await self.sync()
        there, here = self.stored(both.uid), self.file(both.uid)
        place = there.values["location"]["displayName"]
        _moved("file", "a new place", f"the service has {_q(there.subject)} at {_q(place)}")
        where = here.item.master.location if here is not None else ""
        _moved("service", "a new title", f"the file says {_q(_subject(here))} at {_q(where)}")

    async def deletes_a_meeting(self) -> None:
        """Deleting a meeting would mail its guests: that waits for a person."""
        _title("Delete a meeting that has guests")
        meeting = self.titled_file(MEETING)
        mailed = len(self.service.service.ledger)
        meeting.path.unlink()
        await self.sync()
        problem = await self.problem(meeting.uid)
        if problem is None:
            raise BadAnswer("the deletion of a meeting was not held", hint=BUG)
        _moved("deleted", _q(meeting.item.master.subject), problem.reason)
        _line(f"held as {problem.id}; mails sent: {len(self.service.service.ledger) - mailed}")
        await self.at_work(lambda shop: decide_problem(shop, problem.id, "discarded"))
        back = "the file is back" if meeting.path.exists() else "the file is not back"
        _moved("decided", f"syncd discard {problem.id}", back)

    def compares(self, took_s: float) -> bool:
        """Read both sides anew, and tell whether they say the same."""
        _title("Compare")
        today = datetime.now(UTC).date()
        found = compared(
            self.config.export_dir / ACCOUNT,
            self.service.mailbox,
            self.owner,
            today - timedelta(days=LOOKED_BACK_DAYS),
            today + timedelta(days=LOOKED_AHEAD_DAYS),
        )
        for name, rows in (("folder", found.folder_only), ("service", found.service_only)):
            for one in rows[:5]:
                _line(f"only in the {name}: {one}", "red")
        agree = not found.folder_only and not found.service_only
        many = counted(found.agreed, "instance")
        _line(
            f"{many} on both sides, " + ("no difference" if agree else "and differences"),
            "bold green" if agree else "bold red",
        )
        asked, mails = self.service.server.requests.count(), len(self.service.service.ledger)
        _line(f"{counted(asked, 'request')}, {counted(mails, 'mail')}, {took_s:.1f} s in all")
        return agree

    async def stays(self) -> None:
        """Run the daemon until a signal, and tell what to try meanwhile."""
        from syncd.shell import logs
        from syncd.shell.commands.run import run_daemon, stopped_by_signals

        stop = stopped_by_signals()
        (self.folder / "khal.conf").write_text(_khal(self.config.export_dir), encoding="utf-8")
        _title("The daemon is running; try this from another terminal (Ctrl-C ends it)")
        for hint in self.hints():
            _line(hint)
        say()
        logs.setup("info", "console")
        await run_daemon(self.config, stop)

    def hints(self) -> Iterator[str]:
        """What can be tried while the daemon runs."""
        where, origin = self.folder, self.service.server.origin
        yield f"$EDITOR {self.calendar / 'lunch.ics'}"
        yield f"khal -c {where / 'khal.conf'} list today 7d"
        yield f"syncd --config {where / 'config.toml'} status"
        body = '{"user": "me@example.org", "action": "create", "body": {"subject": "From curl",'
        zone = '"timeZone": "UTC"'
        day = f"{datetime.now(UTC).date() + timedelta(days=1)}"
        body += f' "start": {{"dateTime": "{day}T09:00:00", {zone}}},'
        body += f' "end": {{"dateTime": "{day}T10:00:00", {zone}}}}}}}'
        yield f"curl --cacert {where / 'ca.pem'} {origin}/_simulator/mailbox/do -d '{body}'"

    # -- both sides

    async def at_work(
        self, act: Callable[[Workshop], Any], observe: Facts = log_fact
    ) -> list[CalendarReport]:
        """What a command does. Raises: SyncdError: the first trouble."""
        reports: list[CalendarReport] = await through_workshop(self.config, observe, act)
        for one in reports:
            if one.trouble is not None:
                raise one.trouble
        return reports

    async def sync(self, observe: Facts = log_fact) -> list[CalendarReport]:
        """As `syncd sync`."""
        return await self.at_work(lambda shop: sync_now(shop, []), observe)

    async def problem(self, uid: str) -> Problem | None:
        """What waits for a person about one item."""
        from syncd.shell.commands.common import open_store

        async with open_store(self.config) as store:
            return next((one for one in await store.problems() if one.uid == uid), None)

    def files(self) -> Iterator[File]:
        """The items of the default calendar's folder."""
        return read_files(self.calendar, self.owner)

    def file(self, uid: str) -> File | None:
        """The file of one item."""
        return next((one for one in self.files() if one.uid == uid), None)

    def titled_file(self, subject: str) -> File:
        """The file of a title."""
        for one in self.files():
            if one.item.master.subject == subject:
                return one
        raise BadAnswer(f"there is no file of {subject!r}", hint=BUG)

    def events(self) -> list[Stored]:
        """What the service has in the default calendar."""
        mailbox = self.service.mailbox
        return [Stored(item) for item in mailbox.items(mailbox.default_calendar.id)]

    def stored(self, uid: str) -> Stored:
        """The service's event of a file's UID."""
        return self._only(uid, (one for one in self.events() if one.ical_uid == uid))

    def titled(self, subject: str) -> Stored:
        """The service's event of a title."""
        return self._only(subject, (one for one in self.events() if one.subject == subject))

    def _only(self, what: str, found: Iterator[Stored]) -> Stored:
        event = next(found, None)
        if event is None:
            raise BadAnswer(f"the service has no event {what!r}", hint=BUG)
        return event


def _q(text: str) -> str:
    return f"“{text}”"


def _subject(file: File | None) -> str:
    return file.item.master.subject if file is not None else "(no file)"


# --- files by hand -------------------------------------------------------------------------------


def _rewrite(path: Path, texts: dict[str, str]) -> None:
    """Put other texts into the event's lines, as somebody with an editor does."""
    document = parse(path.read_bytes())
    if not isinstance(document, Document):
        raise CommandError(f"{path.name} cannot be read: {document.reason}")
    event = document.calendar.components("VEVENT")[0]
    for name, text in texts.items():
        _put(event, name, text, document.eol)
    path.write_bytes(to_bytes(document))


def _put(event: Component, name: str, text: str, eol: bytes) -> None:
    line = new_line(f"{name}:{text}", eol)
    old = event.first(name)
    if old is None:
        event.parts.append(line)
    else:
        event.parts[event.parts.index(old)] = line


def _lunch(now: datetime) -> bytes:
    day = now.date() + timedelta(days=3)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//a person//with an editor//EN",
        "BEGIN:VEVENT",
        f"UID:{uuid.uuid4()}",
        f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
        f"DTSTART:{day:%Y%m%d}T110000Z",
        f"DTEND:{day:%Y%m%d}T120000Z",
        "SUMMARY:Lunch with Ada",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    return "\r\n".join(lines).encode()


def _body(subject: str, now: datetime, days: int) -> dict[str, Any]:
    """An event of an hour, some days ahead."""
    day, zone = now.date() + timedelta(days=days), "W. Europe Standard Time"
    return {
        "subject": subject,
        "start": {"dateTime": f"{day}T14:00:00", "timeZone": zone},
        "end": {"dateTime": f"{day}T15:00:00", "timeZone": zone},
        "location": {"displayName": "Room 7"},
    }


def _khal(export_dir: Path) -> str:
    return "\n".join(
        (
            "[calendars]",
            "[[demo]]",
            f"path = {export_dir}/{ACCOUNT}/*",
            "type = discover",
            "[locale]",
            "timeformat = %H:%M",
            "dateformat = %Y-%m-%d",
            "longdateformat = %Y-%m-%d",
            "datetimeformat = %Y-%m-%d %H:%M",
            "longdatetimeformat = %Y-%m-%d %H:%M",
            "",
        )
    )
