"""
What a command makes the mailboxes do, whether it runs in its own process or in the daemon's.

Knows targets (`ACCOUNT[/CALENDAR]`), which decisions fit which problem, and how reports read as
JSON. Opens nothing and prints nothing: the workshop is handed in, and everything comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final

from syncd.core.errors import CommandError, SyncdError
from syncd.core.history import tidying
from syncd.core.ids import AccountName, ProblemId
from syncd.core.state import (
    CalendarKey,
    CalendarRecord,
    Lost,
    Problem,
    PutVerdict,
    VerdictKind,
    VerdictRecord,
)
from syncd.round.desk import Counts
from syncd.shell.config import Config
from syncd.shell.errands import carry_out_errands, end_dependents
from syncd.shell.kept import LISTED, kept_wishes, open_matters, take_back
from syncd.shell.mailbox import CalendarReport, Mailbox
from syncd.shell.second_event import local_version, write_second_event
from syncd.shell.way_back import WayBack
from syncd.shell.workshop import Workshop
from syncd.store.store import Store

__all__ = [
    "DECISIONS",
    "Target",
    "Work",
    "calendars_of",
    "check_decision",
    "decide_problem",
    "find_problem",
    "go_back",
    "held_count",
    "parse_targets",
    "reports_to_json",
    "sync_now",
    "take_up_words",
    "tidy_history",
]

WORDS_AT_ONCE: Final = 300
"""Items whose words are taken up after a sync, in some tenths of a second."""

DECISIONS: Final[Mapping[str, frozenset[str]]] = {
    "conflict": frozenset({"local", "remote", "both"}),
    "held-mail": frozenset({"approved", "discarded"}),
    "held-deletions": frozenset({"approved", "discarded"}),
    "held-import": frozenset({"approved", "discarded"}),
    "in-doubt": frozenset({"approved", "discarded"}),
    "folder": frozenset({"approved"}),
    "gone-or-new": frozenset({"local"}),
}
"""What a person can decide of each kind of problem; the other kinds are settled by editing."""


@dataclass(frozen=True, slots=True)
class Target:
    """One account, or one calendar of it ("" is all of them)."""

    account: AccountName
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """The calendars of one account that are to be synced, and what already went wrong."""

    mailbox: Mailbox
    calendars: Sequence[CalendarRecord]
    failed: Sequence[CalendarReport] = ()


# --- syncing -------------------------------------------------------------------------------------


async def sync_now(
    workshop: Workshop, targets: Sequence[str], *, force_list: bool = True
) -> list[CalendarReport]:
    """
    Sync accounts or single calendars until nothing is left to do; accounts run side by side.

    What was asked of their mailboxes and waits is done first, but for files on their way to events.

    Args: targets: `ACCOUNT[/CALENDAR]`, none means every account. force_list: ask for identity and
        calendars also when they were asked for lately.
    Returns: a report for each calendar; an account that cannot be asked has its trouble there.
    Raises: CommandError: a target names nothing; nothing was synced then.
    """
    wanted = parse_targets(targets, workshop.mailboxes)
    chosen = await calendars_of(workshop, wanted, force_list=force_list)
    work = await asyncio.gather(*(_after_errands(workshop, one, wanted) for one in chosen))
    done = await asyncio.gather(*(_synced(one) for one in work))
    return [report for reports in done for report in reports]


async def calendars_of(
    workshop: Workshop, targets: Collection[Target], *, force_list: bool
) -> list[Work]:
    """The calendars that the targets name, by account. Raises: CommandError: it names none."""
    accounts = dict.fromkeys(target.account for target in targets)
    refreshed = await asyncio.gather(
        *(_refreshed(workshop, account, force_list=force_list) for account in accounts)
    )
    return [_narrowed(one, targets) for one in refreshed]


async def _after_errands(workshop: Workshop, work: Work, targets: Collection[Target]) -> Work:
    """The same, after what was asked of the mailbox: it may have more calendars then, or fewer."""
    account = work.mailbox.account.name
    if work.failed:
        return work
    done = await carry_out_errands(workshop, account, {"directory"})
    failed = [CalendarReport(account, "", Counts(), done.trouble)] if done.trouble else []
    calendars = list(work.calendars)
    if done.count:
        now = {one.key: one for one in await work.mailbox.calendars()}
        is_whole = Target(account) in targets
        keys = list(now) if is_whole else [one.key for one in calendars]
        calendars = [now[key] for key in keys if key in now]
    return Work(work.mailbox, calendars, failed)


async def _refreshed(workshop: Workshop, account: AccountName, *, force_list: bool) -> Work:
    mailbox = workshop.mailboxes[account]
    try:
        return Work(mailbox, await mailbox.refresh(force=force_list))
    except SyncdError as error:
        known = await mailbox.calendars()
        names = [one.name for one in known] or [""]
        failed = [CalendarReport(account, name, Counts(), error) for name in names]
        return Work(mailbox, (), failed)


def _narrowed(work: Work, targets: Collection[Target]) -> Work:
    account = work.mailbox.account.name
    names = {one.calendar for one in targets if one.account == account}
    if "" in names or work.failed:
        return work
    chosen = {one.key: one for name in names for one in [_calendar_named(name, work.calendars)]}
    return Work(work.mailbox, list(chosen.values()))


def _calendar_named(name: str, calendars: Collection[CalendarRecord]) -> CalendarRecord:
    """The calendar of that name, or of that folder's name, or of that name in another case."""
    found = [one for one in calendars if one.name == name]
    found += [one for one in calendars if one.folder == name]
    found += [one for one in calendars if one.name.casefold() == name.casefold()]
    if found:
        return found[0]
    raise _unknown("calendar", name, [one.name for one in calendars])


