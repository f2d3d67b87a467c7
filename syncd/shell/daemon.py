"""
The daemon: keeps every account in step until it is told to stop, whatever fails meanwhile.

Knows tasks, locks, the scheduler's jobs, and when a trouble begins and ends. What is due is decided
by `syncd.shell.schedule`, what a round does by the mailbox; signals and exit codes are the
command's. Tells everything it notices through one `Observe`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from math import inf
from random import Random
from typing import Any, assert_never, get_args

import structlog
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from syncd.core.errors import (
    CommandError,
    ExitCode,
    LoginNeeded,
    StateError,
    SyncdError,
    Throttled,
    Unreachable,
)
from syncd.core.ids import AccountName
from syncd.core.state import CalendarKey, CalendarRecord, ErrandKind, VerdictKind
from syncd.ports import Clock
from syncd.round.desk import Observe
from syncd.shell import schedule
from syncd.shell.actions import (
    decide_problem,
    find_problem,
    go_back,
    held_count,
    parse_targets,
    reports_to_json,
    sync_now,
    take_up_words,
    tidy_history,
)
from syncd.shell.asking import plan_wish, wish_for, wish_in
from syncd.shell.attachments import change_in
from syncd.shell.control import serving
from syncd.shell.errands import attach, carry_out_errands, change_directory
from syncd.shell.forgetting import forget
from syncd.shell.mailbox import CalendarReport, Mailbox, exit_code
from syncd.shell.notify import Notifier
from syncd.shell.schedule import Agenda, Done, Failed, Outcome, Pace, Tick
from syncd.shell.scheduling import write_meeting
from syncd.shell.workshop import Workshop
from syncd.store.store import Store
from syncd.vdir.watch import Everything, FolderWatch, Touched

__all__ = ["PATIENCE_S", "Daemon", "Keeper", "Troubles", "log_facts"]

PATIENCE_S = 60.0
"""Longer waits end the round, so that the trouble is told and `syncd sync` gets its answer."""

ERRANDS_TICK_S = 30.0
LIST_TICK_S = 30.0  # the mailbox itself asks the service every five minutes
TICK_S = 1.0
READY_WITHIN_S = 5.0
END_WITHIN_S = 3.0
MEND_S = 10.0
QUIET_S = 60.0  # a trouble that comes and goes is told once in this time
SOONEST_S = 0.05
DAY_S = 86_400.0
FIRST_TIDYING_S = 60.0
LONG_JUMP_S = 2 * DAY_S
ACCOUNT_WIDE = (Unreachable, LoginNeeded, StateError)


# --- what is told ------------------------------------------------------------------------------

_LEVELS: Mapping[str, str] = {
    "calendar.joined": "info",
    "calendar.left": "info",
    "clock.jumped": "info",
    "clock.off": "warning",
    "daemon.started": "info",
    "daemon.stopped": "info",
    "event.refused": "warning",
    "event.unreadable": "warning",
    "pages.endless": "warning",
    "rows.unreadable": "warning",
    "state.set_aside": "warning",
    "state.went_back": "warning",
    "token.dead": "info",
    "trouble.began": "warning",
    "trouble.ended": "info",
    "write.lost": "warning",
}
"""How loud the facts are; the others are for debugging."""

_ROUND_FIELDS = frozenset(("account", "calendar", "error", "held"))


def log_facts(event: str, facts: Mapping[str, Any]) -> None:
    """Fulfil `Observe` with log lines; a round is worth one only if something happened in it."""
    level = _LEVELS.get(event, "debug")
    if event == "round.finished" and facts.keys() - _ROUND_FIELDS:
        level = "info"
    if facts.get("exc_info") is not None:
        level = "error"
    getattr(structlog.get_logger(), level)(event, **facts)


class Troubles:
    """What goes wrong at present; each is told when it begins and when it ends."""

    def __init__(self, observe: Observe, clock: Clock) -> None:
        self._observe = observe
        self._clock = clock
        self._kinds: dict[str, type[BaseException]] = {}
        self._told: set[str] = set()
        self._told_at_s: dict[tuple[str, type[BaseException]], float] = {}

    def __len__(self) -> int:
        return len(self._kinds)

    def began(self, subject: str, error: Exception) -> None:
        """Note what went wrong with an account or `account/calendar`; told once."""
        kind = type(error)
        if self._kinds.get(subject) is kind:
            return
        self._kinds[subject] = kind
        now_s = self._clock.monotonic_s()
        if now_s - self._told_at_s.get((subject, kind), -inf) < QUIET_S:
            return
        self._told_at_s[subject, kind] = now_s
        self._told.add(subject)
        self._observe("trouble.began", {"subject": subject, **_facts(error)})

    def ended(self, subject: str) -> None:
        """Note that it goes well again."""
        kind = self._kinds.pop(subject, None)
        if kind is not None and subject in self._told:
            self._told.discard(subject)
            self._observe("trouble.ended", {"subject": subject, "kind": kind.__name__})


def _facts(error: Exception) -> dict[str, Any]:
    facts: dict[str, Any] = {"kind": type(error).__name__, "error": str(error)}
    if not isinstance(error, SyncdError):
        return facts | {"exc_info": error}
    pause = {"pause_s": round(error.pause_s)} if isinstance(error, Throttled) else {}
    return facts | pause | ({"hint": error.hint} if error.hint else {})


# --- one account -------------------------------------------------------------------------------


class Keeper:
    """
    Keeps one account in step: one turn at a time, each doing all that is due.

    `replan` is called whenever something is due at another time than before.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        store: Store,
        clock: Clock,
        troubles: Troubles,
        observe: Observe,
        replan: Callable[[Keeper], None],
        rng: Random,
    ) -> None:
        self.mailbox = mailbox
        self.lock = asyncio.Lock()
        self.tried = asyncio.Event()
        self.records: dict[CalendarKey, CalendarRecord] = {}
        self.paces: dict[CalendarKey, Pace] = {}
        self.list_s = -inf
        self._store = store
        self._clock = clock
        self._troubles = troubles
        self._observe = observe
        self._replan = replan
        self._rng = rng
        self._failures = 0
        self._doubtful = True  # who the mailbox is has to be asked before anything is written

    @property
    def name(self) -> AccountName:
        """The account's name."""
        return self.mailbox.account.name

    @property
    def is_in_reach(self) -> bool:
        """Whether the service answered last, and the mailbox is known to be the right one."""
        return not self._failures and not self._doubtful

    # -- from outside

    def touch(self, folders: Collection[str] | None) -> None:
        """Someone worked in folders of these names; None is any of them."""
        now_s = self._clock.monotonic_s()
        for key, record in self.records.items():
            if folders is None or record.folder in folders:
                self.paces[key] = schedule.touched(self.paces[key], now_s)
        self._replan(self)

    def hurry(self) -> None:
        """Everything is due now."""
        now_s = self._clock.monotonic_s()
        self.list_s = now_s
        self.paces = {key: schedule.at_once(pace, now_s) for key, pace in self.paces.items()}
        self._replan(self)

    async def turn(self) -> None:
        """Do what is due, until nothing is."""
        try:
            while await self._one_turn():
                pass
        finally:
            self.tried.set()
            self._replan(self)

    async def visited(self, reports: Iterable[CalendarReport]) -> None:
        """A command has synced calendars of this account; called with the lock held."""
        self.adopt(await self.mailbox.calendars())
        ours = [one for one in reports if one.account == self.name]
        if self._failures and any(one.trouble is None for one in ours):
            self.hurry()
        self._replan(self)

    # -- the calendars

    def adopt(self, records: Collection[CalendarRecord]) -> None:
        """Begin with calendars that are new, and leave those that are gone."""
        now_s = self._clock.monotonic_s()
        for record in records:
            poll_s = float(self.mailbox.account.sync_for(record.name).poll_interval_s)
            if record.key not in self.records:
                self.paces[record.key] = schedule.fresh(poll_s, now_s)
                self._observe("calendar.joined", self._names(record))
            elif self.paces[record.key].poll_s != poll_s:  # it was renamed to one with settings
                self.paces[record.key] = schedule.fresh(poll_s, now_s)
        for key in self.records.keys() - {record.key for record in records}:
            self._observe("calendar.left", self._names(self.records[key]))
            self._troubles.ended(self._subject(self.records[key]))
            del self.paces[key]
        self.records = {record.key: record for record in records}

    async def _one_turn(self) -> bool:
        """Whether there was something to do."""
        async with self.lock:
            if self._is_list_due() and not await self._list():
                return False
            now_s = self._clock.monotonic_s()
            due = schedule.agenda(self.paces, now_s)
            if not due.run or self._doubtful:
                return False
            await self._rounds(due, now_s)
            return True

    def _is_list_due(self) -> bool:
        now_s = self._clock.monotonic_s()
        waiting = any(schedule.is_due(pace, now_s) for pace in self.paces.values())
        return now_s >= self.list_s or (self._doubtful and waiting)

    async def _list(self) -> bool:
        """Learn who the mailbox is and which calendars it has; False if no round makes sense."""
        failing = self._failures > 0
        try:
            records = await self.mailbox.refresh(force=self._doubtful or failing)
        except Exception as error:  # a bug in one account is no reason to leave the others alone
            return await self._list_failed(error)
        finally:
            self.tried.set()
        self._doubtful = False
        self.list_s = self._clock.monotonic_s() + LIST_TICK_S
        self._troubles.ended(f"{self.name}: calendars")
        self.adopt(records)
        if failing:
            self._recovered()
        return True

    async def _list_failed(self, error: Exception) -> bool:
        with suppress(SyncdError):
            self.adopt(await self.mailbox.calendars())
        if isinstance(error, ACCOUNT_WIDE) or self._doubtful:
            self._account_failed(error)
            return False
        self.list_s = self._clock.monotonic_s() + schedule.LONGEST_RETRY_S
        self._troubles.began(f"{self.name}: calendars", error)
        return True

    # -- rounds

    async def _rounds(self, due: Agenda, now_s: float) -> None:
        for key in due.run:
            self.paces[key] = schedule.begun(self.paces[key], now_s, look=key in due.look)
        try:
            await self._judge(due, await self._synced(due))
        finally:
            # A calendar whose round left no word, for whatever reason, is not to be forgotten.
            for key in due.run & self.paces.keys():
                if self.paces[key].next_s == inf:
                    self._settle(key, Failed(schedule.FIRST_RETRY_S))

    async def _judge(
        self, due: Agenda, synced: Mapping[CalendarKey, CalendarReport | Exception]
    ) -> None:
        """What follows for each calendar, and whether the account as a whole is in trouble."""
        for key, done in synced.items():
            await self._note(key, done)
        for key in due.run - synced.keys():  # gone, or excluded, meanwhile
            self.list_s = -inf
            self._settle(key, Done(moved=False))
        errors = [one for one in synced.values() if isinstance(one, Exception)]
        wide = [error for error in errors if isinstance(error, ACCOUNT_WIDE)]
        if wide:
            self._account_failed(wide[0])
        elif self._failures and len(errors) < len(synced):
            self._recovered()

    async def _synced(self, due: Agenda) -> dict[CalendarKey, CalendarReport | Exception]:
        """What became of each calendar; a bug stops those alone that it concerns."""
        calendars: list[CalendarRecord] = []
        try:
            # Asked for anew each time: a round changes the records.
            calendars = [one for one in await self.mailbox.calendars() if one.key in due.run]
            return await self._sync(calendars, due)
        except Exception as error:
            if isinstance(error, SyncdError) or len(calendars) < 2:
                return dict.fromkeys(due.run, error)
        return await self._synced_alone(calendars, due)

    async def _synced_alone(
        self, calendars: Iterable[CalendarRecord], due: Agenda
    ) -> dict[CalendarKey, CalendarReport | Exception]:
        done: dict[CalendarKey, CalendarReport | Exception] = {}
        for one in calendars:
            done |= await self._synced(Agenda(frozenset((one.key,)), due.look & {one.key}))
        return done

    async def _sync(
        self, calendars: list[CalendarRecord], due: Agenda
    ) -> dict[CalendarKey, CalendarReport | Exception]:
        if not calendars:
            return {}
        reports = await self.mailbox.sync(calendars, look_at=due.look)
        await take_up_words(self._store)
        keys = [one.key for one in calendars]
        return {key: one.trouble or one for key, one in zip(keys, reports, strict=True)}

    async def _note(self, key: CalendarKey, done: CalendarReport | Exception) -> None:
        subject = self._subject(self.records[key])
        if isinstance(done, CalendarReport):
            self._troubles.ended(subject)
            self._settle(key, await self._done(key, done))
            return
        if not isinstance(done, ACCOUNT_WIDE):
            self._troubles.began(subject, done)
        failures = self.paces[key].failures + 1
        self._settle(key, Failed(schedule.retry_pause_s(done, failures)))

    async def _done(self, key: CalendarKey, report: CalendarReport) -> Done:
        open_ = report.waiting > 0
        with suppress(SyncdError):
            open_ = open_ or any(one.needs_person for one in await self._store.problems(key))
        return Done(moved=report.counts.anything() or report.waiting > 0, look=open_)

    def _settle(self, key: CalendarKey, outcome: Outcome) -> None:
        now_s, spread = self._clock.monotonic_s(), self._rng.random()
        self.paces[key] = schedule.after(self.paces[key], outcome, now_s, spread)

    def _account_failed(self, error: Exception) -> None:
        """All its calendars wait together: one try at a time tells whether it has passed."""
        self._failures += 1
        self._doubtful = self._doubtful or isinstance(error, LoginNeeded | StateError)
        pause_s = schedule.retry_pause_s(error, self._failures)
        now_s = self._clock.monotonic_s()
        spread = self._rng.random()
        self.list_s = now_s + pause_s
        self.paces = {
            key: schedule.after(pace, Failed(pause_s), now_s, spread)
            for key, pace in self.paces.items()
        }
        self._troubles.began(self.name, error)

    def _recovered(self) -> None:
        self._failures = 0
        self._troubles.ended(self.name)
        self.hurry()

    def _subject(self, record: CalendarRecord) -> str:
        return f"{record.account}/{record.name}"

    def _names(self, record: CalendarRecord) -> dict[str, Any]:
        return {"account": record.account, "calendar": record.name}


