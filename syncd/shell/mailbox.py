"""
One account at work: who it is, which calendars it has, their folders, and their rounds.

Builds nothing (that is `syncd.shell.workshop`); decides nothing about events. Folders are looked at
for all calendars of the account before any round, so that a file that changed calendars is seen as
a move and not as a deletion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Any

import msgspec

from syncd.core.delta import NO_IDS
from syncd.core.errors import BadAnswer, ExitCode, StateError, SyncdError
from syncd.core.guard import DeletionLimit
from syncd.core.history import FOUND
from syncd.core.ids import AccountName, CalendarId, FileName, GraphId, Uid
from syncd.core.mail import MailPolicy
from syncd.core.names import folded, folder_name
from syncd.core.owner import Owner
from syncd.core.plan import ItemPlan, problem_id
from syncd.core.rules import Rules
from syncd.core.state import (
    AccountRecord,
    AddHistory,
    CalendarKey,
    CalendarRecord,
    ClearVerdict,
    HistoryRecord,
    Problem,
    PutProblems,
)
from syncd.core.wire.dialects.graph_group import dialect_of
from syncd.core.wire.dialects.graph_v1 import CalendarRow
from syncd.core.wire.ics_forms import Forms
from syncd.core.wire.ics_read import quick_uid
from syncd.core.zones import UTC_ZONE, windows_zone
from syncd.export import EXPORTERS, Snapshot
from syncd.ports import Clock, FolderLook, Marker, Orphan, Remote
from syncd.round.asked import tell
from syncd.round.carrying import Carried, carry
from syncd.round.desk import Bench, Counts, Observe
from syncd.round.look import LocalState, read_folder
from syncd.round.plain_pull import pull_any
from syncd.round.reconcile import NO_MOVES, Moves
from syncd.round.run import RoundReport, dry_round, run_round
from syncd.shell.config import Account, SyncSettings
from syncd.shell.rereading import read_anew
from syncd.store.store import Store
from syncd.vdir.folder import VdirFolder

__all__ = ["CalendarReport", "Mailbox", "rules_of"]

IDENTIFY_EVERY = timedelta(days=1)
LIST_EVERY = timedelta(minutes=5)
TWO_LOOKS_APART_S = 1.0
MOST_ROUNDS = 12
WAIT_FOR_DOUBT_S = 5.0

FolderMaker = Callable[[Path, Marker, int], VdirFolder]


@dataclass(slots=True)
class CalendarReport:
    """What became of one calendar: its counts, what stopped it, what its dry run would do."""

    account: AccountName
    calendar: str
    counts: Counts
    trouble: SyncdError | None = None
    waiting: int = 0
    plans: list[ItemPlan] = field(default_factory=list)


def rules_of(settings: SyncSettings) -> Rules:
    """The rounds' rules from the configuration's settings."""
    mail = settings.mail
    return Rules(
        past_days=settings.past_days,
        future_days=settings.future_days,
        true_up_s=float(settings.true_up_s),
        two_way=settings.direction == "two-way",
        conflict=settings.conflict,
        limit=DeletionLimit(settings.max_deletes, float(settings.max_delete_percent)),
        max_imports=settings.max_imports,
        mail=MailPolicy(mail.invitations, mail.updates, mail.cancellations, mail.responses),
        replace_rich_bodies=settings.rich_body == "replace",
        delete_cancelled_overrides=settings.cancelled_override == "delete",
        foreign_meeting=settings.foreign_meeting,
        forms=Forms(settings.html, settings.locations == "vlocation"),
        attachments=settings.attachments,
        delete_attachments=settings.delete_attachments,
    )


class Mailbox:
    """
    One account; `sync` is what `syncd sync` and the daemon do.

    Args:
        export_dir: the folder that holds the accounts' folders.
        observe: told facts for the log and for progress.
    """

    def __init__(
        self,
        account: Account,
        export_dir: Path,
        store: Store,
        remote: Remote,
        clock: Clock,
        make_folder: FolderMaker,
        observe: Observe,
    ) -> None:
        self.account = account
        self._export_dir = export_dir
        self._store = store
        self._remote = remote
        self._clock = clock
        self._make_folder = make_folder
        self._observe = observe
        self._dialect = dialect_of(account.user_id, is_group=account.user_kind == "group")
        self._swept: dict[CalendarKey, dict[FileName, bytes]] = {}
        self._denied: dict[CalendarKey, dict[GraphId, float]] = {}
        self._versions: dict[CalendarKey, dict[GraphId, str]] = {}
        self._exported: set[CalendarKey] = set()

    @property
    def remote(self) -> Remote:
        """The way to the service, with the login and the pauses of this mailbox."""
        return self._remote

    # --- who and what ------------------------------------------------------------------------

    async def refresh(self, *, force: bool) -> list[CalendarRecord]:
        """
        Learn who the mailbox is and which calendars it has; rarely unless `force`.

        Returns: the calendars that are to be synced.
        Raises: SyncdError: the service cannot be asked; StateError: it is another mailbox now.
        """
        record = await self._known_account()
        now = self._clock.now()
        identify = force or _is_due(record.identified_at, now, IDENTIFY_EVERY)
        if identify:
            record = await self._identify(record, now)
        if force or _is_due(record.listed_at, now, LIST_EVERY):
            rows = await self._calendar_rows()
            if not identify and await self._misses_any(rows):
                # Another login has other calendars: none of them may get a folder here.
                record = await self._identify(record, now)
            await self._note_calendars(rows)
            await self._store.put_account(replace(record, listed_at=now))
        return await self.calendars()

    async def calendars(self) -> list[CalendarRecord]:
        """The calendars that are to be synced, as they are known."""
        known = await self._store.calendars(self.account.name)
        admits = self.account.calendar_filter.admits
        return [one for one in known if one.status == "active" and admits(one.name)]

    async def owner(self) -> Owner:
        """Whose mailbox it is."""
        record = await self._known_account()
        zone = windows_zone(record.zone) if record.zone else None
        configured = (address.casefold() for address in self.account.addresses)
        return Owner(frozenset((*record.addresses, *configured)), zone or UTC_ZONE)

    async def _known_account(self) -> AccountRecord:
        found = await self._store.account(self.account.name)
        here = str(self._export_dir)
        if found is None:
            return AccountRecord(self.account.name, "", (), "", None, None, here)
        if found.export_dir and found.export_dir != here:
            # A changed export_dir is a new folder to fill, never a deletion.
            await self._store.forget_folders(self.account.name, here)
        return replace(found, export_dir=here)

    async def _identify(self, record: AccountRecord, now: datetime) -> AccountRecord:
        identity = self._dialect.read_identity(await self._remote.read(self._dialect.identity()))
        if record.user_id and record.user_id != identity.user_id:
            raise StateError(
                f"account {self.account.name!r} is signed in to another mailbox than before",
                hint="Sign in as before, or give the other mailbox an account name of its own.",
            )
        zone, settings = "", record.settings
        if asked := self._dialect.mailbox_settings():
            zone, settings = self._dialect.read_settings(await self._remote.read(asked))
        record = replace(
            record,
            user_id=identity.user_id,
            addresses=identity.addresses,
            zone=zone or record.zone,
            settings=settings,
            identified_at=now,
        )
        await self._store.put_account(record)
        return record

    async def _misses_any(self, rows: Collection[CalendarRow]) -> bool:
        """Whether a calendar that is followed is not listed."""
        listed = {row.id for row in rows}
        known = await self._store.calendars(self.account.name)
        return any(one.status == "active" and one.id not in listed for one in known)

    async def _note_calendars(self, rows: Collection[CalendarRow]) -> None:
        known = {one.id: one for one in await self._store.calendars(self.account.name)}
        taken = {folded(one.folder) for one in known.values()} | await self._forgotten()
        rows = list({row.id: row for row in rows if row.id not in NO_IDS}.values())
        for row in rows:
            await self._note_calendar(row, known.get(CalendarId(row.id)), taken)
        listed = {row.id for row in rows}
        for one in known.values():
            if one.id not in listed and one.status == "active":
                await self._calendar_gone(one)
        for one in await self._store.calendars(self.account.name):
            if one.status == "gone":
                await self._list_edits(one)

    async def _forgotten(self) -> set[str]:
        """Names of folders that are to be left alone, as long as they are there."""
        names = await self._store.forgotten_folders(self.account.name)
        parent = self._export_dir / self.account.name
        return {folded(one) for one in names if (parent / one).exists()}

    async def _calendar_rows(self) -> list[CalendarRow]:
        rows, link = self._dialect.read_calendars(
            await self._remote.read(self._dialect.calendars())
        )
        seen: set[str] = set()
        while link and link not in seen:
            seen.add(link)
            answer = await self._remote.read(self._dialect.follow(link, "calendars"))
            more, link = self._dialect.read_calendars(answer)
            rows += more
        return rows

    async def _note_calendar(
        self, row: CalendarRow, known: CalendarRecord | None, taken: set[str]
    ) -> None:
        name, color = row.name or "Calendar", _color(row)
        can_edit = row.can_edit is not False
        told = ((row.owner.address if row.owner else "") or "").casefold()
        owner = told or (known.owner if known is not None else "")
        is_default = bool(row.is_default_calendar)
        meetings_by = row.default_online_meeting_provider or ""
        if known is None:
            if not self.account.calendar_filter.admits(name):
                return
            folder = folder_name(name, taken)
            taken.add(folded(folder))
            await self._store.put_calendar(
                CalendarRecord(
                    CalendarKey(0),
                    self.account.name,
                    CalendarId(row.id),
                    name,
                    color,
                    folder,
                    can_edit,
                    "active",
                    "new",
                    owner,
                    is_default,
                    meetings_by,
                )
            )
            return
        wanted = self.account.calendar_filter.admits(name)
        status: Any = "active" if wanted else "gone"
        now = replace(known, name=name, color=color, status=status, can_edit=can_edit)
        now = replace(now, owner=owner, is_default=is_default, meetings_by=meetings_by)
        us = await self.owner()
        if now.whose(us) != known.whose(us):
            # The bases were read as another's: whose line and answer is one's own was different.
            await read_anew(self._store, known.key, known.whose(us), now.whose(us))
        if now != known:
            await self._store.put_calendar(now)
        if status != known.status:
            await self._name_status(now, "the configuration leaves the calendar out")

    async def _calendar_gone(self, calendar: CalendarRecord) -> None:
        gone = replace(calendar, status="gone")
        await self._store.put_calendar(gone)
        await self._name_status(gone, "the calendar is not in the mailbox any more")

    async def _name_status(self, calendar: CalendarRecord, reason: str) -> None:
        """A calendar that goes keeps its folder and is named once; nothing is deleted."""
        if calendar.status == "active":
            over = [PutProblems("*gone"), PutProblems("*gone-edits")]
            await self._store.commit(calendar.key, over)
            return
        problem = self._problem(
            calendar,
            "calendar-gone",
            "calendar-gone",
            f"{reason}; its folder {calendar.folder!r} is kept and not synced",
            f"Nothing to do; {_forgotten_by(calendar)} ends it.",
            needs_person=False,
        )
        await self._store.commit(calendar.key, [PutProblems("*gone", (problem,))])
        bench = await self._bench(calendar, await self.owner())
        for entry in await self._store.asked(calendar.key):
            await tell(bench, entry, reason)

    async def _list_edits(self, calendar: CalendarRecord) -> None:
        """What a person does in the folder of a calendar that went reaches nobody: it is listed."""
        marker = Marker(calendar.account, calendar.id, await self._store.installation())
        path = self._export_dir / calendar.account / calendar.folder
        known = await self._store.known_files(calendar.key)
        try:
            look = await self._make_folder(path, marker, 0o600).look(known, thorough=False)
        except SyncdError:
            return  # what was listed stays: nobody can tell
        edits: dict[str, str] = {}
        if look.standing == "ours":
            edits |= dict.fromkeys(look.missing, "was deleted")
            edits |= {one.name: "was edited" for one in look.changed if one.name in known}
            edits |= {one.name: "is new" for one in look.changed if one.name not in known}
        problems = [self._edit_problem(calendar, *edit) for edit in sorted(edits.items())]
        await self._store.commit(calendar.key, [PutProblems("*gone-edits", tuple(problems))])

    def _edit_problem(self, calendar: CalendarRecord, file: str, what: str) -> Problem:
        return self._problem(
            calendar,
            "calendar-gone",
            "calendar-gone-edit",
            f"the file {what}, in the folder of a calendar that is not followed any more:"
            " it goes nowhere",
            f"Put it into the folder of another calendar, or {_forgotten_by(calendar)}: then the"
            " folder is yours alone.",
            needs_person=True,
            slot=file,
            file=file,
        )

    def _problem(
        self,
        calendar: CalendarRecord,
        kind: Any,
        code: str,
        reason: str,
        hint: str,
        *,
        needs_person: bool,
        **rest: Any,
    ) -> Problem:
        return Problem(
            id=problem_id(calendar.account, calendar.id, "", kind, code, rest.pop("slot", "")),
            kind=kind,
            code=code,
            needs_person=needs_person,
            account=calendar.account,
            calendar=calendar.name,
            uid=rest.pop("uid", None),
            file=rest.pop("file", ""),
            summary="",
            line=0,
            reason=reason,
            hint=hint,
            since=self._clock.now(),
            **rest,
        )

    # --- syncing -----------------------------------------------------------------------------

    async def sync(
        self,
        calendars: Collection[CalendarRecord],
        *,
        look_at: Collection[CalendarKey],
        thorough: bool = False,
        most_rounds: int = MOST_ROUNDS,
    ) -> list[CalendarReport]:
        """
        Rounds over some calendars until nothing is left to do.

        Args:
            look_at: the calendars whose folders are looked at in the first round; all others only
                if something came from the service. thorough: read every file again.
        """
        reports = {
            one.key: CalendarReport(self.account.name, one.name, Counts()) for one in calendars
        }
        going, looking = list(calendars), set(look_at)
        for number in range(most_rounds):
            before = _work_in(reports)
            again = await self._one_pass(going, looking, reports, thorough=thorough and not number)
            going = [one for one in await self.calendars() if one.key in again]
            looking = {one.key for one in going}
            if not going:
                break
            waiting = [reports[one.key].waiting > 0 for one in going]
            # Who is going only because of one that waits has nothing to do meanwhile.
            if all(waiting) or (any(waiting) and _work_in(reports) == before):
                await self._clock.sleep(WAIT_FOR_DOUBT_S)
        return list(reports.values())

    async def _one_pass(
        self,
        calendars: Collection[CalendarRecord],
        look_at: Collection[CalendarKey],
        reports: Mapping[CalendarKey, CalendarReport],
        *,
        thorough: bool,
    ) -> set[CalendarKey]:
        """One round of each calendar; the keys of those that have more to do."""
        owner = await self.owner()
        benches = {one.key: await self._bench(one, owner) for one in calendars}
        looking: dict[CalendarKey, _Looking] = {}
        for key, bench in benches.items():
            whole = thorough or await self._true_up_due(bench)
            if whole or key in look_at or bench.calendar.phase != "live":
                looking[key] = _Looking(bench, whole)
        seen = await self._looked(looking)
        states = {key: LocalState(whole=False) for key in benches.keys() - looking.keys()}
        states |= {key: seen.states[key] for key in looking.keys() & seen.states.keys()}
        for key, error in seen.troubles.items():
            reports[key].trouble = error
        moves, written = await self._carried(benches, seen, await self._moves(benches, seen))
        moving = {key for key in looking if moves[key] != NO_MOVES}
        # Where files arrive comes first: a moved event is made there before it goes here.
        order = sorted(benches.values(), key=lambda bench: not moves[bench.key].here)
        again = written & reports.keys()
        for bench in order:
            report = reports[bench.key]
            if bench.key not in states:
                continue
            found = _Found(states[bench.key], moves[bench.key])
            if await self._round(bench, found, report):
                again.add(bench.key)
            targets = _targets(found, seen) & reports.keys()
            others = targets | _sources(found, seen) & reports.keys()
            # Those whose round does not know of the move have another in the next pass.
            again |= others if found.again is not None else others - moving
            # Its file is made elsewhere: after that the event may go here.
            if targets & again and report.trouble is None:
                again.add(bench.key)
        return again

    async def _round(self, bench: Bench, found: _Found, report: CalendarReport) -> bool:
        now = self._clock.now()
        round_ = await self._store.begin_round(bench.key, now)
        true_up = await self._true_up_due(bench)

        async def look_again() -> tuple[LocalState, Moves]:
            found.again = await self._looked({bench.key: _Looking(bench, thorough=False)})
            if bench.key in found.again.troubles:
                raise found.again.troubles[bench.key]
            found.moves = (await self._moves({bench.key: bench}, found.again))[bench.key]
            return found.again.states[bench.key], found.moves

        done = RoundReport(bench.counts)
        try:
            done = await run_round(
                bench, found.local, round_, look_again, moves=found.moves, true_up=true_up
            )
        except SyncdError as error:
            done.trouble = error
        except (ValueError, msgspec.DecodeError) as error:
            # Whatever the service sent, the other calendars go on.
            done.trouble = BadAnswer(f"something the service sent cannot be read: {error}")
            done.trouble.__cause__ = error
        if done.trouble is None:
            await self._export(bench)
        if done.linked:
            await self._store.put_calendar(replace(bench.calendar, phase="live"))
        await self._note(bench, report, done, round_)
        return done.again and done.trouble is None

    async def _note(
        self, bench: Bench, report: CalendarReport, done: RoundReport, round_: Any
    ) -> None:
        report.trouble = done.trouble
        report.waiting = done.watching
        counts = {name: getattr(bench.counts, name) for name in Counts.__slots__}
        for name, value in counts.items():
            setattr(report.counts, name, getattr(report.counts, name) + value)
        error = str(done.trouble) if done.trouble is not None else ""
        now = self._clock.now()
        await self._store.end_round(round_, now, counts, error)
        await self._store.note_round(bench.key, now, error)
        self._observe(
            "round.finished",
            {"account": self.account.name, "calendar": bench.calendar.name, "error": error}
            | {name: value for name, value in counts.items() if value},
        )

    async def _export(self, bench: Bench) -> None:
        """Run the exporters that the settings switch on, after a round that did something."""
        settings = self.account.sync_for(bench.calendar.name)
        wanted = [run for key, run in EXPORTERS.items() if getattr(settings, key)]
        if not wanted or not (bench.counts.anything() or bench.key not in self._exported):
            return
        items = await self._store.all_items(bench.key)
        files = [item.content for item in items if item.file is not None]
        calendar = bench.calendar
        snapshot = Snapshot(calendar.account, calendar.folder, calendar.name, files)
        for run in wanted:
            await asyncio.to_thread(run, self._export_dir, snapshot)
        self._exported.add(bench.key)

    async def _true_up_due(self, bench: Bench) -> bool:
        view = await self._store.view(bench.key)
        if view is None or view.true_up_at is None:
            return False
        every = timedelta(seconds=bench.rules.true_up_s)
        return _is_due(view.true_up_at, self._clock.now(), every)

    async def dry_run(self, calendars: Collection[CalendarRecord]) -> list[CalendarReport]:
        """What a sync would do; the store is to be a copy, and the folders are only looked at."""
        owner = await self.owner()
        benches = {one.key: await self._bench(one, owner) for one in await self.calendars()}
        seen = _Seen(frozenset(benches))
        for key, bench in benches.items():
            with seen.kept_trouble(key):
                seen.states[key] = await self._as_it_is(bench)
                seen.absent[key] = seen.states[key].missing
        seen.whole = not seen.troubles
        moves = await self._moves(benches, seen)
        reports = []
        for calendar in calendars:
            bench = benches[calendar.key]
            report = CalendarReport(self.account.name, calendar.name, bench.counts)
            reports.append(report)
            report.trouble = seen.troubles.get(calendar.key)
            if report.trouble is None:
                with seen.kept_trouble(calendar.key):
                    await pull_any(bench, {}, true_up=False)
                    done = await dry_round(bench, seen.states[calendar.key], moves[calendar.key])
                    report.plans = done.plans
                report.trouble = seen.troubles.get(calendar.key)
        return reports

    async def _bench(self, calendar: CalendarRecord, owner: Owner) -> Bench:
        settings = self.account.sync_for(calendar.name)
        marker = Marker(calendar.account, calendar.id, await self._store.installation())
        path = self._export_dir / calendar.account / calendar.folder
        return Bench(
            remote=self._remote,
            folder=self._make_folder(path, marker, settings.export_mode),
            store=self._store,
            clock=self._clock,
            dialect=self._dialect,
            calendar=calendar,
            owner=calendar.whose(owner),
            rules=rules_of(settings),
            observe=self._observe,
            denied=self._denied.setdefault(calendar.key, {}),
            swept=self._swept.get(calendar.key, {}),
            versions=self._versions.setdefault(calendar.key, {}),
        )

    # --- folders -----------------------------------------------------------------------------

    async def _looked(self, looking: Mapping[CalendarKey, _Looking]) -> _Seen:
        """
        Look at some folders.

        A file counts as missing when it is absent in two looks at least a second apart and its UID
        has turned up nowhere else in the account. Once something is missing, or has come from
        elsewhere, the second look is one at all folders of the account, begun after all the first
        ones: wherever a file has gone, it is there by now.
        """
        seen = _Seen(frozenset(looking))
        for key, one in looking.items():
            with seen.kept_trouble(key):
                seen.states[key] = await self._read(one.bench, await self._first_look(one))
        # Without a state nothing is missed: what moves between the looks would seem to be gone.
        recovering = any(one.bench.calendar.phase == "recovery" for one in looking.values())
        if not recovering and not await self._may_move(seen.states):
            return seen
        await self._clock.sleep(TWO_LOOKS_APART_S)
        seen_first = set[Uid]().union(*(one.uids() for one in seen.states.values()))
        for key, first in list(seen.states.items()):
            del seen.states[key]
            with seen.kept_trouble(key):
                second = await self._read(looking[key].bench, await self._look(looking[key]))
                second.absent = seen.absent[key] = set(second.missing)
                second.missing &= first.missing
                seen.states[key] = second
        await self._search(looking, seen)
        await self._miss_unnamed(seen)
        seen_last = set[Uid]().union(*(one.uids() for one in seen.states.values()))
        for state in seen.states.values():
            state.in_flight = seen_first - seen_last
        return seen

    async def _may_move(self, states: Mapping[CalendarKey, LocalState]) -> bool:
        """Whether something may be missing, or turned up that another calendar has, or had."""
        for key, state in states.items():
            homes = await self._store.homes(self.account.name, state.uids())
            unnamed = await self._store.unnamed(key) - state.uids()
            if state.missing or unnamed or any(key not in one for one in homes.values()):
                return True
        return False

    async def _miss_unnamed(self, seen: _Seen) -> None:
        """
        Count as missing what was made right before a kill and is in another folder by now: its file
        was there, under a name that nobody noted.
        """
        # A folder that is filled anew, or for the first time, misses nothing.
        live = {one.key for one in await self.calendars() if one.phase == "live"}
        for key in live & seen.states.keys():
            state = seen.states[key]
            unnamed = await self._store.unnamed(key) - state.uids()
            found = await self._turned_up(seen, unnamed)
            homes = await self._store.homes(self.account.name, unnamed)
            came = await self._store.arrivals(key, unnamed)
            places = ((uid, found.get(uid, {}) | homes.get(uid, {})) for uid in unnamed)
            gone = {uid for uid, at in places if _elsewhere(at, key, came.get(uid, set()))}
            state.missing |= gone
            seen.absent[key] = seen.absent.get(key, set()) | gone

    async def _search(self, looking: Mapping[CalendarKey, _Looking], seen: _Seen) -> None:
        """Look at the account's other folders."""
        owner = await self.owner()
        for calendar in await self.calendars():
            if calendar.key not in looking:
                bench = await self._bench(calendar, owner)
                try:
                    look = await self._look(_Looking(bench, thorough=False))
                    state = await read_folder(bench, look)
                    seen.states[calendar.key] = state
                    seen.absent[calendar.key] = state.missing
                except SyncdError:
                    seen.whole = False
        seen.whole &= not seen.troubles

    async def _first_look(self, one: _Looking) -> FolderLook:
        """Prepare the folder where it is new, and look at it."""
        bench = one.bench
        if bench.calendar.phase == "new" or await self._is_cut_short(bench):
            await self._prepare(bench)
        await self._apply_folder_verdict(bench)
        await self._sweep(bench)
        return await self._look(one)

    async def _look(self, one: _Looking) -> FolderLook:
        known = await self._store.known_files(one.bench.key)
        return await one.bench.folder.look(known, thorough=one.thorough)

    async def _read(self, bench: Bench, look: FolderLook) -> LocalState:
        if look.standing == "ours":
            await bench.folder.prepare(
                self._marker_of(bench, await self._store.installation()),
                displayname=bench.calendar.name,
                color=bench.calendar.color,
            )
        return await read_folder(bench, look)

    def _marker_of(self, bench: Bench, installation: str) -> Marker:
        return Marker(bench.calendar.account, bench.calendar.id, installation)

    async def _as_it_is(self, bench: Bench) -> LocalState:
        known = await self._store.known_files(bench.key)
        seen = await bench.folder.look(known, thorough=False)
        if bench.calendar.phase == "new":
            seen = replace(seen, standing="ours")
        return await read_folder(bench, seen)

    async def _prepare(self, bench: Bench) -> None:
        """First contact with a folder: an import, a recovery, or simply a new folder to fill."""
        if await self._is_unmounted():
            return
        calendar = bench.calendar
        folder = bench.folder
        assert isinstance(folder, VdirFolder)
        found = await folder.found_marker()
        if found is not None and (found.account, found.calendar) != (calendar.account, calendar.id):
            await self._take_another_folder(bench)
            return
        phase: Any = "import" if found is None else "recovery"
        # Before the marker: without it, that the start was cut short could be told by nothing.
        bench.calendar = await self._store.put_calendar(replace(calendar, phase=phase))
        await folder.prepare(
            self._marker_of(bench, await self._store.installation()),
            displayname=calendar.name,
            color=calendar.color,
        )

    async def _is_cut_short(self, bench: Bench) -> bool:
        """Whether a first contact ended before the folder was marked."""
        if bench.calendar.phase == "live" or (await self._store.counts(bench.key))["items"]:
            return False
        assert isinstance(bench.folder, VdirFolder)
        found = await bench.folder.found_marker()
        return found is None or found.installation != await self._store.installation()

    async def _is_unmounted(self) -> bool:
        """Whether folders that were there are not: then nothing new is made in their place."""
        for one in await self._store.calendars(self.account.name):
            path = self._export_dir / one.account / one.folder
            if one.phase == "live" and one.status == "active" and not path.is_dir():
                return True
        return False

    async def _take_another_folder(self, bench: Bench) -> None:
        """The folder of that name is marked as another calendar's: it is left alone."""
        calendar = bench.calendar
        known = await self._store.calendars(self.account.name)
        taken = {folded(one.folder) for one in known} | {folded(calendar.folder)}
        parent = self._export_dir / calendar.account
        taken |= {folded(path.name) for path in parent.iterdir()} if parent.is_dir() else set()
        name = folder_name(calendar.name, taken)
        bench.calendar = await self._store.put_calendar(replace(calendar, folder=name))
        fresh = await self._bench(bench.calendar, await self.owner())
        bench.folder = fresh.folder
        await self._prepare(bench)

    async def _apply_folder_verdict(self, bench: Bench) -> None:
        """A person said that a missing or unmarked folder shall be filled anew."""
        verdicts = await self._store.verdicts()
        for problem in await self._store.problems(bench.key, subject="*folder"):
            verdict = verdicts.get(problem.id)
            if verdict is not None and verdict.kind == "approved":
                if not await self._is_back(bench):
                    await self._fill_anew(bench)
                await self._store.commit(bench.key, [ClearVerdict(problem.id)])

    async def _is_back(self, bench: Bench) -> bool:
        """Whether the folder is there again as it was: then there is nothing to be filled anew."""
        assert isinstance(bench.folder, VdirFolder)
        wanted = self._marker_of(bench, await self._store.installation())
        return await bench.folder.found_marker() == wanted

    async def _fill_anew(self, bench: Bench) -> None:
        await self._store.forget_files(bench.key)
        await bench.folder.prepare(
            self._marker_of(bench, await self._store.installation()),
            displayname=bench.calendar.name,
            color=bench.calendar.color,
        )
        bench.calendar = await self._store.put_calendar(replace(bench.calendar, phase="recovery"))

    async def _sweep(self, bench: Bench) -> None:
        """What a killed swap left behind: a version that nobody else holds goes to the history."""
        if bench.key in self._swept:
            return
        orphans = await bench.folder.sweep()
        if orphans:
            kept = [self._orphan_record(bench, one) for one in orphans]
            await self._store.commit(bench.key, [AddHistory(one) for one in kept])
            await bench.folder.discard(orphans)
        self._swept[bench.key] = bench.swept = {one.name: one.data for one in orphans}

    def _orphan_record(self, bench: Bench, orphan: Orphan) -> HistoryRecord:
        uid = Uid(quick_uid(orphan.data) or f"file:{orphan.name}")
        now = self._clock.now()
        name = bench.calendar.name
        return HistoryRecord(0, _NO_ROUND, now, name, uid, "local", FOUND, (), orphan.data, b"")

    async def _moves(
        self, benches: Mapping[CalendarKey, Bench], seen: _Seen
    ) -> dict[CalendarKey, Moves]:
        """Which UIDs are missing in one calendar and have turned up in another."""
        missing = {key: state.missing for key, state in seen.states.items()}
        everything = set[Uid]().union(*missing.values())
        homes = await self._store.homes(self.account.name, everything)
        found = await self._turned_up(seen, everything)
        moves: dict[CalendarKey, Moves] = {}
        for key in benches:
            gone = missing.get(key, set())
            came = await self._store.arrivals(key, gone & homes.keys()) if gone else {}
            away, done = set[Uid](), dict[Uid, CalendarKey]()
            for uid in gone:
                # Who was followed there all along is another event, and this file was deleted.
                new = came.get(uid, set())
                known = _elsewhere(homes.get(uid, {}), key, new)
                known = {at: one for at, one in known.items() if not seen.misses(at, uid)}
                now = _elsewhere(found.get(uid, {}), key, new)
                # Where it is held the event stays, and while not every folder could be searched.
                arrived = [at for at, followed in (known | now).items() if followed]
                held = not all(now.values()) or (known and not any(known.values()))
                if held or not seen.whole or (uid in seen.states[key].doubtful and not arrived):
                    away.add(uid)
                elif arrived:
                    done[uid] = arrived[0]
            elsewhere = set[Uid]().union(*(uids for at, uids in seen.absent.items() if at != key))
            here = set[Uid]()
            if key in seen.states:
                new_here = seen.states[key].files.keys()
                here = new_here & elsewhere | await self._out_of_sight(key, new_here, seen)
            moves[key] = Moves(frozenset(away), frozenset(here), done)
        return moves

    async def _out_of_sight(
        self, key: CalendarKey, arrived: Collection[Uid], seen: _Seen
    ) -> set[Uid]:
        """New files of events that another calendar has, whose folder cannot be looked into."""
        homes = await self._store.homes(self.account.name, arrived)
        return {
            uid
            for uid, known in homes.items()
            if not known.get(key) and any(known[other] for other in known if not seen.sees(other))
        }

    async def _carried(
        self,
        benches: Mapping[CalendarKey, Bench],
        seen: _Seen,
        moves: Mapping[CalendarKey, Moves],
    ) -> tuple[dict[CalendarKey, Moves], set[CalendarKey]]:
        """
        The moves, after what was edited in Outlook has followed the files; and the calendars whose
        files have news by that.
        """
        after: dict[CalendarKey, Moves] = {}
        written: set[CalendarKey] = set()
        for key, found in moves.items():
            came = {
                uid: await self._carry(benches, key, uid, found.done[uid], seen)
                for uid in sorted(found.done)
            }
            later = {uid for uid, how in came.items() if how == "later"}
            done = {uid: found.done[uid] for uid in came if came[uid] in ("nothing", "written")}
            written |= {found.done[uid] for uid, how in came.items() if how == "written"}
            after[key] = Moves(found.away | later, found.here, done)
        return after, written

    async def _carry(
        self,
        benches: Mapping[CalendarKey, Bench],
        key: CalendarKey,
        uid: Uid,
        at: CalendarKey,
        seen: _Seen,
    ) -> Carried:
        source = benches[key]
        target = benches.get(at)
        if target is None:
            followed = {one.key: one for one in await self.calendars()}
            target = await self._bench(followed[at], await self.owner()) if at in followed else None
        state = seen.states.get(at)
        file = state.files.get(uid) if state is not None else None
        stats = {one.file: one.stat for one in state.restamped} if state is not None else {}
        return await carry(source, target, uid, file, stats, in_sight=seen.sees(at))

    async def _turned_up(
        self, seen: _Seen, missing: set[Uid]
    ) -> dict[Uid, dict[CalendarKey, bool]]:
        """Where files of some UIDs were seen, and whether their event is followed there by now."""
        found: dict[Uid, dict[CalendarKey, bool]] = {}
        for key, state in seen.states.items():
            uids = state.uids() & missing
            records = await self._store.items(key, uids)
            for uid in uids:
                followed = uid in records and records[uid].graph_id is not None
                found.setdefault(uid, {})[key] = followed
        return found


