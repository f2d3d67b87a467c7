"""
`find-time`: when the people and rooms of a meeting have time, and a file for one of those times.

Knows how a wish is said and how suggestions read. A meeting is a new file in the folder of the
default calendar: whether and when anybody is invited is decided by the next round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from syncd.core.errors import CommandError, ExitCode
from syncd.shell.commands.common import (
    Invocation,
    ask,
    json_option,
    pass_invocation,
    run,
    through_workshop,
)

if TYPE_CHECKING:
    from syncd.core.event import Attendee
    from syncd.core.ids import AccountName, Uid
    from syncd.core.wire.dialects.graph_scheduling import (
        Activity,
        Found,
        MeetingWish,
        Place,
        Suggestion,
    )
    from syncd.shell.config_model import Config
    from syncd.shell.scheduling import Home, Written

__all__ = ["find_time_command"]

DEFAULT_DURATION = "30m"
DEFAULT_SLOT = "now/+7d"
LONGEST_TITLE = 255


@click.command("find-time")
@click.option(
    "--with", "required", multiple=True, metavar="A@X[,B@Y]", help="People who are needed."
)
@click.option("--optional", multiple=True, metavar="C@Z", help="People who may come.")
@click.option("--resource", multiple=True, metavar="ROOM@X", help="Rooms and things to be booked.")
@click.option(
    "--duration", default=DEFAULT_DURATION, show_default=True, metavar="D", help="45m, 1h."
)
@click.option(
    "--between",
    "slots",
    multiple=True,
    metavar="START/END",
    help="Where to look, for example 2031-03-04T09:00/17:00 or tomorrow/+3d"
    " [default: now and a week].",
)
@click.option(
    "--location",
    "places",
    multiple=True,
    metavar="NAME[=ADDRESS]",
    help="Where to meet; another room is suggested where that one is taken.",
)
@click.option("--location-unchecked", is_flag=True, help="Whether a place is free does not matter.")
@click.option("--suggest-location", is_flag=True, help="Let the service suggest a room.")
@click.option("--location-required", is_flag=True, help="No time without a free place.")
@click.option(
    "--minimum",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="The least chance that people come [default: 50].",
)
@click.option("--max", "most", type=click.IntRange(1, 1000), metavar="N", help="Times at most.")
@click.option(
    "--hours",
    "activity",
    type=click.Choice(("work", "personal", "unrestricted")),
    default="work",
    show_default=True,
    help="Working hours, also at weekends, or any.",
)
@click.option("--organizer-optional", is_flag=True, help="You need not have time yourself.")
@click.option("--create", "title", metavar="TITLE", help="Write a file for a time that was found.")
@click.option(
    "--pick", type=click.IntRange(1), metavar="N", help="Which time to create [default: 1]."
)
@click.option("--dry-run", is_flag=True, help="Print the file that --create would write.")
@click.option("--account", metavar="NAME", help="Who invites, where there are several accounts.")
@json_option
@pass_invocation
def find_time_command(invocation: Invocation, /, **said: Any) -> int:
    """
    Find times that suit a meeting, for a work or school account.

    Times without an offset are in the mailbox's zone. Of people outside the organization nothing is
    known. With --create the meeting is a new file in the default calendar's folder: it goes out by
    the next sync, and the `mail` policy decides of the invitations.
    """
    from syncd.shell.directory import chosen_account

    title = said.pop("title")
    made = _Made.said(title, said.pop("pick"), dry_run=said.pop("dry_run"))
    as_json, account = said.pop("as_json"), said.pop("account")
    asked = _Asked(**said)
    config = invocation.config()
    return run(_find(config, chosen_account(config, account), asked, made, as_json=as_json))


# --- what is wished for --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Made:
    """What becomes of one of the times: a file of that title, or its text."""

    title: str
    pick: int
    dry_run: bool

    @classmethod
    def said(cls, title: str | None, pick: int | None, *, dry_run: bool) -> _Made | None:
        """Raises: CommandError: nothing is created, or has no title."""
        from syncd.core.event import one_line

        if title is None:
            if pick is not None or dry_run:
                raise CommandError(
                    "--pick and --dry-run are about what --create writes",
                    hint='Say --create "Title" as well.',
                )
            return None
        plain = one_line(title)
        if not plain or len(plain) > LONGEST_TITLE:
            raise CommandError(f"a title has 1 to {LONGEST_TITLE} characters")
        return cls(plain, pick or 1, dry_run)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The wish as it was said; its times depend on the mailbox's zone."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    resource: tuple[str, ...]
    duration: str
    slots: tuple[str, ...]
    places: tuple[str, ...]
    location_unchecked: bool
    suggest_location: bool
    location_required: bool
    minimum: float | None
    most: int | None
    activity: Activity
    organizer_optional: bool

    def read(self, written: Written) -> MeetingWish:
        """Raises: CommandError: a part of it is none, or no slot is long enough."""
        from syncd.core.wire.dialects.graph_scheduling import MeetingWish

        duration_s = _duration_s(self.duration)
        slots = tuple(written.slot(text) for text in self.slots or (DEFAULT_SLOT,))
        if max((end - start).total_seconds() for start, end in slots) < duration_s:
            raise CommandError(f"nowhere between those times is room for {self.duration}")
        return MeetingWish(
            self._attendees(),
            duration_s,
            slots,
            written.zone,
            tuple(_place(text, is_checked=not self.location_unchecked) for text in self.places),
            self.suggest_location,
            self.location_required,
            self.minimum,
            self.most,
            self.activity,
            self.organizer_optional,
        )

    def _attendees(self) -> tuple[Attendee, ...]:
        from syncd.core.event import Attendee, AttendeeType
        from syncd.shell.scheduling import addresses_in

        kinds: tuple[tuple[AttendeeType, tuple[str, ...]], ...] = (
            ("required", self.required),
            ("optional", self.optional),
            ("resource", self.resource),
        )
        found: dict[str, Attendee] = {}
        for kind, texts in kinds:
            for address in addresses_in(texts):
                found.setdefault(address.casefold(), Attendee(address, type=kind))
        return tuple(found.values())


def _duration_s(written: str) -> int:
    from syncd.shell.durations import parse_duration

    try:
        seconds = parse_duration(written)
    except ValueError as error:
        raise CommandError(
            f"--duration {written!r}: {error}", hint='Write for example "45m" or "1h".'
        ) from None
    if seconds < 60:
        raise CommandError(f"--duration {written!r} is too short for a meeting")
    return seconds


def _place(written: str, *, is_checked: bool) -> Place:
    from syncd.core.event import one_line
    from syncd.core.wire.dialects.graph_scheduling import Place
    from syncd.shell.scheduling import addresses_in

    name, sign, address = written.partition("=")
    if not one_line(name):
        raise CommandError(
            f"--location {written!r} has no name", hint="Write NAME or NAME=ADDRESS."
        )
    return Place(one_line(name), addresses_in([address])[0] if sign else "", is_checked)


# --- what is found -------------------------------------------------------------------------------


async def _find(
    config: Config, account: AccountName, asked: _Asked, made: _Made | None, *, as_json: bool
) -> int:
    from syncd.shell.output import print_json, progress
    from syncd.shell.scheduling import scheduling_of

    async with scheduling_of(config, account) as asking:
        written = asking.written
        wish = asked.read(written)
        with progress("Asking …"):
            found = await asking.meeting_times(wish)
            home = await asking.home() if made and found.suggestions else None
    told = _to_json(found, written)
    if not as_json and (found.suggestions or made is None):
        _print(found, written)
    if made is not None:
        meeting = _meeting(found, made, wish, home, written)
        told["created"] = await _create(config, meeting, made, as_json=as_json)
    if as_json:
        print_json(told)
    return ExitCode.OK


def _print(found: Found, written: Written) -> None:
    from syncd.shell.output import say, table
    from syncd.shell.scheduling import why_none

    if not found.suggestions:
        say(f"No time was found: {why_none(found.empty_reason)}.")
        return
    rows = [
        (
            number,
            written.shown_span(one.start, one.end),
            f"{one.confidence:.4g} %",
            _who(one),
            ", ".join(place.name or place.address for place in one.places),
            one.reason,
        )
        for number, one in enumerate(found.suggestions, 1)
    ]
    table(("", "time", "sure", "who", "place", "why"), rows)


_WORDS: Mapping[str, str] = {
    "free": "free",
    "workingElsewhere": "working elsewhere",
    "tentative": "tentative",
    "unknown": "unknown",
    "busy": "busy",
    "oof": "out of office",
}


def _who(one: Suggestion) -> str:
    people = (("you", one.organizer), *one.people)
    groups = {
        word: [name for name, now in people if now == status] for status, word in _WORDS.items()
    }
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in groups.items() if names)


def _to_json(found: Found, written: Written) -> dict[str, Any]:
    from syncd.shell.scheduling import why_none

    return {
        "suggestions": [
            {
                "number": number,
                "start": written.local(one.start),
                "end": written.local(one.end),
                "confidence": one.confidence,
                "organizer": one.organizer,
                "people": [{"address": who, "availability": now} for who, now in one.people],
                "places": [{"name": at.name, "address": at.address} for at in one.places],
                "reason": one.reason,
            }
            for number, one in enumerate(found.suggestions, 1)
        ],
        "empty_reason": found.empty_reason,
        "why_none": "" if found.suggestions else why_none(found.empty_reason),
    }


# --- a meeting -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Meeting:
    """The file of a meeting, where it goes, and whom it invites."""

    uid: Uid
    text: str
    home: Home
    guests: int


def _meeting(
    found: Found, made: _Made, wish: MeetingWish, home: Home | None, written: Written
) -> _Meeting:
    """Raises: CommandError: there is no such time."""
    from syncd.core.ids import Uid
    from syncd.shell.scheduling import meeting_file, new_uid, why_none

    count = len(found.suggestions)
    if home is None:
        raise CommandError(
            f"no time was found, and nothing created: {why_none(found.empty_reason)}"
        )
    if made.pick > count:
        raise CommandError(
            f"nothing was created: there is no time {made.pick}, only {count}",
            hint="Leave out --pick, or ask for more times with --max.",
        )
    uid = Uid(new_uid())
    data = meeting_file(uid, made.title, found.suggestions[made.pick - 1], wish, home, written.now)
    text = data.decode()
    return _Meeting(uid, text, home, text.count("\nATTENDEE"))


async def _create(
    config: Config, meeting: _Meeting, made: _Made, *, as_json: bool
) -> dict[str, Any]:
    from syncd.shell.output import log_fact, say
    from syncd.shell.scheduling import write_meeting

    calendar = meeting.home.calendar
    path = config.export_dir / calendar.account / calendar.folder / f"{meeting.uid}.ics"
    told: dict[str, Any] = {"uid": meeting.uid, "file": str(path), "account": calendar.account}
    told |= {"calendar": calendar.name, "dry_run": made.dry_run, "text": meeting.text}
    if made.dry_run:
        if not as_json:
            say(f"{path} would be:", "bold")
            say(meeting.text.replace("\r\n", "\n").rstrip("\n"))
        return told
    place = {"account": calendar.account, "calendar": calendar.id}
    request = {"do": "meeting", **place, "uid": meeting.uid, "text": meeting.text}
    by_daemon = await ask(config, request) is not None
    if not by_daemon:
        await through_workshop(
            config,
            log_fact,
            lambda shop: write_meeting(shop, **place, uid=meeting.uid, text=meeting.text),
        )
    if not as_json:
        say(f"{path} is written.")
        say(_what_follows(meeting, by_daemon=by_daemon))
    return told


def _what_follows(meeting: _Meeting, *, by_daemon: bool) -> str:
    """When the service gets it, and what becomes of the invitations."""
    from syncd.shell.output import counted

    account = meeting.home.calendar.account
    took = "The daemon takes" if by_daemon else f"`syncd sync {account}` takes"
    if not meeting.guests:
        return f"{took} it up; nobody is invited."
    invitations = counted(meeting.guests, "invitation")
    match meeting.home.settings.mail.invitations:
        case "send":
            return f"{took} it up and sends {invitations}."
        case "hold":
            return (
                f"{took} it up; {invitations} then wait for you (invitations = hold):"
                " `syncd problems` lists them, `syncd approve` sends them."
            )
        case "never":
            return f"{took} it up; {invitations} will not be sent (invitations = never)."