async def _synced(work: Work) -> list[CalendarReport]:
    if not work.calendars:
        return list(work.failed)
    try:
        keys = {one.key for one in work.calendars}
        return [*work.failed, *await work.mailbox.sync(work.calendars, look_at=keys)]
    except SyncdError as error:
        account = work.mailbox.account.name
        return [CalendarReport(account, one.name, Counts(), error) for one in work.calendars]


def parse_targets(targets: Sequence[str], accounts: Iterable[AccountName]) -> list[Target]:
    """
    Read `ACCOUNT[/CALENDAR]`; an account's name has no slash, a calendar's may.

    Raises: CommandError: there is no such account; the nearest is named.
    """
    known = list(accounts)
    if not targets:
        return [Target(name) for name in known]
    return [_target(text, known) for text in targets]


def _target(text: str, known: Collection[AccountName]) -> Target:
    account, _, calendar = text.partition("/")
    if account not in known:
        raise _unknown("account", account, known)
    return Target(AccountName(account), calendar)


def _unknown(what: str, name: str, names: Collection[str]) -> CommandError:
    close = get_close_matches(name[:60], names, n=1, cutoff=0.5)
    listed = ", ".join(names) or "none"
    hint = f"Did you mean {close[0]!r}?" if close else f"There is: {listed}."
    return CommandError(f"there is no {what} {name!r}", hint=hint)


# --- what people decide --------------------------------------------------------------------------


async def find_problem(store: Store, written: str) -> tuple[CalendarKey, Problem]:
    """
    The open problem of that id, or of which it is the only one to begin so.

    Raises: CommandError: none or several are meant.
    """
    kept = {one.problem.id: one for one in await kept_wishes(store)}
    problems = await open_matters(store)
    found = [one for one in problems if one.id == written]
    found = found or [one for one in problems if written and one.id.startswith(written.lower())]
    if not found:
        raise CommandError(f"there is no problem {written!r}", hint="`syncd problems` lists them.")
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise CommandError(f"{written!r} may be any of {ids}", hint="Write one of them in full.")
    if found[0].id in kept:
        return kept[found[0].id].calendar, found[0]
    if found[0].code in LISTED:
        return CalendarKey(0), found[0]
    place = await store.calendar_of_problem(found[0].id)
    if place is None:
        raise CommandError(f"problem {written} was just resolved")
    return place[0], found[0]


def check_decision(problem: Problem, kind: str) -> None:
    """Raises: CommandError: that cannot be decided of this problem."""
    if not problem.needs_person:
        if kind == "discarded" or (problem.lost is not None and kind in DECISIONS["conflict"]):
            return
        raise CommandError(
            f"problem {problem.id} needs nobody: what there was to decide is decided",
            hint=f"`syncd discard {problem.id}` takes it off the list.",
        )
    allowed = DECISIONS.get(problem.kind, frozenset())
    if kind not in allowed:
        hint = problem.hint or "Mend the file; it is tried again when it is saved."
        ways = [_COMMANDS[one].format(id=problem.id) for one in _COMMANDS if one in allowed]
        raise CommandError(
            f"problem {problem.id} ({problem.kind}) is not settled that way",
            hint=f"Use {' or '.join(ways)}." if ways else hint,
        )