# --- all of them -------------------------------------------------------------------------------


class _Whenever(BaseTrigger):  # type: ignore[misc]
    """
    Fires after as many seconds as it is told each time.

    The scheduler's own intervals are counted on the wall clock, one by one: after a jump of years
    it would count for minutes.
    """

    __slots__ = ("_seconds",)

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The time, by the wall clock that the scheduler goes by."""
        return now + timedelta(seconds=self._seconds())


class Daemon:
    """
    Everything that `syncd run` does between its start and the signal that ends it.

    Args: observe: told facts; the workshop's own go their own way. tick_s: between looks at the
        clocks.
    """

    def __init__(
        self,
        workshop: Workshop,
        *,
        observe: Observe = log_facts,
        notifier: Notifier | None = None,
        tick_s: float = TICK_S,
        rng: Random | None = None,
    ) -> None:
        self._workshop = workshop
        self._observe = observe
        self._notifier = notifier or Notifier()
        self._tick_s = _ticks_every_s(tick_s, self._notifier.watchdog_s)
        self._clock = workshop.clock
        self._troubles = Troubles(observe, self._clock)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._tasks: set[asyncio.Task[None]] = set()
        self._tidy_s = self._clock.monotonic_s() + FIRST_TIDYING_S
        self._held = 0
        self._ending = False
        rng = rng or Random()  # noqa: S311 - spreads polls, guards nothing
        self.keepers = {
            name: Keeper(
                mailbox,
                workshop.store,
                self._clock,
                self._troubles,
                observe,
                self._replan,
                rng,
            )
            for name, mailbox in workshop.mailboxes.items()
        }

    async def run(self, stop: asyncio.Event) -> None:
        """
        Work until `stop` is set; whatever fails meanwhile is told and tried again.

        Ends as well when the state turns out to be damaged: whoever built the workshop puts it
        aside and builds another.
        """
        self._observe("daemon.started", {"accounts": len(self.keepers), "process_id": os.getpid()})
        self._scheduler.start()
        for keeper in self.keepers.values():
            self._add_job(keeper.name, partial(self._list_in_s, keeper), keeper)
        self._spawn(self._mended("watch", lambda: self._watch_folders(stop)))
        self._spawn(self._mended("clock", self._watch_clocks))
        for keeper in self.keepers.values():
            for kind in get_args(ErrandKind):
                work = partial(self._run_errands, keeper, kind)
                self._spawn(self._mended(f"{kind} errands of {keeper.name}", work))
        self._spawn(self._mended("control", self._listen))
        self._spawn(self._tell_ready())
        try:
            await _first_of(stop, self._workshop.store.broken)
        finally:
            if stop.is_set():
                self._notifier.stopping()
            await self._end()
            self._observe("daemon.stopped", {})

    # -- tasks and jobs

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _mended(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do what runs for as long as the daemon does, again whenever it breaks down."""
        subject = f"daemon: {name}"
        while True:
            try:
                await work()
                return
            except Exception as error:
                self._troubles.began(subject, error)
            await self._clock.sleep(MEND_S)
            self._troubles.ended(subject)

    async def _end(self) -> None:
        self._ending = True  # a job that was about to begin finds nothing to do
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=END_WITHIN_S)
        await asyncio.sleep(0)  # so that the scheduler sees its jobs end
        self._scheduler.shutdown(wait=False)
        await asyncio.sleep(0)  # it shuts down in the loop's next turn

    def _add_job(self, job_id: str, seconds: Callable[[], float], keeper: Keeper) -> None:
        async def fire() -> None:
            # A task of our own: the scheduler neither waits for its jobs nor lets them be cancelled
            # in silence.
            if not self._ending:
                await asyncio.wait({self._spawn(self._turn(keeper))})

        self._scheduler.add_job(
            fire,
            _Whenever(seconds),
            id=job_id,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )

    async def _turn(self, keeper: Keeper) -> None:
        try:
            await keeper.turn()
            self._troubles.ended(f"{keeper.name}: turn")
            self._held = await held_count(self._workshop.store)
        except Exception as error:
            self._troubles.began(f"{keeper.name}: turn", error)
        self._tell_status()

    def _list_in_s(self, keeper: Keeper) -> float:
        return max(keeper.list_s - self._clock.monotonic_s(), SOONEST_S)

    def _poll_in_s(self, keeper: Keeper, key: CalendarKey) -> float:
        pace = keeper.paces.get(key)
        if pace is None or pace.next_s == inf:
            return LIST_TICK_S
        return max(pace.next_s - self._clock.monotonic_s(), SOONEST_S)

    def _replan(self, keeper: Keeper) -> None:
        """Bring the scheduler's jobs in line with what is due."""
        if not self._scheduler.running:
            return
        wanted = {_job_id(keeper, key): key for key in keeper.paces}
        present = {job.id for job in self._scheduler.get_jobs()}
        for job_id, key in wanted.items():
            if job_id not in present:
                self._add_job(job_id, partial(self._poll_in_s, keeper, key), keeper)
            self._fire_in(job_id, self._poll_in_s(keeper, key))
        for job_id in present - wanted.keys():
            if job_id.startswith(f"{keeper.name}/"):
                self._scheduler.remove_job(job_id)
        self._fire_in(keeper.name, self._list_in_s(keeper))

    def _fire_in(self, job_id: str, seconds: float) -> None:
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        with suppress(JobLookupError):
            self._scheduler.modify_job(job_id, next_run_time=at)

    # -- what goes on beside the rounds

    async def _watch_folders(self, stop: asyncio.Event) -> None:
        export_dir = self._workshop.config.export_dir
        # The watch rests for long where there is nothing; the first round makes the folder.
        while not await asyncio.to_thread(export_dir.is_dir):
            await self._clock.sleep(self._tick_s)
        watch = FolderWatch(export_dir, clock=self._clock)
        async with aclosing(watch.changes(stop=stop)) as events:
            async for event in events:
                for keeper in self.keepers.values():
                    _tell_keeper(keeper, event)

    async def _watch_clocks(self) -> None:
        """Notice jumps of the wall clock, and nights in which the machine slept."""
        last = self._now()
        while True:
            self._notifier.watchdog()
            await self._clock.sleep(self._tick_s)
            now = self._now()
            jumped_s = schedule.jumped_s(last, now, self._tick_s)
            if jumped_s is not None:
                self._jumped(jumped_s, now)
            if now.monotonic_s >= self._tidy_s:
                await self._tidy(now)
            last = now

    async def _run_errands(self, keeper: Keeper, kind: ErrandKind) -> None:
        """Do what was asked for and could not be done, once its mailbox is in reach."""
        failures, pause_s = 0, ERRANDS_TICK_S
        while True:
            await self._clock.sleep(pause_s)
            pause_s = ERRANDS_TICK_S
            if not keeper.is_in_reach:
                continue
            waiting = [one.kind for one in await self._workshop.store.errands(keeper.name)]
            trouble = await self._errands_done(keeper, kind) if kind in waiting else None
            subject = f"{keeper.name}: {kind} errands"
            if trouble is None:
                failures = 0
                self._troubles.ended(subject)
                continue
            failures += 1
            pause_s = max(schedule.retry_pause_s(trouble, failures), ERRANDS_TICK_S)
            if not isinstance(trouble, ACCOUNT_WIDE):
                self._troubles.began(subject, trouble)

    async def _errands_done(self, keeper: Keeper, kind: ErrandKind) -> SyncdError | None:
        """What stands in the way of those that are left."""
        if kind == "attachment":  # the rounds need not wait for uploads
            return (await carry_out_errands(self._workshop, keeper.name, {kind})).trouble
        async with keeper.lock:
            done = await carry_out_errands(self._workshop, keeper.name, {kind})
            if done.count:
                await keeper.visited(())
                keeper.touch(done.folders)
            return done.trouble

    def _now(self) -> Tick:
        return Tick(self._clock.now(), self._clock.monotonic_s())

    def _jumped(self, seconds: float, now: Tick) -> None:
        self._observe("clock.jumped", {"seconds": round(seconds, 1)})
        if seconds > LONG_JUMP_S:
            # A clock that is years ahead by mistake would age the whole history at once.
            self._tidy_s = now.monotonic_s + DAY_S
        for keeper in self.keepers.values():
            keeper.hurry()

    async def _tidy(self, now: Tick) -> None:
        self._tidy_s = now.monotonic_s + DAY_S
        try:
            await tidy_history(self._workshop)
            await self._workshop.store.compact()
        except SyncdError as error:
            self._troubles.began("daemon: history", error)
        else:
            self._troubles.ended("daemon: history")

    async def _tell_ready(self) -> None:
        tried = [asyncio.ensure_future(one.tried.wait()) for one in self.keepers.values()]
        try:
            if tried:
                await asyncio.wait(tried, timeout=READY_WITHIN_S)
        finally:
            for one in tried:
                one.cancel()
        self._notifier.ready()
        self._tell_status()
        self._observe("daemon.ready", {})

    def _tell_status(self) -> None:
        calendars = sum(len(keeper.paces) for keeper in self.keepers.values())
        self._notifier.status(
            f"{calendars} calendars, {len(self._troubles)} troubles, {self._held} held"
        )

    # -- commands that come in by the socket

    async def _listen(self) -> None:
        async with serving(self._workshop.config.state_dir, self.answer):
            await asyncio.get_running_loop().create_future()

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a command asks for; `{"error", "exit", "hint"}` where it cannot be done."""
        try:
            return await self._answered(request)
        except SyncdError as error:
            return {"exit": int(error.exit_code), "error": str(error), "hint": error.hint}
        except Exception as error:
            self._observe("command.crashed", {"request": request.get("do"), "exc_info": error})
            hint = "The daemon's log has the traceback."
            return {"exit": int(ExitCode.BUG), "error": f"unexpected: {error!r}", "hint": hint}

    async def _answered(self, request: dict[str, Any]) -> dict[str, Any]:
        match request:
            case {"do": "status"}:
                return {"running": True, "pid": os.getpid(), "next": self._next()}
            case {"do": "sync", "targets": list(targets)} if _are_texts(targets):
                return await self._sync(targets)
            case {"do": "verdict", "problem": str(problem), "kind": kind} if _is_verdict(kind):
                return await self._decide(problem, kind, request.get("exact"))
            case {"do": "restore" | "undo" as kind, "what": str(what), "exact": str(exact)}:
                return await self._go_back(kind, what, exact)
            case {"do": "wish", "asked": dict(asked), "exact": str(exact)}:
                return await self._wish(asked, exact)
            case {"do": "attach", "change": dict(wanted)}:
                # The rounds need not wait: an upload takes long, and touches no state of theirs.
                return await attach(self._workshop, change_in(wanted))
            case {"do": "forget", "account": str(account), "calendar": str(calendar)}:
                return await self._forget(account, calendar)
            case {"do": "directory", "account": str(account), "wish": dict(wish)}:
                return await self._change(account, wish)
            case {"do": "meeting", "account": str(account), "calendar": str(calendar), **rest}:
                return await self._write_meeting(account, calendar, rest)
            case _:
                raise CommandError(
                    "the daemon does not know this request",
                    hint="Restart the daemon: it may be of another version than this command.",
                )

    def _next(self) -> dict[str, float]:
        """Seconds to each calendar's next round; 0 while one runs or is due."""
        now_s = self._clock.monotonic_s()
        return {
            f"{record.account}/{record.name}": _wait_s(keeper.paces[key], now_s)
            for keeper in self.keepers.values()
            for key, record in keeper.records.items()
        }

    async def _sync(self, targets: list[str]) -> dict[str, Any]:
        accounts = {one.account for one in parse_targets(targets, self.keepers)}
        return await self._visit(accounts, lambda: sync_now(self._workshop, targets))

    async def _decide(
        self, problem_id: str, kind: VerdictKind, exact: str | None
    ) -> dict[str, Any]:
        _, problem = await find_problem(self._workshop.store, problem_id)
        accounts = {problem.account} & self.keepers.keys()
        return await self._visit(
            accounts, lambda: decide_problem(self._workshop, problem_id, kind, exact)
        )

    async def _go_back(self, kind: str, what: str, exact: str) -> dict[str, Any]:
        """Write the files of a `restore` or `undo` between rounds; the next one reads them."""
        async with AsyncExitStack() as stack:
            for name in sorted(self.keepers):
                await stack.enter_async_context(self.keepers[name].lock)
            done = await go_back(self._workshop, kind, what, exact)
        for keeper in self.keepers.values():
            keeper.touch({one["folder"] for one in done if one["account"] == keeper.name})
        return {"exit": int(ExitCode.OK), "done": done}

    async def _wish(self, asked: dict[str, Any], exact: str) -> dict[str, Any]:
        """Journal what a person asked for between the rounds of its account, and carry it out."""
        wanted = wish_in(asked)
        planned = await plan_wish(self._workshop.config, self._workshop.store, wanted)
        keeper = self.keepers.get(planned.calendar.account)
        async with keeper.lock if keeper is not None else nullcontext():
            outcome = await wish_for(self._workshop, wanted, exact)
            if keeper is not None:
                await keeper.visited(outcome.reports)
        return outcome.as_json()

    async def _forget(self, account: str, calendar: str) -> dict[str, Any]:
        """Forget a calendar between the rounds of its account, where it is one of ours."""
        keeper = self.keepers.get(AccountName(account))
        async with keeper.lock if keeper is not None else nullcontext():
            return await forget(self._workshop, account, calendar)

    async def _change(self, account: str, wish: dict[str, Any]) -> dict[str, Any]:
        """Change calendars, groups or categories between rounds; new calendars begin at once."""
        keeper = self.keepers.get(AccountName(account))
        async with keeper.lock if keeper is not None else nullcontext():
            done = await change_directory(self._workshop, account, wish)
            if keeper is not None:
                await keeper.visited(())
                keeper.touch({done["folder"]})
        return done

    async def _write_meeting(
        self, account: str, calendar: str, rest: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write a new meeting's file between rounds; the next one reads it."""
        keeper = self.keepers.get(AccountName(account))
        async with keeper.lock if keeper is not None else nullcontext():
            uid, text = str(rest.get("uid")), str(rest.get("text"))
            done = await write_meeting(self._workshop, account, calendar, uid, text)
        if keeper is not None:
            keeper.touch({done["folder"]})
        return done

    async def _visit(
        self, accounts: Collection[str], work: Callable[[], Awaitable[list[CalendarReport]]]
    ) -> dict[str, Any]:
        """Work for a command between the rounds of some accounts."""
        keepers = [self.keepers[AccountName(name)] for name in sorted(accounts)]
        async with AsyncExitStack() as stack:
            for keeper in keepers:
                await stack.enter_async_context(keeper.lock)
            reports = await work()
            for keeper in keepers:
                await keeper.visited(reports)
        held = self._held = await held_count(self._workshop.store)
        self._tell_status()
        return {
            "exit": int(exit_code(reports, held=held)),
            "reports": reports_to_json(reports),
        }


async def _first_of(*events: asyncio.Event) -> None:
    waits = [asyncio.ensure_future(one.wait()) for one in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()


def _tell_keeper(keeper: Keeper, event: Touched | Everything) -> None:
    match event:
        case Everything():
            keeper.touch(None)
        case Touched(folders):
            ours = {one.name for one in folders if one.parent.name == keeper.name}
            if ours:
                keeper.touch(ours)
        case _:
            assert_never(event)


def _job_id(keeper: Keeper, key: CalendarKey) -> str:
    return f"{keeper.name}/{key}"  # an account's name has no slash


def _ticks_every_s(tick_s: float, watchdog_s: float | None) -> float:
    # sd_watchdog_enabled(3): every half of the time that the manager allows.
    return tick_s if watchdog_s is None else min(tick_s, watchdog_s / 2)


def _wait_s(pace: Pace, now_s: float) -> float:
    return 0.0 if pace.next_s == inf else round(max(pace.next_s - now_s, 0.0), 1)


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_verdict(kind: object) -> bool:
    return kind in get_args(VerdictKind)