def _work_in(reports: Mapping[CalendarKey, CalendarReport]) -> int:
    """How much was written so far, on either side."""
    counts = [one.counts for one in reports.values()]
    files = sum(one.files_written + one.files_removed for one in counts)
    return files + sum(one.created + one.updated + one.deleted + one.answered for one in counts)


def _elsewhere(
    places: Mapping[CalendarKey, bool], key: CalendarKey, new: Collection[CalendarKey]
) -> dict[CalendarKey, bool]:
    """Where a file is besides one calendar; where it is followed only if that is new."""
    return {
        at: followed for at, followed in places.items() if at != key and (not followed or at in new)
    }


@dataclass(frozen=True, slots=True)
class _Looking:
    """A folder that is to be looked at; `thorough`: every file of it is read again."""

    bench: Bench
    thorough: bool


@dataclass(slots=True)
class _Seen:
    """
    What looks at the folders of an account say, and where they failed.

    `looked` are those that were asked for, the others were searched. `absent` are the UIDs that the
    last look at a folder missed, which is enough to know where an arrival comes from. `whole` is
    False when not every folder could be looked at.
    """

    looked: frozenset[CalendarKey]
    states: dict[CalendarKey, LocalState] = field(default_factory=dict)
    absent: dict[CalendarKey, set[Uid]] = field(default_factory=dict)
    troubles: dict[CalendarKey, SyncdError] = field(default_factory=dict)
    whole: bool = True

    @contextmanager
    def kept_trouble(self, key: CalendarKey) -> Iterator[None]:
        """One folder that cannot be looked at is no reason to stop the others."""
        try:
            yield
        except SyncdError as error:
            self.troubles[key] = error

    def sees(self, key: CalendarKey) -> bool:
        """Whether the folder is there, and was looked into."""
        return key in self.states and self.states[key].standing == "ours"

    def misses(self, key: CalendarKey, uid: Uid) -> bool:
        """Whether a file is missing there, by two looks."""
        return key in self.looked and key in self.states and uid in self.states[key].missing