_COMMANDS: Final[Mapping[str, str]] = {
    "approved": "`syncd approve {id}`",
    "discarded": "`syncd discard {id}`",
    "local": "`syncd problems resolve {id} --take local`",
    "remote": "`syncd problems resolve {id} --take remote`",
    "both": "`syncd problems resolve {id} --take both`",
}


async def decide_problem(
    workshop: Workshop, problem_id: str, kind: VerdictKind, exact: str | None = None
) -> list[CalendarReport]:
    """
    Keep what a person decided, and carry it out.

    Discarding what needs nobody only takes it off the list. "both" makes the local version a
    second event before the remote one is taken. Of a conflict that the policy decided, the value
    that it put aside is written into the file, as an edit of that person, or into a second event.

    Args: exact: `Problem.exact` as it was shown to the person, None where nothing was shown.
    Returns: the reports of the sync that carries it out.
    Raises: CommandError: no such problem, or another matter than was shown, or it stands although
    everything was in reach. DiskTrouble.
    """
    key, problem = await find_problem(workshop.store, problem_id)
    check_decision(problem, kind)
    _refuse_change(problem, exact)
    if problem.code in LISTED:
        errand = await take_back(workshop.store, problem)
        if errand is not None:
            await end_dependents(workshop, errand)
        return []
    if not problem.needs_person and kind in ("discarded", problem.lost and problem.lost.winner):
        await workshop.store.drop_problem(problem.id)
        return []
    mailbox = _mailbox_of(workshop, problem)
    calendar = await _calendar_of(workshop.store, problem, key)
    if problem.lost is not None:
        await _take_back(workshop, calendar, problem, problem.lost, both=kind == "both")
        await workshop.store.drop_problem(problem.id)
    elif kind == "both":
        # A file that was edited since would be a second event of what nobody was shown.
        await _synced(Work(mailbox, [calendar]))
        _, now = await find_problem(workshop.store, problem.id)
        _refuse_change(now, problem.exact)
        await _write_second(workshop, calendar, problem)
        await _keep(workshop.store, key, problem, "remote")
    else:
        await _keep(workshop.store, key, problem, kind)
    reports = await _synced(Work(mailbox, [calendar]))
    if not any(one.trouble for one in reports):
        await _refuse_standing(workshop.store, problem)
    return reports


async def _keep(store: Store, key: CalendarKey, problem: Problem, kind: VerdictKind) -> None:
    verdict = VerdictRecord(ProblemId(problem.id), kind, problem.exact)
    await store.commit(key, [PutVerdict(verdict)])


def _refuse_change(problem: Problem, exact: str | None) -> None:
    if exact is not None and exact != problem.exact:
        raise CommandError(
            f"problem {problem.id} changed since it was shown",
            hint=f"Look again with `syncd problems show {problem.id}`.",
        )


_ONE_MATTER = frozenset({"conflict", "held-mail", "gone-or-new"})
"""Kinds that are over when they are decided; a list may have grown meanwhile."""


async def _refuse_standing(store: Store, problem: Problem) -> None:
    """Say that a decision had no effect: one side has moved on, or something else is in the way."""
    standing = [one.id for one in await store.problems() if one.kind in _ONE_MATTER]
    if problem.id in standing:
        raise CommandError(
            f"problem {problem.id} is listed still: either side was changed meanwhile, or something"
            " else has to be settled first",
            hint=f"Look again with `syncd problems show {problem.id}`.",
        )


async def _take_back(
    workshop: Workshop, calendar: CalendarRecord, problem: Problem, lost: Lost, *, both: bool
) -> None:
    """The value that the policy put aside: into the file, or into a second event."""
    way = WayBack(workshop.config, workshop.store, workshop.clock)
    planned = await way.retake(problem, lost, calendar.key)
    if both:
        folder = await way.folder(calendar)
        for back in (one for one in planned.backs if one.what != "leave"):
            await write_second_event(folder, back.data, problem)
    elif not all(one["done"] for one in await way.carry_out(planned)):
        raise CommandError(
            f"{problem.file} was saved by someone else at the same moment; nothing was done",
            hint="Run the command again.",
        )