def _targets(found: _Found, seen: _Seen) -> set[CalendarKey]:
    """The calendars in which files turned up that are missing in this one, and can be read."""
    states = (found.again or seen).states
    return {key for key, one in states.items() if one.files.keys() & found.moves.away}


def _sources(found: _Found, seen: _Seen) -> set[CalendarKey]:
    """The calendars in which files are missing that turned up in this one."""
    absent = (found.again or seen).absent
    return {key for key, uids in absent.items() if uids & found.moves.here}


@dataclass(slots=True)
class _Found:
    """What a round begins with, and what it saw where it had to look again."""

    local: LocalState
    moves: Moves
    again: _Seen | None = None


_NO_ROUND: Any = 0


def _forgotten_by(calendar: CalendarRecord) -> str:
    return f"`syncd calendars forget {quote(f'{calendar.account}/{calendar.name}')}`"


def _is_due(last: datetime | None, now: datetime, every: timedelta) -> bool:
    # A clock that was set back makes `last` lie in the future: then it is due as well.
    return last is None or not timedelta(0) <= now - last < every


_COLORS = {
    "lightBlue": "#a6d1f5",
    "lightGreen": "#b7e0b0",
    "lightOrange": "#f7ceb1",
    "lightGray": "#cccccc",
    "lightYellow": "#f5eba0",
    "lightTeal": "#9adfd3",
    "lightPink": "#f5bcd8",
    "lightBrown": "#d8c0a8",
    "lightRed": "#f2b3b3",
    "maxColor": "#a6d1f5",
}


def _color(row: CalendarRow) -> str:
    """A colour as vdir metadata wants it; "" where the service has chosen none."""
    color = row.hex_color or _COLORS.get(row.color or "", "")
    digits = color.removeprefix("#")
    ok = len(digits) == 6 and all(c in "0123456789abcdefABCDEF" for c in digits)
    return f"#{digits}" if ok else ""


def exit_code(reports: Collection[CalendarReport], *, held: int) -> ExitCode:
    """The exit code of a sync: bugs, usage, login, what passes, what waits for a person."""
    codes = {one.trouble.exit_code for one in reports if one.trouble is not None}
    if any(one.waiting for one in reports):
        codes.add(ExitCode.PASSES)
    for code in (ExitCode.BUG, ExitCode.USAGE, ExitCode.LOGIN, ExitCode.PASSES):
        if code in codes:
            return code
    return ExitCode.PERSON if held else ExitCode.OK