async def _write_second(workshop: Workshop, calendar: CalendarRecord, problem: Problem) -> None:
    path = workshop.config.export_dir / calendar.account / calendar.folder
    data = local_version(path, problem)
    way = WayBack(workshop.config, workshop.store, workshop.clock)
    await write_second_event(await way.folder(calendar), data, problem)


def _mailbox_of(workshop: Workshop, problem: Problem) -> Mailbox:
    mailbox = workshop.mailboxes.get(problem.account)
    if mailbox is None:
        raise CommandError(
            f"account {problem.account!r} is not in the configuration any more",
            hint="Put it back, or leave the problem as it is: nothing happens to its files.",
        )
    return mailbox


async def _calendar_of(store: Store, problem: Problem, key: CalendarKey) -> CalendarRecord:
    for one in await store.calendars(problem.account):
        if one.key == key and one.status != "active":
            raise CommandError(
                f"the calendar {one.name!r} is not synced any more",
                hint="Nothing of it is written or sent; follow it again, or forget it.",
            )
        if one.key == key:
            return one
    raise CommandError(f"the calendar of problem {problem.id} is not known any more")


async def held_count(store: Store) -> int:
    """How many problems wait for a person."""
    return sum(one.needs_person for one in await store.problems())


# --- the history ---------------------------------------------------------------------------------


async def go_back(workshop: Workshop, kind: str, what: str, exact: str) -> list[dict[str, Any]]:
    """
    Restore a version ("restore", `UID@VERSION`) or undo a round ("undo", its number).

    Args: exact: `Return.exact` as it was shown to the person.
    Returns: what was done about each file.
    Raises: CommandError: something changed since it was shown. DiskTrouble.
    """
    way = WayBack(workshop.config, workshop.store, workshop.clock)
    if kind == "undo" and not (what.isascii() and what.isdigit() and len(what) < 19):
        raise CommandError(f"{what!r} is no round")
    planned = await (way.restore(what) if kind == "restore" else way.undo(int(what)))
    if planned.exact != exact:
        raise CommandError(
            "something changed since this was shown; nothing was done",
            hint="Run the command again.",
        )
    return await way.carry_out(planned)


async def take_up_words(store: Store) -> None:
    """Index the words of what moved. A search looks by itself at what is not taken up."""
    with suppress(SyncdError):
        await store.index_words(WORDS_AT_ONCE)


async def tidy_history(workshop: Workshop) -> None:
    """Drop versions that are older than their calendar keeps them. Raises: DiskTrouble."""
    store, now = workshop.store, workshop.clock.now()
    verdict, at = tidying(await store.tidied_at(), now)
    await store.put_tidied_at(at)
    if verdict == "wait":
        return
    calendars = await store.calendars()
    ages = {one.key: _history_s(workshop.config, one) for one in calendars}
    for key, age_s in ages.items():
        await _forget_older(store, now, age_s, key)
    # Versions of forgotten calendars go with the longest that are kept of any.
    of_accounts = [float(one.sync.history_s) for one in workshop.config.accounts.values()]
    await _forget_older(store, now, max([*ages.values(), *of_accounts]), None)


async def _forget_older(store: Store, now: datetime, age_s: float, key: CalendarKey | None) -> None:
    kept = timedelta(seconds=age_s)
    if kept < now - _FIRST:
        await store.forget_history(now - kept, key)


_FIRST = datetime(1970, 1, 2, tzinfo=UTC)


def _history_s(config: Config, calendar: CalendarRecord) -> float:
    """How long its versions are kept; those of an account that is gone, as long as any."""
    account = config.accounts.get(calendar.account)
    if account is not None:
        return float(account.sync_for(calendar.name).history_s)
    return float(max(one.sync.history_s for one in config.accounts.values()))


# --- as JSON -------------------------------------------------------------------------------------


def reports_to_json(reports: Iterable[CalendarReport]) -> list[dict[str, Any]]:
    """`{account, calendar, counts, waiting, error, hint}` of each; no trouble: `error` is None."""
    return [
        {
            "account": one.account,
            "calendar": one.calendar,
            "counts": {name: getattr(one.counts, name) for name in Counts.__slots__},
            "waiting": one.waiting,
            "error": str(one.trouble) if one.trouble is not None else None,
            "hint": one.trouble.hint if one.trouble is not None else "",
        }
        for one in reports
    ]
